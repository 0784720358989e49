package tax

import (
	"math/bits"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

// Payment is one payment to one person, as the withdrawal keeps it.
type Payment struct {
	Number     string    // of the withdrawal
	Kind       Kind      // what the payee was then; "" = unknown
	Regime     Mode      // the way the tax was computed
	At         time.Time // when the money was paid
	Gross, Tax money.Fen // Tax is the part of Gross that was withheld
	Carried    money.Fen // what was due beyond Gross and is left to the next payment
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

// Opening is what was paid to a person as one kind of payee, and withheld, elsewhere in the year: before the program, or
// while it withheld nothing. The cumulative ways go on from it.
type Opening struct {
	Kind  Kind      `bson:"kind"`
	Gross money.Fen `bson:"gross"`
	Tax   money.Fen `bson:"tax"`
	Since int       `bson:"since"` // the first month with income: 1 to 12
}

// Valid tells whether an opening position can be.
func (o Opening) Valid() bool {
	return o.Kind.Valid() && o.Gross >= 0 && o.Gross <= money.Max && o.Tax >= 0 && o.Tax <= o.Gross && o.Since >= 1 && o.Since <= 12
}

// History is what was paid to one person before the payment in question, in the business year and month of it. Payments
// that came back do not count, as if they had never been made; what was withheld too much or too little because of them
// is levelled by the next payment.
type History struct {
	Year   Total `bson:"year"`
	Month  Total `bson:"month"`
	Earned int   `bson:"earned"` // the months with a payment, one bit each: January is bit 0
}

// HistoryOf sums what was paid to the same kind of payee under the same regime in the business year and month of at: what
// somebody was paid as a business, or while nothing was withheld, is no income to withhold on later. The order of the list
// does not matter.
func HistoryOf(payments []Payment, k Kind, regime Mode, at time.Time) History {
	year, month := businessMonth(at)
	h := History{}
	for i := range payments {
		p := &payments[i]
		y, m := businessMonth(p.At)
		if y != year || !p.ReturnedAt.IsZero() || p.Kind != k || p.Regime != regime {
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

// Begin adds an opening position.
func (h *History) Begin(o Opening) {
	h.Year.add(o.Gross, o.Tax)
	h.Earned |= 1 << (o.Since - 1)
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
