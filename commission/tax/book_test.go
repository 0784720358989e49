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
