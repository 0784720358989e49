package commission

import (
	"strconv"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/money"
)

// Refund says how far the lines of an order have been refunded. Amounts are cumulative: what has been given back
// for that line so far, this refund included. That makes claw-backs independent of the order of arrival.
type Refund struct {
	Order  string
	Number string // the refund's own number
	At     time.Time
	Lines  []RefundLine
}

// RefundLine is the state of one line after the refund.
type RefundLine struct {
	Line     int
	Refunded money.Fen // cumulative, 0 < Refunded <= Paid
	Paid     money.Fen // what the buyer paid for the line
}

func (r Refund) check() error {
	f := ErrRefundInvalid
	if !book.Named(r.Order) {
		f = f.With("order", "订单号不正确 / not an order id")
	}
	if !book.Named(r.Number) {
		f = f.With("number", "退款单号不正确 / not a refund number")
	}
	if r.At.IsZero() {
		f = f.With("at", "缺少退款时间 / the refund time is missing")
	}
	if len(r.Lines) == 0 || len(r.Lines) > MaxLines {
		f = f.With("lines", "行数须在 1 到 100 之间 / 1 to 100 lines")
	}
	seen := map[int]bool{}
	for i, l := range r.Lines {
		if l.Line < 1 || l.Line > book.MaxLine || l.Refunded <= 0 || l.Refunded > l.Paid || l.Paid > money.Max || seen[l.Line] {
			f = f.With("lines["+strconv.Itoa(i)+"]", "退款行不正确 / the refunded line is not valid")
		}
		seen[l.Line] = true
	}
	if len(f.Fields) > 0 {
		return f
	}
	return nil
}

// without leaves away what a stored accrual does not tell although the sale does, and says whether there was any.
// Releases before these facts were told wrote accruals without them.
func without(s *Sale, stored *Entry) (any bool) {
	for _, fact := range []struct {
		told   *string
		stored string
	}{
		{&s.Buyer, stored.Buyer}, {&s.Community, stored.Community}, {&s.Grade, stored.Grade}, {&s.HelpSeller, stored.HelpSeller}, {&s.Staff, stored.Staff},
	} {
		if *fact.told != "" && fact.stored == "" {
			*fact.told, any = "", true
		}
	}
	if s.Digest != "" && stored.Note(NoteDigest) == "" {
		s.Digest, any = "", true
	}
	return any
}
