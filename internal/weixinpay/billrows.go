package weixinpay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

const (
	maxBillLine    = 64 << 10 // bytes
	maxBillColumns = 100
)

// rows reads the lines of one kind of bill and knows what they must add up to.
type rows interface {
	columns() []string // without which the bill cannot be read
	line(cell func(string) string) error
	totals() map[string]int64 // summary column → what the lines add up to
	needed() []string         // summary columns that must be there
	count() string            // the summary column that counts lines
}

// errCell is a cell that cannot be read; the error that reaches a caller names line and column only.
var errCell = errors.New("cannot be read")

// readBill reads a whole bill: a header, lines of cells behind backticks, a summary header, one summary line. The
// summary must agree with the lines.
func readBill(from io.Reader, into rows) error {
	scan := bufio.NewScanner(from)
	scan.Buffer(make([]byte, 0, 4096), maxBillLine)
	next := func() (string, bool) {
		for scan.Scan() {
			if text := strings.TrimRight(scan.Text(), "\r"); text != "" {
				return text, true
			}
		}
		return "", false
	}
	broken := func(line int64, why string) error {
		if err := scan.Err(); err != nil && errors.Is(err, ErrBillBroken) {
			return err
		}
		return fmt.Errorf("%w: line %d: %s", ErrBillBroken, line, why)
	}
	text, ok := next()
	if !ok || !utf8.ValidString(text) {
		return broken(1, "no header")
	}
	header, err := billHeader(strings.TrimPrefix(text, "\ufeff"), into.columns())
	if err != nil {
		return broken(1, err.Error())
	}
	lines := int64(0)
	for {
		if text, ok = next(); !ok {
			return broken(lines+2, "no summary")
		}
		if text[0] != '`' {
			break
		}
		lines++
		cells := billCells(text)
		if len(cells) != len(header) || !utf8.ValidString(text) {
			return broken(lines+1, "another number of columns than the header")
		}
		if err := into.line(func(name string) string { return cells[header[name]] }); errors.Is(err, errCell) {
			return broken(lines+1, err.Error())
		} else if err != nil {
			return err
		}
	}
	summary, err := billHeader(text, append(into.needed(), into.count()))
	if err != nil {
		return broken(lines+2, err.Error())
	}
	text, ok = next()
	if !ok || text[0] != '`' {
		return broken(lines+3, "no summary line")
	}
	if err := checkSummary(summary, billCells(text), into, lines); err != nil {
		return broken(lines+3, err.Error())
	}
	if _, more := next(); more || scan.Err() != nil {
		return broken(lines+4, "something after the summary")
	}
	return nil
}

// billHeader maps names to columns. Brackets come in two widths.
func billHeader(text string, needed []string) (map[string]int, error) {
	names := strings.Split(strings.NewReplacer("（", "(", "）", ")").Replace(text), ",")
	if len(names) > maxBillColumns {
		return nil, errors.New("too many columns")
	}
	header := make(map[string]int, len(names))
	for i, name := range names {
		name = strings.TrimSpace(strings.TrimPrefix(name, "`"))
		if _, twice := header[name]; twice {
			return nil, errors.New("a column twice")
		}
		header[name] = i
	}
	for _, name := range needed {
		if _, ok := header[name]; !ok {
			return nil, errors.New("a column is missing: " + name)
		}
	}
	return header, nil
}

