package order

import (
	"strconv"
	"strings"
	"time"

	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order/authority"
)

// MaxRefunds is how many refunds of one order the platform accepts, those it gave up included. Only what was or will be
// sent to it counts: a refused request does not. The last one is kept for everything that is left.
const MaxRefunds = 50

// MaxCases bounds the refunds kept on an order, requests that were refused included; the brand may go to twice that, and
// what the system has to return is never bounded.
const MaxCases = 200

// Desk is who answers a request.
type Desk string

// The desks.
const (
	DeskHost  Desk = "" // until Refund.DecideBy
	DeskBrand Desk = "brand"
)

// Refund is money going back, whole or in part. It lives inside its order, so that refunds ≤ payment is one
// document's business.
type Refund struct {
	Number   string       `bson:"number"` // <order id>r<n>, n from 1: the platform's refund number
	Key      string       `bson:"key"`    // derived from who asked and the idempotency key
	Content  string       `bson:"content"`
	By       Asker        `bson:"by"`
	Stage    RefundStage  `bson:"stage"`
	Lines    []RefundPart `bson:"lines"`
	Amount   money.Fen    `bson:"amount"`
	Reason   string       `bson:"reason"`
	Restock  bool         `bson:"restock,omitempty"` // the goods never left: sell them again
	AskedAt  time.Time    `bson:"asked_at"`
	StageAt  time.Time    `bson:"stage_at,omitempty"` // when it came into its stage
	DoneAt   time.Time    `bson:"done_at,omitempty"`
	RefundID string       `bson:"refund,omitempty"`   // the platform's own number
	Replaces string       `bson:"replaces,omitempty"` // the closed number this one follows
	Problem  string       `bson:"problem,omitempty"`  // code of the platform's refusal, or the host's words
	Tries    int          `bson:"tries,omitempty"`    // questions to the platform so far
	NextAt   time.Time    `bson:"next_at,omitempty"`  // when to ask again
	SentAt   time.Time    `bson:"sent_at,omitempty"`  // its turn at the platform, which wants a minute between two of one order

	Desk       Desk            `bson:"desk,omitempty"`
	Why        []authority.Why `bson:"why,omitempty"`       // why the brand decides
	DecideBy   time.Time       `bson:"decide_by,omitempty"` // the host's time is over then
	BrandAt    time.Time       `bson:"brand_at,omitempty"`  // since when it waits for the brand
	Endorsed   bool            `bson:"endorsed,omitempty"`  // the host would let it go
	OnWord     bool            `bson:"on_word,omitempty"`   // it went on the host's word
	Voices     []string        `bson:"voices,omitempty"`    // operators who let it go
	DecidedBy  string          `bson:"decided_by,omitempty"`
	NotArrived bool            `bson:"not_arrived,omitempty"` // the buyer says that nothing came
}

// RefundPart is what a refund takes of one line.
type RefundPart struct {
	Line   int       `bson:"line"` // counts from 1
	Units  int64     `bson:"units"`
	Amount money.Fen `bson:"amount"`
}

// Asker is who asked for a refund.
type Asker string

// The askers.
const (
	ByMember Asker = "member"
	ByHost   Asker = "host"
	ByBrand  Asker = "brand"
	BySystem Asker = "system" // campaign failed, oversold, paid after the close
)

// refundNumber is the number of the n-th refund of an order.
func refundNumber(order string, n int) string { return order + "r" + strconv.Itoa(n) }

const maxNumber = 99_999

// orderOf finds the order of a refund number; "" when it is none of ours.
func orderOf(number string) string {
	if len(number) <= id.Length || number[id.Length] != 'r' {
		return ""
	}
	n, err := strconv.Atoi(number[id.Length+1:])
	if err != nil || n < 1 || n > maxNumber || strings.HasPrefix(number[id.Length+1:], "0") {
		return ""
	}
	return number[:id.Length]
}

// refund finds a refund by number, or nil. The pointer is good until the next append.
func (o *Order) refund(number string) *Refund {
	for i := range o.Refunds {
		if o.Refunds[i].Number == number {
			return &o.Refunds[i]
		}
	}
	return nil
}

// refundByKey finds the newest refund made under a key, or nil.
func (o *Order) refundByKey(key string) *Refund {
	for i := len(o.Refunds) - 1; i >= 0; i-- {
		if o.Refunds[i].Key == key {
			return &o.Refunds[i]
		}
	}
	return nil
}

