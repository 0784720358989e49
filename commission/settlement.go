package commission

import (
	"slices"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Settlement is the one document that decides what happens to an order's commission after the accrual; id = order. It is
// made by the receipt or by the first refund, whichever comes first; an order that has neither has none.
//
// It is always written before the entries it decides on, and holds everything they follow from: an entry is a pure
// function of the accrual and of what is recorded here. So whoever repeats the work after a crash writes the same
// entries under the same ids, and two who do it at once cannot disagree.
//
// A refund may arrive before the accrual. It is recorded all the same; Accrue looks for this document after it has
// written the accrual, and ClawBack looks for the accrual after it has written this document. One of them sees the other.
type Settlement struct {
	docstore.Doc `bson:",inline"`
	Received     time.Time        `bson:"received,omitempty"`
	WindowEnds   time.Time        `bson:"window_ends,omitempty"` // of the order's own after-sale window; no line is due before
	Due          time.Time        `bson:"due,omitempty"`         // when the next line may settle; absent when none waits
	Lines        []SettlementLine `bson:"lines"`
	Refunds      []refundRecord   `bson:"refunds,omitempty"`
	Steps        []settleStep     `bson:"steps,omitempty"`
	Holds        []lineHold       `bson:"holds,omitempty"`
}

// lineHold keeps lines from settling while an after-sale case of theirs is open. An ended one stays: should the word
// that it was opened come later, nothing is held any more.
type lineHold struct {
	Refund string `bson:"refund"`
	Lines  []int  `bson:"lines,omitempty"`
	Ended  bool   `bson:"ended,omitempty"`
}

// SettlementLine is the state of one line.
type SettlementLine struct {
	Line     int       `bson:"line"`
	Paid     money.Fen `bson:"paid"`
	Refunded money.Fen `bson:"refunded"`      // cumulative
	Due      time.Time `bson:"due,omitempty"` // receipt + window; zero while not received or not accrued
	Settled  bool      `bson:"settled"`
}

// refundRecord is one refund as it was judged when it arrived.
type refundRecord struct {
	Number string         `bson:"number"`
	At     time.Time      `bson:"at"`
	Asked  []refundedLine `bson:"asked"` // as it was told, to recognise a repetition
	Lines  []refundedLine `bson:"lines"` // what it moved
}

type refundedLine struct {
	Line    int       `bson:"line"`
	From    money.Fen `bson:"from"`
	To      money.Fen `bson:"to"`
	Paid    money.Fen `bson:"paid"`
	Settled bool      `bson:"settled"`
}

// settleStep is one settlement of one or more lines.
type settleStep struct {
	At    time.Time     `bson:"at"`
	Whole bool          `bson:"whole"` // all lines of the order at once
	Lines []settledLine `bson:"lines"`
}

type settledLine struct {
	Line     int       `bson:"line"`
	Refunded money.Fen `bson:"refunded"` // when it settled
}

func (s *Settlement) line(number int) *SettlementLine {
	i := slices.IndexFunc(s.Lines, func(l SettlementLine) bool { return l.Line == number })
	if i < 0 {
		return nil
	}
	return &s.Lines[i]
}

// adopt learns the accrued lines; it is harmless to repeat. A refund that came before the accrual is checked against it
// here: ErrRefundForeign.
func (s *Settlement) adopt(accrual *Entry, config *Config) error {
	for _, l := range s.Lines {
		if !sold(accrual, l.Line, l.Paid) {
			return ErrRefundForeign
		}
	}
	for _, l := range accrual.Lines {
		mine := s.line(l.Line)
		if mine == nil {
			s.Lines = append(s.Lines, SettlementLine{Line: l.Line, Paid: l.Paid})
			mine = &s.Lines[len(s.Lines)-1]
		}
		if mine.Due.IsZero() && !s.Received.IsZero() {
			if mine.Due = s.Received.Add(config.window(l.Category)); mine.Due.Before(s.WindowEnds) {
				mine.Due = s.WindowEnds
			}
		}
	}
	s.plan()
	return nil
}

// receive starts the window. The first receipt counts.
func (s *Settlement) receive(at, windowEnds time.Time) {
	if s.Received.IsZero() {
		s.Received, s.WindowEnds = at, windowEnds
	}
}

// HeldBy gives the number of the refund whose open after-sale case keeps a line from settling; "" when there is none.
func (s *Settlement) HeldBy(line int) string {
	for i := range s.Holds {
		if h := &s.Holds[i]; !h.Ended && slices.Contains(h.Lines, line) {
			return h.Refund
		}
	}
	return ""
}

// hold keeps lines from settling until the refund's case ends. A case that is known changes nothing: also when it has
// ended, or the refund was already done.
func (s *Settlement) hold(refund string, lines []int) error {
	known := func(h lineHold) bool { return h.Refund == refund }
	done := func(r refundRecord) bool { return r.Number == refund }
	if slices.ContainsFunc(s.Holds, known) || slices.ContainsFunc(s.Refunds, done) {
		return nil
	}
	if len(s.Holds) >= MaxRefunds {
		return ErrRefundMany
	}
	s.Holds = append(s.Holds, lineHold{Refund: refund, Lines: lines})
	s.plan()
	return nil
}

// release ends a refund's case. One that was never opened is remembered as ended.
func (s *Settlement) release(refund string) error {
	for i := range s.Holds {
		if s.Holds[i].Refund == refund {
			s.Holds[i].Ended = true
			s.plan()
			return nil
		}
	}
	if len(s.Holds) >= MaxRefunds {
		return ErrRefundMany
	}
	s.Holds = append(s.Holds, lineHold{Refund: refund, Ended: true})
	return nil
}

// plan sets Due to the earliest line that waits. Lines with an open after-sale case wait for its end, not for a time.
func (s *Settlement) plan() {
	s.Due = time.Time{}
	for _, l := range s.Lines {
		if !l.Settled && !l.Due.IsZero() && s.HeldBy(l.Line) == "" && (s.Due.IsZero() || l.Due.Before(s.Due)) {
			s.Due = l.Due
		}
	}
}

// refund records a refund. A repetition changes nothing; the same number with another content is refused. Amounts are
// cumulative, so a refund that arrives after a later one moves nothing.
func (s *Settlement) refund(r Refund, accrual *Entry) error {
	asked := make([]refundedLine, len(r.Lines))
	for i, l := range r.Lines {
		asked[i] = refundedLine{Line: l.Line, To: l.Refunded, Paid: l.Paid}
	}
	for _, known := range s.Refunds {
		if known.Number == r.Number {
			if !slices.Equal(known.Asked, asked) {
				return ErrRefundReused
			}
			return nil
		}
	}
	if len(s.Refunds) >= MaxRefunds {
		return ErrRefundMany
	}
	record := refundRecord{Number: r.Number, At: r.At, Asked: asked}
	for _, l := range r.Lines {
		if accrual != nil && !sold(accrual, l.Line, l.Paid) {
			return ErrRefundForeign
		}
		mine := s.line(l.Line)
		if mine == nil {
			s.Lines = append(s.Lines, SettlementLine{Line: l.Line, Paid: l.Paid})
			mine = &s.Lines[len(s.Lines)-1]
		}
		if mine.Paid != l.Paid {
			return ErrRefundForeign
		}
		if l.Refunded > mine.Refunded {
			record.Lines = append(record.Lines, refundedLine{l.Line, mine.Refunded, l.Refunded, l.Paid, mine.Settled})
			mine.Refunded = l.Refunded
		}
	}
	s.Refunds = append(s.Refunds, record)
	for i := range s.Holds {
		s.Holds[i].Ended = s.Holds[i].Ended || s.Holds[i].Refund == r.Number // its money is back: the case is over
	}
	s.plan()
	return nil
}

// settle records that the lines due at the given time are settled.
func (s *Settlement) settle(now time.Time) {
	step := settleStep{At: now}
	for i := range s.Lines {
		l := &s.Lines[i]
		if l.Settled || l.Due.IsZero() || l.Due.After(now) || s.HeldBy(l.Line) != "" {
			continue
		}
		l.Settled = true
		step.Lines = append(step.Lines, settledLine{l.Line, l.Refunded})
	}
	if len(step.Lines) == 0 {
		return
	}
	step.Whole = len(step.Lines) == len(s.Lines)
	s.Steps = append(s.Steps, step)
	s.plan()
}

// sold tells whether the sale had this line at this price.
func sold(e *Entry, line int, paid money.Fen) bool {
	return slices.ContainsFunc(e.Lines, func(l SaleLine) bool { return l.Line == line && l.Paid == paid })
}

// entries derives every entry this settlement decides on. Those without postings do not exist.
func (s *Settlement) entries(accrual *Entry) []*Entry {
	var all []*Entry
	for i := range s.Refunds {
		if e := clawBackEntry(accrual, &s.Refunds[i]); len(e.Postings) > 0 {
			all = append(all, e)
		}
	}
	return append(all, s.settled(accrual)...)
}

// settled derives the settle entries.
func (s *Settlement) settled(accrual *Entry) []*Entry {
	var all []*Entry
	for i := range s.Steps {
		if e := settleEntry(accrual, &s.Steps[i]); len(e.Postings) > 0 {
			all = append(all, e)
		}
	}
	return all
}

// child begins an entry that follows from an accrual.
func child(e *Entry, kind Kind, id string, at time.Time) *Entry {
	return &Entry{ID: id, Book: e.Book, Kind: kind, Order: e.Order, At: at, Rooted: e.Seal != 0}
}

// clawBackEntry takes back from every beneficiary of the refunded lines the same share the buyer got back. Shares are
// cumulative and rounded toward zero, so the pieces of a line refunded in any number of parts end at exactly all of it.
func clawBackEntry(accrual *Entry, r *refundRecord) *Entry {
	e := child(accrual, ClawBack, book.ClawBackID(accrual.Order, r.Number), r.At)
	e.Refund = r.Number
	var taken []Posting
	for _, l := range r.Lines {
		e.Refunded = append(e.Refunded, RefundedLine(l))
		pot := Pending
		if l.Settled {
			pot = Available
		}
		for i := range accrual.Postings {
			p := &accrual.Postings[i]
			member, _, ok := p.Account.Member()
			if !ok || p.Line != l.Line {
				continue
			}
			amount := book.Kept(p.Amount, l.From, l.Paid) - book.Kept(p.Amount, l.To, l.Paid)
			if amount != 0 {
				taken = append(taken, Posting{Account: pot.Of(member), Amount: -amount, Line: p.Line, Role: p.Role})
			}
		}
	}
	e.Postings = policy.AtExpense(taken)
	return e
}

// settleEntry moves what remains of the settled lines from pending to available.
func settleEntry(accrual *Entry, step *settleStep) *Entry {
	line := 0
	if !step.Whole {
		line = step.Lines[0].Line
	}
	e := child(accrual, Settle, book.SettleID(accrual.Order, line), step.At)
	for _, l := range step.Lines {
		for i := range accrual.Postings {
			p := &accrual.Postings[i]
			member, _, ok := p.Account.Member()
			if !ok || p.Line != l.Line {
				continue
			}
			if amount := book.Kept(p.Amount, l.Refunded, paidFor(accrual, l.Line)); amount != 0 {
				e.Postings = append(e.Postings,
					Posting{Account: Pending.Of(member), Amount: -amount, Line: p.Line, Role: p.Role},
					Posting{Account: Available.Of(member), Amount: amount, Line: p.Line, Role: p.Role})
			}
		}
	}
	return e
}

func paidFor(e *Entry, line int) money.Fen {
	for _, l := range e.Lines {
		if l.Line == line {
			return l.Paid
		}
	}
	return 0
}
