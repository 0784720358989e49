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
var errCell = errors.New("无法读取")

// BrokenBill says why a bill was refused, in words for the brand's staff: a line and a column, never what stood there.
type BrokenBill struct {
	Line int64 // counts from 1, the header's; 0 = the file as a whole
	Why  string
}

func (b *BrokenBill) Error() string {
	return fmt.Sprintf("%v: line %d: %s", ErrBillBroken, b.Line, b.Why)
}

// Unwrap makes it an ErrBillBroken.
func (b *BrokenBill) Unwrap() error { return ErrBillBroken }

// aliases are what earlier forms of a bill call a column; they count where the column's present name is absent.
var aliases = map[string][]string{
	"应结订单金额":   {"总金额"},
	"代金券金额":    {"企业红包金额", "代金券或立减优惠金额"},
	"充值券退款金额":  {"企业红包退款金额", "代金券或立减优惠退款金额"},
	"公众账号ID":   {"公众账号id", "应用ID", "AppID", "appid"},
	"应结订单总金额":  {"总交易额"},
	"退款总金额":    {"总退款金额"},
	"充值券退款总金额": {"总企业红包退款金额", "总代金券或立减优惠退款金额"},
	"收支金额(元)":  {"收支金额"},
	"账户结余(元)":  {"账户结余"},
	"资金流水总笔数":  {"资金流水总条数"},
}

// readBill reads a whole bill: a header, lines of cells behind backticks, a summary header, one summary line. The
// summary must agree with the lines.
func readBill(from io.Reader, into rows) error {
	scan := bufio.NewScanner(from)
	scan.Buffer(make([]byte, 0, 4096), maxBillLine)
	next := func() (string, bool) {
		for scan.Scan() {
			if text := strings.TrimSpace(scan.Text()); text != "" {
				return text, true
			}
		}
		return "", false
	}
	broken := func(line int64, why string) error {
		if err := scan.Err(); err != nil && errors.Is(err, ErrBillBroken) {
			return err
		}
		return &BrokenBill{line, why}
	}
	text, ok := next()
	if !ok || !utf8.ValidString(text) {
		return broken(1, "没有表头")
	}
	header, err := billHeader(strings.TrimPrefix(text, "\ufeff"), into.columns())
	if err != nil {
		return broken(1, err.Error())
	}
	lines := int64(0)
	for {
		if text, ok = next(); !ok {
			return broken(lines+2, "没有汇总行")
		}
		if text[0] != '`' {
			break
		}
		lines++
		cells := billCells(text)
		if len(cells) != header[width] || !utf8.ValidString(text) {
			return broken(lines+1, "列数与表头不同")
		}
		if err := into.line(cellOf(header, cells)); errors.Is(err, errCell) {
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
		return broken(lines+3, "没有汇总数据")
	}
	if err := checkSummary(summary, billCells(text), into, lines); err != nil {
		return broken(lines+3, err.Error())
	}
	if _, more := next(); more || scan.Err() != nil {
		return broken(lines+4, "汇总之后还有内容")
	}
	return nil
}

// width stands in a header for the number of its columns.
const width = ""

// billHeader maps names, present and earlier ones, to columns. Brackets come in two widths.
func billHeader(text string, needed []string) (map[string]int, error) {
	names := strings.Split(strings.NewReplacer("（", "(", "）", ")").Replace(text), ",")
	if len(names) > maxBillColumns {
		return nil, errors.New("列数过多")
	}
	header := make(map[string]int, len(names))
	for i, name := range names {
		name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), "`"))
		if _, twice := header[name]; twice {
			return nil, errors.New("有两列同名")
		}
		header[name] = i
	}
	for name, others := range aliases {
		for _, other := range others {
			if _, known := header[name]; known {
				break
			}
			if at, given := header[other]; given {
				header[name] = at
			}
		}
	}
	for _, name := range needed {
		if _, ok := header[name]; !ok {
			return nil, errors.New("缺少列：" + name)
		}
	}
	header[width] = len(names)
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

// cellOf gives the cells of a line by column; "" where the bill has no such column.
func cellOf(header map[string]int, cells []string) func(string) string {
	return func(name string) string {
		if at, given := header[name]; given {
			return cells[at]
		}
		return ""
	}
}

