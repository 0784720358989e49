package tax

import (
	"math/bits"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// Payment is one payment to one person, as the withdrawal keeps it.
type Payment struct {
	Number     string // of the withdrawal
	Kind       Kind
	At         time.Time // when the money was paid
	Gross, Tax money.Fen // Tax is the part of Gross that was withheld
	Table      int       // the number of the table it was computed with; 0 = none was published
	Entries    []string  // ids of the ledger entries it consists of

	ReturnedAt    time.Time // when the money came back, tax included; zero = never
	ReturnEntries []string
}

// Total is a sum of payments.
type Total struct {
	Gross money.Fen `bson:"gross"`
	Tax   money.Fen `bson:"tax"`
}

// History is what was paid to one person before the payment in question, in the business year and month of it. Payments
// that came back do not count, as if they had never been made; what was withheld too much or too little because of them
// is levelled by the next payment.
type History struct {
	Year   Total `bson:"year"`
	Month  Total `bson:"month"`
	Earned int   `bson:"earned"` // the months with a payment, one bit each: January is bit 0
}

// HistoryOf sums the payments of the business year and month of at. Payments of other years do not count; the order
// of the list does not matter.
func HistoryOf(payments []Payment, at time.Time) History {
	year, month := businessMonth(at)
	h := History{}
	for i := range payments {
		p := &payments[i]
		y, m := businessMonth(p.At)
		if y != year || !p.ReturnedAt.IsZero() {
			continue
		}
		h.Year.add(p.Gross, p.Tax)
		h.Earned |= 1 << (m - 1)
		if m == month {
			h.Month.add(p.Gross, p.Tax)
		}
	}
	return h
}

func (t *Total) add(gross, tax money.Fen) { t.Gross, t.Tax = t.Gross+gross, t.Tax+tax }

// months counts the months of the basic deduction when a payment is made in month.
func (h *History) months(how Months, month int) int {
	earned := uint16(h.Earned | 1<<(month-1))
	switch how {
	case SinceJanuary:
		return month
	case WithPayment:
		return bits.OnesCount16(earned)
	}
	return max(1, month-bits.TrailingZeros16(earned))
}

// businessMonth is the calendar month in China.
func businessMonth(t time.Time) (year, month int) {
	local := t.In(clock.Shanghai())
	return local.Year(), int(local.Month())
}
