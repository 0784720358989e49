package crosscheck

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/money"
)

var _ TaxYears = (*withdrawal.Archive)(nil)

// fakeYears are a shop's tax years.
type fakeYears struct {
	fakeWithdrawals
	years map[string]*taxyear.Year
}

func (f fakeYears) Years(_ context.Context, visit func(*taxyear.Year) error) error {
	for _, key := range sorted(f.years) {
		if err := visit(f.years[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f fakeYears) ManyYears(_ context.Context, ids []string) (map[string]*taxyear.Year, error) {
	return pick(f.years, ids), nil
}

func (f fakeYears) Many(_ context.Context, numbers []string) (map[string]*withdrawal.Withdrawal, error) {
	return pick(f.fakeWithdrawals, numbers), nil
}

func pick[V any](all map[string]V, keys []string) map[string]V {
	found := map[string]V{}
	for _, k := range keys {
		if v, ok := all[k]; ok {
			found[k] = v
		}
	}
	return found
}

type cumulative struct{}

func (cumulative) Table(_ context.Context, number int) (*tax.Table, error) {
	t := tax.CumulativeTable()
	t.Number = number
	return &t, nil
}

// taxedShop: ann was paid 8,000 yuan as a business, then 8,000 and 3,000 as a resident, the last one came back; 5,000 failed;
// one is on its way. Withheld: (8000 - 1600 - 5000) × 3 % = 42.
func taxedShop(t *testing.T) (*shop, fakeYears) {
	t.Helper()
	s := newShop(t)
	y := &taxyear.Year{Member: "ann", Year: taxyear.Of(start)}
	y.ID = taxyear.ID(y.Member, y.Year)
	f := fakeYears{s.withdrawals, map[string]*taxyear.Year{y.ID: y}}
	add := func(number string, in withdrawal.State, kind tax.Kind, regime tax.Mode, gross, held money.Fen) {
		w := s.withdraw(number, in, gross, held)
		w.DecidedAt, w.SentAt, w.Kind, w.Regime, w.TaxTable = start, start, kind, regime, 1
		if in == withdrawal.Returned {
			w.ReturnedAt = start.Add(time.Minute)
		}
		before := y.Before(kind, regime, start)
		item, ok := w.TaxItems()[y.Year]
		if !ok {
			item = taxyear.Item{Number: number, State: taxyear.Open, Kind: kind, Regime: regime, At: start, Gross: gross, Tax: held, Table: 1}
		}
		item.Before = before
		y.Put(item)
	}
	add("B1", withdrawal.Paid, tax.Business, tax.Off, 8_000_00, 0)
	add("R1", withdrawal.Paid, tax.Resident, tax.Cumulative, 8_000_00, 42_00)
	add("R2", withdrawal.Failed, tax.Resident, tax.Cumulative, 500_00, 12_00)
	add("R3", withdrawal.Returned, tax.Resident, tax.Cumulative, 3_000_00, 72_00)
	add("R4", withdrawal.Waiting, tax.Resident, tax.Cumulative, 100_00, 2_40)
	s.clock.Advance(time.Hour)
	return s, f
}

func TestTaxYearsAreComputedAgainFromTheWithdrawals(t *testing.T) {
	t.Parallel()
	id := taxyear.ID("ann", taxyear.Of(start))
	item := func(number string, fn func(*taxyear.Item)) func(*shop, *taxyear.Year) {
		return func(_ *shop, y *taxyear.Year) { fn(y.Find(number)) }
	}
	for _, c := range []struct {
		damage string
		do     func(*shop, *taxyear.Year)
		named  int
	}{
		{"none", func(*shop, *taxyear.Year) {}, 0},
		{"income raised by 10,000", item("R1", func(i *taxyear.Item) { i.Gross += 10_000_00 }), 1},
		{"income of a business raised", item("B1", func(i *taxyear.Item) { i.Gross += 10_000_00 }), 1},
		{"tax raised", item("R1", func(i *taxyear.Item) { i.Tax += 10_000_00 }), 1},
		{"tax raised on both sides", func(s *shop, y *taxyear.Year) {
			y.Find("R1").Tax += 100
			s.withdrawals["R1"].Tax += 100
		}, 1},
		{"income before raised", item("R4", func(i *taxyear.Item) { i.Before.Year.Gross += 10_000_00 }), 1},
		{"income before raised where nothing is withheld", item("B1", func(i *taxyear.Item) { i.Before.Year.Gross += 100_000_00 }), 1},
		{"another kind", item("B1", func(i *taxyear.Item) { i.Kind = tax.Resident }), 1},
		{"another regime", item("B1", func(i *taxyear.Item) { i.Regime = tax.Cumulative }), 1},
		{"another time", item("R1", func(i *taxyear.Item) { i.At = i.At.Add(time.Hour) }), 1},
		{"a return forgotten", item("R3", func(i *taxyear.Item) { i.ReturnedAt = time.Time{} }), 1},
		{"a failed one counted", item("R2", func(i *taxyear.Item) { i.State, i.Gross = taxyear.Paid, 500_00 }), 1},
		{"the open one raised", item("R4", func(i *taxyear.Item) { i.Gross++ }), 1},
		{"one gone", func(_ *shop, y *taxyear.Year) { y.Items = y.Items[1:] }, 1},
		{"one too many", func(_ *shop, y *taxyear.Year) {
			y.Put(taxyear.Item{Number: "X", State: taxyear.Paid, Gross: 10_000_00})
		}, 1},
		{"one twice", func(_ *shop, y *taxyear.Year) { y.Items = append(y.Items, y.Items[0]) }, 1},
		{"an opening position by one person", func(_ *shop, y *taxyear.Year) {
			y.Openings = []taxyear.Opening{{Opening: tax.Opening{Kind: tax.Resident, Gross: 1, Since: 1}, Maker: "a", Checker: "a"}}
		}, 1},
		{"earlier releases said neither kind nor regime", func(s *shop, y *taxyear.Year) {
			for i := range y.Items {
				y.Items[i].Kind, y.Items[i].Regime = "", ""
				s.withdrawals[y.Items[i].Number].Kind, s.withdrawals[y.Items[i].Number].Regime = "", ""
			}
		}, 0},
	} {
		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			s, f := taxedShop(t)
			c.do(s, f.years[id])
			got := taxYearsNamed(t, s, f)
			want := strings.Repeat(ruleTaxYear+" "+id+";", c.named)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	s, f := taxedShop(t)
	delete(f.years, id)
	if got := taxYearsNamed(t, s, f); strings.Count(got, id) != 5 {
		t.Error("the whole year is gone:", got)
	}
}

func taxYearsNamed(t *testing.T, s *shop, f fakeYears) string {
	t.Helper()
	r, err := Run(t.Context(), Deps{
		Orders: s.orders, Ledger: s.ledger, Withdrawals: s.withdrawals, Years: f, TaxTables: cumulative{}, Clock: s.clock,
	}, nil)
	must(t, err)
	var text strings.Builder
	for _, d := range r.Differences {
		t.Log(d.Text)
		if d.Rule == ruleTaxYear {
			text.WriteString(d.Rule + " " + d.Subject + ";")
		}
	}
	return text.String()
}
