package reconcile

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// Statement is a kind of bill.
type Statement string

// The statements of a day.
const (
	Trade     Statement = "trade"     // payments and refunds
	Funds     Statement = "funds"     // what moved the merchant's basic account
	Operation Statement = "operation" // what moved the operation account: transfers may be paid from it
	Fees      Statement = "fees"      // what moved the account that fees are taken from
)

// Statements lists them all.
func Statements() []Statement { return []Statement{Trade, Funds, Operation, Fees} }

// home is the statement in whose run a movement is missed, and under whose name strays are kept: our books do not know
// which of its accounts the platform took a movement from.
func (s Statement) home() Statement {
	if s == Trade {
		return Trade
	}
	return Funds
}

// Movement is what a line is about.
type Movement string

// The movements.
const (
	Payment  Movement = "payment"
	Refund   Movement = "refund"
	Transfer Movement = "transfer" // to a member's wallet
	Fee      Movement = "fee"      // what the platform keeps; summed, not matched
	Other    Movement = "other"    // nothing we know of
)

// matched tells whether a movement is looked for in our books.
func (m Movement) matched() bool { return m == Payment || m == Refund || m == Transfer }

// moves are the movements our books are asked for.
func (s Statement) moves() []Movement {
	switch s {
	case Trade:
		return []Movement{Payment, Refund}
	case Funds:
		return []Movement{Payment, Refund, Transfer}
	}
	return nil // what the basic account does not have is looked for in the others, in the run of Funds
}

func (s Statement) valid() bool { return slices.Contains(Statements(), s) }

// TradeLine is one row of the trade bill. Amounts are positive for either direction.
type TradeLine struct {
	At            time.Time
	App           string // 公众账号ID; "" when the bill does not say
	State         string // 交易状态: SUCCESS, REFUND or REVOKED
	Number        string // 商户订单号
	TransactionID string // 微信订单号
	RefundNumber  string // 商户退款单号; refunds only
	RefundID      string // 微信退款单号; refunds only
	RefundState   string // 退款状态: SUCCESS, PROCESSING, FAIL, CHANGE; refunds only
	Amount        money.Fen
	// Amount is 订单金额 of a payment and 申请退款金额 of a refund: what our books call the amount, coupons of the
	// platform included.
	Settled money.Fen // 应结订单金额 or 退款金额: less coupons that are not prefunded; 0 = as Amount
	Coupon  money.Fen // 代金券金额
	Fee     money.Fen // 手续费; negative when it is given back
}

// FundLine is one row of the fund-flow bill.
type FundLine struct {
	At       time.Time
	Platform string // 微信支付业务单号
	Flow     string // 资金流水单号
	Name     string // 业务名称
	Type     string // 业务类型
	In       bool   // 收支类型 is 收入
	Amount   money.Fen
	Number   string // 业务凭证号: the number we gave it
	Note     string // 备注
}

// Totals are what a bill sums up in its last row, or what we summed up ourselves.
type Totals struct {
	Lines int64     `bson:"lines"`
	In    money.Fen `bson:"in"`  // trade: 订单总金额; funds: 收入金额
	Out   money.Fen `bson:"out"` // trade: 申请退款总金额; funds: 支出金额
	Fee   money.Fen `bson:"fee"` // trade: 手续费总金额; funds: 0
}

func (t *Totals) add(l Line) {
	t.Lines++
	if l.In {
		t.In += l.Amount
	} else {
		t.Out += l.Amount
	}
	if l.Flow == "" { // a fund bill's fees are rows of their own
		t.Fee += l.Fee
	}
}

// LineState is how far a line's movement is, as the bill says.
type LineState string

// The states of a line.
const (
	LineDone   LineState = "done"
	LineOpen   LineState = "open"
	LineFailed LineState = "failed"
	LineStuck  LineState = "stuck" // a refund that could not go back to where it came from
)

// Line is a row of either bill in our words: what is compared, kept and shown.
type Line struct {
	Row      int64     `bson:"row"` // counts from 1
	Move     Movement  `bson:"move"`
	State    LineState `bson:"state"`
	In       bool      `bson:"in,omitempty"`
	Number   string    `bson:"number"`             // the number we gave it
	Platform string    `bson:"platform,omitempty"` // the platform's number of the payment, refund or transfer
	Flow     string    `bson:"flow,omitempty"`     // of the fund-flow bill
	Order    string    `bson:"order,omitempty"`    // of the trade bill: the order's number
	Amount   money.Fen `bson:"amount"`
	Fee      money.Fen `bson:"fee,omitempty"`
	At       time.Time `bson:"at"`
	Words    string    `bson:"words,omitempty"`   // how the bill calls it
	Settled  money.Fen `bson:"settled,omitempty"` // what moves on the account, when that is not Amount; of a fund line: what its remark says was refunded
	Coupon   money.Fen `bson:"coupon,omitempty"`
	App      string    `bson:"app,omitempty"` // the program it belongs to, when it is none of ours
}