// taken sums what the refunds in the given stages take of a line.
func (o *Order) taken(line int, in func(RefundStage) bool) (units int64, amount money.Fen) {
	for i := range o.Refunds {
		if !in(o.Refunds[i].Stage) {
			continue
		}
		for _, part := range o.Refunds[i].Lines {
			if part.Line == line {
				units, amount = units+part.Units, amount+part.Amount
			}
		}
	}
	return units, amount
}

// returned is what is back already of a line.
func (o *Order) returned(line int) (int64, money.Fen) {
	return o.taken(line, func(s RefundStage) bool { return s == StageDone })
}

// Returned is the sum the platform has given back so far.
func (o *Order) Returned() money.Fen {
	total := money.Fen(0)
	for i := range o.Refunds {
		if o.Refunds[i].Stage == StageDone {
			total += o.Refunds[i].Amount
		}
	}
	return total
}

// RefundLine asks for units of one line back.
type RefundLine struct {
	Line  int // counts from 1
	Units int64
}

// parts turns a wish into priced parts; an empty wish is everything that is left. Errors: ErrRefundLines,
// ErrRefundTooMuch.
func (o *Order) parts(wish []RefundLine) ([]RefundPart, error) {
	if len(wish) == 0 {
		for i, l := range o.Lines {
			units, _ := o.taken(i+1, RefundStage.claims)
			if left := l.Units - units; left > 0 {
				wish = append(wish, RefundLine{Line: i + 1, Units: left})
			}
		}
		if len(wish) == 0 {
			return nil, ErrRefundTooMuch
		}
	}
	parts, seen := make([]RefundPart, 0, len(wish)), make(map[int]bool, len(wish))
	for i, w := range wish {
		field := "lines[" + strconv.Itoa(i) + "]"
		if w.Line < 1 || w.Line > len(o.Lines) || seen[w.Line] {
			return nil, ErrRefundLines.With(field+".line", "没有这一行或重复 / no such line, or named twice")
		}
		if w.Units < 1 || w.Units > MaxUnits {
			return nil, ErrRefundLines.With(field+".units", "数量必须为正 / units must be positive")
		}
		seen[w.Line] = true
		part, err := o.part(w)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// part prices one wish by cumulative shares: taking the last unit of a line always ends at exactly what was
// paid for it.
func (o *Order) part(w RefundLine) (RefundPart, error) {
	line := o.Lines[w.Line-1]
	units, amount := o.taken(w.Line, RefundStage.claims)
	if w.Units > line.Units-units {
		return RefundPart{}, ErrRefundTooMuch
	}
	// A refused refund may have left the sum a fen above the share; the piece is then nothing, not negative.
	due := max(0, line.Paid.Share(money.Fen(units+w.Units), money.Fen(line.Units))-amount)
	return RefundPart{Line: w.Line, Units: w.Units, Amount: due}, nil
}

// room tells whether one more refund may be kept, and sent if it is to be sent. Errors: ErrRefundLimit.
func (o *Order) room(r *Refund, kept int) error {
	most := MaxCases
	switch {
	case r.By == BySystem || r.Replaces != "":
		return nil
	case r.By == ByBrand:
		most *= 2
	}
	if kept > most {
		return ErrRefundLimit
	}
	if r.Stage == StageAsked {
		return o.slot(r)
	}
	return nil
}

// slot tells whether the platform will take one more refund. Errors: ErrRefundLimit.
func (o *Order) slot(r *Refund) error {
	sent := 0
	for i := range o.Refunds {
		if other := &o.Refunds[i]; other.Number != r.Number && other.Amount > 0 && other.Stage.sent() {
			sent++
		}
	}
	if sent < MaxRefunds-1 || r.By == BySystem || sent == MaxRefunds-1 && o.takesAll(r) {
		return nil
	}
	return ErrRefundLimit
}

// takesAll tells whether with this refund every unit is going back.
func (o *Order) takesAll(r *Refund) bool {
	for i, l := range o.Lines {
		units, _ := o.taken(i+1, RefundStage.goes)
		for _, part := range r.Lines {
			if part.Line == i+1 && (r.Number == "" || !r.Stage.goes()) {
				units += part.Units
			}
		}
		if units < l.Units {
			return false
		}
	}
	return true
}

// addRefund appends a refund and, when it is to be sent at once, asks for that. Errors: ErrRefundLimit.
func (o *Order) addRefund(r Refund, now time.Time) error {
	r.Amount = worth(r.Lines)
	if err := o.room(&r, len(o.Refunds)+1); err != nil {
		return err
	}
	r.Number, r.AskedAt = refundNumber(o.ID, len(o.Refunds)+1), now
	o.Refunds = append(o.Refunds, r)
	o.opened(&r)
	if r.Stage == StageAsked {
		return o.goRefund(r.Number, now)
	}
	return nil
}

func worth(parts []RefundPart) (sum money.Fen) {
	for _, part := range parts {
		sum += part.Amount
	}
	return sum
}

// goRefund starts a refund that needs nobody's word any more.
func (o *Order) goRefund(number string, now time.Time) error {
	r := o.refund(number)
	if o.allGoing() && o.State != StateRefunding {
		by := byWholeRefund
		if o.State == StateClosed {
			by = byLatePayment
		}
		if err := o.move(by); err != nil {
			return err
		}
	}
	if r.Amount == 0 { // a gift: nothing to send
		r.step(StageDone)
		return o.finishRefund(r, now)
	}
	r.NextAt = now.Add(refundDelay(0))
	o.Emit(EventRefundAsked, RefundAsked{Order: o.ID, Refund: r.Number, Amount: r.Amount})
	return nil
}

// allGoing tells whether every unit is going back or is back.
func (o *Order) allGoing() bool {
	for i, l := range o.Lines {
		if units, _ := o.taken(i+1, RefundStage.goes); units < l.Units {
			return false
		}
	}
	return true
}

// finishRefund tells the others about money that is back.
func (o *Order) finishRefund(r *Refund, at time.Time) error {
	r.DoneAt, r.NextAt = at, time.Time{}
	if o.Payment.Late {
		o.Emit(EventLateReturned, LateReturned{
			Order: o.ID, Member: o.Member, Refund: r.Number, Amount: r.Amount, DoneAt: at,
		})
	} else {
		o.Emit(EventRefunded, o.refunded(r))
		o.ended(r, AfterSaleDone, "", at)
	}
	if o.State == StateRefunding && o.allDone() {
		return o.move(byFullyReturned)
	}
	return nil
}

// opened tells that a refund of a sale was asked for.
func (o *Order) opened(r *Refund) {
	if o.Payment.Late {
		return // nothing was sold
	}
	o.Emit(EventOpened, AfterSaleOpened{Order: o.ID, Refund: r.Number, Lines: r.touches(), At: r.AskedAt})
}

// ended tells that a refund's case is over.
func (o *Order) ended(r *Refund, why, next string, at time.Time) {
	if o.Payment.Late {
		return
	}
	o.Emit(EventEnded, AfterSaleEnded{
		Order: o.ID, Refund: r.Number, Why: why, Next: next, Lines: r.touches(), At: at,
	})
}

// touches lists the lines a refund takes from.
func (r *Refund) touches() []int {
	lines := make([]int, len(r.Lines))
	for i, part := range r.Lines {
		lines[i] = part.Line
	}
	return lines
}

func (o *Order) allDone() bool {
	for i, l := range o.Lines {
		if units, _ := o.returned(i + 1); units < l.Units {
			return false
		}
	}
	return true
}

func (o *Order) refunded(r *Refund) Refunded {
	e := Refunded{
		Order: o.ID, Member: o.Member, Campaign: o.Campaign, Community: o.Community, Host: o.Host,
		Refund: r.Number, Amount: r.Amount, Total: o.Returned(), Paid: o.Amount, Whole: o.allDone(),
		Restock: r.Restock, Referral: o.Referral, Reason: r.Reason, DoneAt: r.DoneAt,
		Lines: make([]RefundedLine, len(r.Lines)),
	}
	for i, part := range r.Lines {
		line := o.Lines[part.Line-1]
		units, amount := o.returned(part.Line)
		e.Lines[i] = RefundedLine{
			Line: part.Line, SKU: line.SKU, Product: line.Product, Category: line.Category,
			Units: part.Units, Amount: part.Amount, TotalUnits: units, TotalAmount: amount,
			SoldUnits: line.Units, Paid: line.Paid,
		}
	}
	return e
}
