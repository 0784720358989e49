package tax

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/clock"
	"guanxi/internal/money"
)

func day(year, month, d int) time.Time {
	return time.Date(year, time.Month(month), d, 9, 0, 0, 0, clock.Shanghai())
}

func anyTable(r *rapid.T) Table {
	t := rapid.SampledFrom([]Table{PerPaymentTable(), CumulativeTable(), OffTable()}).Draw(r, "table")
	for i := range t.Rules {
		rule := &t.Rules[i]
		if rule.Mode == PerPayment {
			rule.Once = rapid.SampledFrom([]Once{OncePerMonth, OncePerPayment}).Draw(r, "once")
		}
		if rule.Mode == Cumulative {
			rule.Months = rapid.SampledFrom([]Months{SinceFirst, SinceJanuary, WithPayment}).Draw(r, "months")
		}
	}
	return t
}

func anyGross(r *rapid.T, name string) money.Fen {
	return money.Fen(rapid.OneOf(
		rapid.Int64Range(0, 1000_00), rapid.Int64Range(0, 100_000_00), rapid.Int64Range(0, 10_000_000_00),
		rapid.SampledFrom([]int64{0, 1, 800_00, 800_01, 4000_00, 4000_01, 5000_00, 20_000_00, 25_000_00, 25_000_01}),
	).Draw(r, name))
}

// aHistory pays a few payments by the same table.
func aHistory(r *rapid.T, t *Table, k Kind) []Payment {
	var list []Payment
	for range rapid.IntRange(0, 8).Draw(r, "payments") {
		at := day(2026, rapid.IntRange(1, 6).Draw(r, "month"), 1)
		w, err := Withhold(t, k, HistoryOf(list, k, t.Rule(k).Mode, at), at, anyGross(r, "earlier"))
		if err != nil {
			r.Fatal(err)
		}
		list = append(list, Payment{Kind: k, Regime: w.Mode, At: at, Gross: anyGross(r, "paid"), Tax: w.Tax})
	}
	return list
}

func anyKind(r *rapid.T) Kind {
	return rapid.SampledFrom([]Kind{Resident, Business, Foreign}).Draw(r, "kind")
}

func TestTaxIsNeverNegativeNeverAboveTheGrossAndNeverFallsWithIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		table, kind := anyTable(r), anyKind(r)
		at := day(2026, rapid.IntRange(1, 12).Draw(r, "month"), 5)
		h := HistoryOf(aHistory(r, &table, kind), kind, table.Rule(kind).Mode, at)
		less, more := anyGross(r, "a"), anyGross(r, "b")
		if less > more {
			less, more = more, less
		}
		low, err1 := Withhold(&table, kind, h, at, less)
		high, err2 := Withhold(&table, kind, h, at, more)
		if err1 != nil || err2 != nil {
			r.Fatal(err1, err2)
		}
		if low.Tax < 0 || low.Tax > less || high.Tax > more {
			r.Fatalf("tax %d of %d, %d of %d", low.Tax, less, high.Tax, more)
		}
		if high.Carried < 0 || high.Carried > 0 && high.Tax != more {
			r.Fatalf("%d carried, though %d of %d are withheld", high.Carried, high.Tax, more)
		}
		if high.Tax < low.Tax {
			r.Fatalf("%d bears %d but %d bears %d", less, low.Tax, more, high.Tax)
		}
	})
}

// A month's income in one payment or in pieces: the same tax after the month, for every rule that looks at more than
// the single payment, provided that no piece was limited by its own size.
func TestCuttingAMonthIntoPiecesDoesNotChangeItsTax(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		table := rapid.SampledFrom([]Table{PerPaymentTable(), CumulativeTable()}).Draw(r, "table")
		kind := rapid.SampledFrom([]Kind{Resident, Foreign}).Draw(r, "kind")
		var whole, pieces []Payment
		for month := 1; month <= 12; month++ {
			if rapid.IntRange(0, 3).Draw(r, "idle") == 0 {
				continue
			}
			sum := money.Fen(0)
			for i := range rapid.IntRange(1, 5).Draw(r, "pieces") {
				part := anyGross(r, "piece")
				pieces, sum = pay(r, &table, kind, pieces, day(2026, month, 1+i), part), sum+part
			}
			whole = pay(r, &table, kind, whole, day(2026, month, 20), sum)
			end := day(2026, month, 28)
			if a, b := HistoryOf(whole, kind, table.Rule(kind).Mode, end).Year, HistoryOf(pieces, kind, table.Rule(kind).Mode, end).Year; a != b {
				r.Fatalf("month %d: whole %+v, pieces %+v", month, a, b)
			}
		}
	})
}

func pay(r *rapid.T, t *Table, k Kind, list []Payment, at time.Time, gross money.Fen) []Payment {
	w, err := Withhold(t, k, HistoryOf(list, k, t.Rule(k).Mode, at), at, gross)
	if err != nil {
		r.Fatal(err)
	}
	return append(list, Payment{At: at, Gross: gross, Tax: w.Tax, Kind: k, Regime: w.Mode})
}

// The bracket table and its quick deductions give the same as adding up slice by slice.
func TestQuickDeductionsEqualSliceBySlice(t *testing.T) {
	t.Parallel()
	for _, table := range []Table{PerPaymentTable(), CumulativeTable()} {
		if err := table.Check(); err != nil {
			t.Fatal(err)
		}
		for _, rule := range table.Rules {
			for _, taxable := range []money.Fen{1, 36_000_00, 36_000_01, 100_000_00, 300_000_00, 999_999_99, 5_000_000_00} {
				if rule.Mode == Off {
					continue
				}
				b := rule.bracket(exact(taxable))
				quick := portion(exact(taxable), b.Rate).Sub(exact(b.Quick))
				slices, from := exact(0), money.Fen(0)
				for _, s := range rule.Brackets {
					to := s.UpTo
					if to == 0 || to > taxable {
						to = taxable
					}
					if to > from {
						slices = slices.Add(portion(exact(to-from), s.Rate))
					}
					from = max(from, to)
				}
				if !quick.Equal(slices) {
					t.Errorf("%s %s: %s by quick deduction, %s by slices", rule.Kind, taxable.Yuan(), quick, slices)
				}
			}
		}
	}
}