// settled is what the line moves on the merchant's account.
func (l *Line) settled() money.Fen {
	if l.Settled != 0 {
		return l.Settled
	}
	return l.Amount
}

func (l TradeLine) line(row int64) Line {
	out := Line{
		Row: row, Move: Payment, State: LineDone, In: true, Number: l.Number, Platform: l.TransactionID, Order: l.Number,
		Amount: l.Amount, Fee: l.Fee, At: clock.Milli(l.At), Words: l.State, Coupon: l.Coupon, App: l.App,
	}
	if l.Settled != l.Amount {
		out.Settled = l.Settled
	}
	switch l.State {
	case "SUCCESS":
	case "REFUND", "REVOKED":
		out.Move, out.In, out.Number, out.Platform = Refund, false, l.RefundNumber, l.RefundID
		out.State, out.Words = refundState(l.RefundState), l.State+" "+l.RefundState
		if out.Number == "" {
			out.Number = l.Number
		}
	default:
		out.Move = Other
	}
	return out
}

func refundState(said string) LineState {
	switch said {
	case "SUCCESS", "":
		return LineDone
	case "FAIL", "CLOSED":
		return LineFailed
	case "CHANGE": // could not go back to the card, the merchant has to act
		return LineStuck
	}
	return LineOpen // PROCESSING
}

// business says which movement a name in the fund-flow bill stands for, and its direction.
type business struct {
	move Movement
	in   bool
}

// businesses are the names in the fund-flow bill that our books know. Fees may be taken and given back.
var businesses = map[string]business{
	"交易":      {Payment, true},
	"退款":      {Refund, false},
	"商家转账":    {Transfer, false},
	"商家转账到零钱": {Transfer, false},
	"商家转账至零钱": {Transfer, false},
	"企业付款":    {Transfer, false},
	"企业付款到零钱": {Transfer, false},
	"转账":      {Transfer, false},
	"分账":      {Transfer, false}, // a withdrawal paid out by profit sharing carries its number too
}

// feeWords stand in the 业务类型, or 业务名称, of what the platform keeps for a payment or gives back with a refund.
const feeWords = "手续费"

// Expected are the movements that are the brand's own business, unless Config.Expected says otherwise.
func Expected() []string {
	return []string{"充值", "提现", "商户提现", "结算", "服务费", "平台服务费", "技术服务费", "账户间转账", "运营账户充值", "手续费账户充值"}
}

// isExpected reports whether a movement is one that Config.Expected names: by its 业务名称, its 业务类型, or both.
func isExpected(names []string, l *Line) bool {
	name, kind, _ := strings.Cut(l.Words, " ")
	return slices.Contains(names, name) || slices.Contains(names, kind) || slices.Contains(names, l.Words)
}

// The remark of a refund that says how its amount came about.
var (
	refundTotal = regexp.MustCompile(`退款总金额(\d{1,12}\.\d{2})元`)
	refundFee   = regexp.MustCompile(`含手续费(\d{1,12}\.\d{2})元`)
)

func noted(pattern *regexp.Regexp, note string) money.Fen {
	found := pattern.FindStringSubmatch(note)
	if found == nil {
		return 0
	}
	amount, err := money.ParseYuan(found[1])
	if err != nil {
		return 0
	}
	return amount
}

func (l FundLine) line(row int64) Line {
	out := Line{
		Row: row, Move: Other, State: LineDone, In: l.In, Number: l.Number, Platform: l.Platform, Flow: l.Flow,
		Amount: l.Amount, At: clock.Milli(l.At), Words: strings.TrimSpace(l.Name + " " + l.Type),
	}
	if strings.Contains(l.Type, feeWords) || l.Type == "" && strings.Contains(l.Name, feeWords) {
		if !strings.Contains(l.Type+l.Name, "充值") {
			out.Move = Fee
		}
		return out
	}
	for _, name := range []string{l.Type, l.Name} {
		if known, ok := businesses[name]; ok && known.in == l.In {
			out.Move = known.move
			break
		}
	}
	if out.Move == Refund {
		out.Settled, out.Fee = noted(refundTotal, l.Note), noted(refundFee, l.Note)
	}
	return out
}

// span is the business day as moments.
func span(day string) (from, to time.Time, err error) {
	from, err = time.ParseInLocation(time.DateOnly, day, clock.Shanghai())
	if err != nil {
		return from, to, ErrDay.Because(err)
	}
	return from.UTC(), from.AddDate(0, 0, 1).UTC(), nil
}