// billCells splits "`a,`b": a comma without a backtick behind it belongs to its cell.
func billCells(text string) []string {
	cells := strings.Split(strings.TrimPrefix(text, "`"), ",`")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func checkSummary(header map[string]int, cells []string, of rows, lines int64) error {
	if len(cells) != len(header) {
		return errors.New("the summary has another number of columns than its header")
	}
	said, err := parseCount(cells[header[of.count()]])
	if err != nil || said != lines {
		return errors.New("the summary counts other lines")
	}
	for name, sum := range of.totals() {
		at, given := header[name]
		if !given {
			continue
		}
		parse := parseYuan
		if strings.HasSuffix(name, "笔数") {
			parse = parseCount
		}
		if said, err := parse(cells[at]); err != nil || said != sum {
			return errors.New("the lines do not add up to the summary: " + name)
		}
	}
	return nil
}

// tradeRows reads the trade bill.
type tradeRows struct {
	each                        func(TradeLine) error
	settled, refund, fee, total int64
	asked                       int64
}

func (*tradeRows) columns() []string {
	return []string{
		"交易时间", "微信订单号", "商户订单号", "用户标识", "交易状态", "应结订单金额", "微信退款单号", "商户退款单号", "退款金额",
		"退款状态", "手续费", "订单金额", "申请退款金额",
	}
}

func (*tradeRows) count() string { return "总交易单数" }

func (*tradeRows) needed() []string {
	return []string{"应结订单总金额", "退款总金额", "手续费总金额"}
}

func (r *tradeRows) totals() map[string]int64 {
	return map[string]int64{
		"应结订单总金额": r.settled, "退款总金额": r.refund, "手续费总金额": r.fee, "订单总金额": r.total, "申请退款总金额": r.asked,
	}
}

func (r *tradeRows) line(cell func(string) string) error {
	var bad cellErrors
	line := TradeLine{
		At: bad.at(cell, "交易时间"), TransactionID: cell("微信订单号"), Number: cell("商户订单号"), OpenID: cell("用户标识"),
		State: cell("交易状态"), Settled: bad.yuan(cell, "应结订单金额"), RefundID: none(cell("微信退款单号")),
		RefundNumber: none(cell("商户退款单号")), Refund: bad.yuan(cell, "退款金额"), RefundState: cell("退款状态"),
		Fee: bad.yuan(cell, "手续费"), Total: bad.yuan(cell, "订单金额"),
	}
	asked := bad.yuan(cell, "申请退款金额")
	if line.TransactionID == "" || line.Number == "" || line.State == "" {
		bad.note("微信订单号")
	}
	if bad.err != nil {
		return bad.err
	}
	r.settled, r.refund = r.settled+int64(line.Settled), r.refund+int64(line.Refund)
	r.fee, r.total, r.asked = r.fee+int64(line.Fee), r.total+int64(line.Total), r.asked+int64(asked)
	return r.each(line)
}

// none reads the 0 that stands for no number.
func none(text string) string {
	if text == "0" {
		return ""
	}
	return text
}

// fundRows reads the fund-flow bill.
type fundRows struct {
	each                   func(FundLine) error
	in, out, inFen, outFen int64
}

func (*fundRows) columns() []string {
	return []string{
		"记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)", "账户结余(元)", "备注",
		"业务凭证号",
	}
}

func (*fundRows) count() string { return "资金流水总笔数" }

func (*fundRows) needed() []string {
	return []string{"收入笔数", "收入金额", "支出笔数", "支出金额"}
}

func (r *fundRows) totals() map[string]int64 {
	return map[string]int64{"收入笔数": r.in, "收入金额": r.inFen, "支出笔数": r.out, "支出金额": r.outFen}
}

func (r *fundRows) line(cell func(string) string) error {
	var bad cellErrors
	line := FundLine{
		At: bad.at(cell, "记账时间"), Business: cell("微信支付业务单号"), Flow: cell("资金流水单号"), Name: cell("业务名称"),
		Kind: cell("业务类型"), Amount: bad.yuan(cell, "收支金额(元)"), Balance: bad.yuan(cell, "账户结余(元)"), Note: cell("备注"),
		Voucher: cell("业务凭证号"), In: cell("收支类型") == "收入",
	}
	switch {
	case !line.In && cell("收支类型") != "支出":
		bad.note("收支类型")
	case line.Amount < 0:
		bad.note("收支金额(元)")
	case line.Flow == "":
		bad.note("资金流水单号")
	}
	if bad.err != nil {
		return bad.err
	}
	if line.In {
		r.in, r.inFen = r.in+1, r.inFen+int64(line.Amount)
	} else {
		r.out, r.outFen = r.out+1, r.outFen+int64(line.Amount)
	}
	return r.each(line)
}

// cellErrors remembers the first cell that cannot be read.
type cellErrors struct{ err error }

func (c *cellErrors) note(name string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", name, errCell)
	}
}

func (c *cellErrors) yuan(cell func(string) string, name string) money.Fen {
	fen, err := parseYuan(cell(name))
	if err != nil {
		c.note(name)
	}
	return money.Fen(fen)
}

func (c *cellErrors) at(cell func(string) string, name string) time.Time {
	at, err := time.ParseInLocation(time.DateTime, cell(name), clock.Shanghai())
	if err != nil {
		c.note(name)
	}
	return clock.Milli(at)
}

const maxYuanDigits = 13

// parseYuan reads "-12.30000" as -1230: digits only, and nothing but zeros behind the fen.
func parseYuan(text string) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, point := strings.Cut(digits, ".")
	cents := (part + "00")[:2]
	if whole == "" || len(whole) > maxYuanDigits || point && part == "" || len(part) > 10 ||
		strings.Trim(part[min(2, len(part)):], "0") != "" {
		return 0, errCell
	}
	fen := int64(0)
	for _, c := range []byte(whole + cents) {
		if c < '0' || c > '9' {
			return 0, errCell
		}
		fen = fen*10 + int64(c-'0')
	}
	if negative {
		fen = -fen
	}
	return fen, nil
}

func parseCount(text string) (int64, error) {
	fen, err := parseYuan(text)
	if err != nil || fen < 0 || strings.Contains(text, ".") {
		return 0, errCell
	}
	return fen / 100, nil
}
