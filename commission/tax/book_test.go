package tax

import (
	"errors"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/money"
)

func TestTablesAreNumberedDatedAndNeverChange(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(day(2026, 1, 1))
	b, err := OpenBook(t.Context(), docstoretest.NewStore(t, c), c)
	if err != nil {
		t.Fatal(err)
	}
	number := func(at time.Time) int {
		t.Helper()
		table, err := b.At(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return table.Number
	}
	publish := func(table Table, want int, fault error) {
		t.Helper()
		got, err := b.Publish(t.Context(), table)
		if !errors.Is(err, fault) || err == nil && got.Number != want {
			t.Fatalf("published %v, %v; want %d, %v", got, err, want, fault)
		}
	}
	if number(c.Now()) != 0 {
		t.Error("something is in force before anything was published")
	}
	publish(PerPaymentTable(), 1, nil)
	publish(PerPaymentTable(), 1, nil)
	later := CumulativeTable()
	later.From = day(2026, 3, 1)
	publish(later, 2, nil)
	publish(later, 2, nil)
	early := OffTable()
	early.From = day(2026, 2, 1)
	publish(early, 0, ErrTablePast)
	for at, want := range map[time.Time]int{
		day(2025, 12, 1): 0, c.Now(): 1, day(2026, 3, 1).Add(-time.Millisecond): 1, day(2026, 3, 1): 2, day(2027, 1, 1): 2,
	} {
		if got := number(at); got != want {
			t.Errorf("at %s table %d, want %d", at, got, want)
		}
	}
	publish(OffTable(), 3, nil) // takes effect with, and so instead of, the second
	if got := number(day(2026, 3, 1)); got != 3 {
		t.Errorf("table %d", got)
	}
	if all, err := b.Tables(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d tables, %v", len(all), err)
	}
	if _, err := b.Table(t.Context(), 4); !errors.Is(err, ErrTableMissing) {
		t.Error(err)
	}
}

// Dates have a horizon, what is ahead can be taken back by two people, and then it stands in nobody's way.
func TestAFutureTableIsBoundedAndCanBeRecalled(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), clock.NewManual(day(2026, 1, 1))
	b, err := OpenBook(ctx, docstoretest.NewStore(t, c), c)
	if err != nil {
		t.Fatal(err)
	}
	with := func(table Table, from time.Time) Table { table.From = from; return table }
	both := func(table Table, want error) (number int) {
		t.Helper()
		checked, errCheck := b.Check(ctx, table)
		published, err := b.Publish(ctx, table)
		if !errors.Is(errCheck, want) || !errors.Is(err, want) || err == nil && checked.Number != published.Number {
			t.Fatalf("check says %v, publishing %v, want %v", errCheck, err, want)
		}
		if err != nil {
			return 0
		}
		return published.Number
	}
	both(PerPaymentTable(), nil)
	for _, far := range []time.Time{day(9999, 12, 31), c.Now().Add(366*24*time.Hour + time.Millisecond), time.Unix(1<<40, 0)} {
		both(with(CumulativeTable(), far), ErrTableFar)
	}
	both(with(CumulativeTable(), day(2025, 12, 31)), ErrTablePast)
	second := both(with(CumulativeTable(), day(2026, 12, 1)), nil)
	both(with(OffTable(), day(2026, 6, 1)), ErrTablePast) // the one ahead stands in its way
	for _, people := range []Recall{{Maker: "a", Checker: "a", Why: "x"}, {Maker: "a", Why: "x"}, {Checker: "a", Why: "x"}} {
		if _, err := b.Recall(ctx, second, people); !errors.Is(err, ErrTableOwn) {
			t.Errorf("%+v: %v", people, err)
		}
	}
	two := Recall{Maker: "a", Checker: "b", Why: "日期写错"}
	for number, want := range map[int]error{0: ErrTableMissing, 1: ErrTableInForce, 9: ErrTableMissing} {
		if _, err := b.Recall(ctx, number, two); !errors.Is(err, want) {
			t.Errorf("table %d: %v", number, err)
		}
	}
	for range 2 {
		if table, err := b.Recall(ctx, second, two); err != nil || table.Recalled == nil || table.Recalled.Checker != "b" {
			t.Errorf("recalled: %+v, %v", table, err)
		}
	}
	if third := both(with(CumulativeTable(), day(2026, 6, 1)), nil); third != 3 {
		t.Error("published as", third)
	}
	for at, want := range map[time.Time]int{day(2026, 5, 1): 1, day(2026, 6, 1): 3, day(2026, 12, 2): 3, day(2027, 12, 2): 3} {
		if table, err := b.At(ctx, at); err != nil || table.Number != want {
			t.Errorf("at %s: %+v, %v", at, table, err)
		}
	}
	c.Set(day(2026, 6, 1).Add(-time.Minute + time.Millisecond))
	if _, err := b.Recall(ctx, 3, two); !errors.Is(err, ErrTableInForce) || !errors.Is(b.CheckRecall(ctx, 3), ErrTableInForce) {
		t.Error("about to take effect:", err)
	}
}

func TestATableThatJumpsOrFallsIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Table){
		"no name":            func(t *Table) { t.Name = "" },
		"kind twice":         func(t *Table) { t.Rules[1].Kind = Resident },
		"unknown mode":       func(t *Table) { t.Rules[0].Mode = "guess" },
		"unknown months":     func(t *Table) { t.Rules[0].Months = "" },
		"no source":          func(t *Table) { t.Rules[0].Source = "" },
		"quick too small":    func(t *Table) { t.Rules[0].Brackets[1].Quick-- },
		"falling rate":       func(t *Table) { t.Rules[0].Brackets[2].Rate = 900 },
		"no last":            func(t *Table) { t.Rules[0].Brackets[6].UpTo = money.Max },
		"limit in the mid":   func(t *Table) { t.Rules[0].Brackets[3].UpTo = 0 },
		"everything":         func(t *Table) { t.Rules[0].Brackets[6].Rate = 10_000 },
		"expenses over 100%": func(t *Table) { t.Rules[2].ExpenseRate = 10_001 },
		"jump at threshold":  func(t *Table) { t.Rules[2].SmallUpTo, t.Rules[2].SmallDeduction = 4000_00, 900_00 },
		"no brackets":        func(t *Table) { t.Rules[0].Brackets = nil },
		"negative deduction": func(t *Table) { t.Rules[0].MonthlyDeduction = -1 },
		"unknown once":       func(t *Table) { t.Rules[2].Once = "week" },
	} {
		table := CumulativeTable()
		spoil(&table)
		if err := table.Check(); !errors.Is(err, ErrBadTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