func checkSummary(header map[string]int, cells []string, of rows, lines int64) error {
	if len(cells) != header[width] {
		return errors.New("汇总的列数与其表头不同")
	}
	said, err := parseCount(cells[header[of.count()]])
	if err != nil || said != lines {
		return errors.New("汇总笔数与明细不符")
	}
	for name, sum := range of.totals() {
		at, given := header[name]
		if !given {
			continue
		}
		parse := parseYuan
		switch {
		case strings.HasSuffix(name, "笔数"):
			parse = parseCount
		case strings.Contains(name, "手续费"):
			parse = parseFee
		}
		if said, err := parse(cells[at]); err != nil || said != sum {
			return errors.New("明细合计与汇总不符：" + name)
		}
	}
	return nil
}

// tradeRows reads the trade bill, in its present form and the one of 24 columns before it.
type tradeRows struct {
	each                   func(TradeLine) error
	settled, refund, total int64
	asked, back            int64
	fee                    int64 // in thousandths of a fen
}

// columns: what a form of the bill may lack is not among them.
func (*tradeRows) columns() []string {
	return []string{
		"交易时间", "微信订单号", "商户订单号", "交易状态", "应结订单金额", "微信退款单号", "商户退款单号", "退款金额", "退款状态", "手续费",
	}
}

func (*tradeRows) count() string { return "总交易单数" }

func (*tradeRows) needed() []string {
	return []string{"应结订单总金额", "退款总金额", "手续费总金额"}
}

func (r *tradeRows) totals() map[string]int64 {
	return map[string]int64{
		"应结订单总金额": r.settled, "退款总金额": r.refund, "手续费总金额": r.fee, "订单总金额": r.total, "申请退款总金额": r.asked,
		"充值券退款总金额": r.back,
	}
}

func (r *tradeRows) line(cell func(string) string) error {
	var bad cellErrors
	fee := bad.fee(cell, "手续费")
	line := TradeLine{
		At: bad.at(cell, "交易时间"), AppID: none(cell("公众账号ID")), TransactionID: cell("微信订单号"), Number: cell("商户订单号"),
		OpenID: cell("用户标识"), State: cell("交易状态"), Settled: bad.yuan(cell, "应结订单金额"), Coupon: bad.maybe(cell, "代金券金额"),
		RefundID: none(cell("微信退款单号")), RefundNumber: none(cell("商户退款单号")), Refund: bad.yuan(cell, "退款金额"),
		RefundState: cell("退款状态"), Fee: rounded(fee), Total: bad.maybe(cell, "订单金额"), Asked: bad.maybe(cell, "申请退款金额"),
	}
	back := bad.maybe(cell, "充值券退款金额")
	if line.TransactionID == "" || line.Number == "" || line.State == "" {
		bad.note("微信订单号")
	}
	if bad.err != nil {
		return bad.err
	}
	r.settled, r.refund, r.back = r.settled+int64(line.Settled), r.refund+int64(line.Refund), r.back+int64(back)
	r.fee, r.total, r.asked = r.fee+fee, r.total+int64(line.Total), r.asked+int64(line.Asked)
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

// maybe reads an amount that a form of the bill may lack or leave blank.
func (c *cellErrors) maybe(cell func(string) string, name string) money.Fen {
	if cell(name) == "" {
		return 0
	}
	return c.yuan(cell, name)
}

func (c *cellErrors) fee(cell func(string) string, name string) int64 {
	fee, err := parseFee(cell(name))
	if err != nil {
		c.note(name)
	}
	return fee
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
func parseYuan(text string) (int64, error) { return parseDecimal(text, 2) }

// parseFee reads a fee in thousandths of a fen: fees are written with five decimals.
func parseFee(text string) (int64, error) { return parseDecimal(text, 5) }

// rounded is a fee in fen, a half away from nothing.
func rounded(fee int64) money.Fen {
	if fee < 0 {
		return -rounded(-fee)
	}
	return money.Fen((fee + 500) / 1000)
}

// parseDecimal reads a decimal number with so many places, behind which there may be zeros only.
func parseDecimal(text string, places int) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, point := strings.Cut(digits, ".")
	padded := part + strings.Repeat("0", places)
	if whole == "" || len(whole) > maxYuanDigits || point && part == "" || len(part) > 10 ||
		strings.Trim(padded[places:], "0") != "" {
		return 0, errCell
	}
	n := int64(0)
	for _, c := range []byte(whole + padded[:places]) {
		if c < '0' || c > '9' {
			return 0, errCell
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, nil
}

// parseCount reads a number of lines: some bills write 1.0 for 1.
func parseCount(text string) (int64, error) {
	n, err := parseDecimal(text, 0)
	if err != nil || n < 0 {
		return 0, errCell
	}
	return n, nil
}
