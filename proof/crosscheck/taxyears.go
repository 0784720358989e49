package crosscheck

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/money"
)

const ruleTaxYear = "tax year"

// TaxYears is what is read of the tax years (withdrawal.Archive).
type TaxYears interface {
	Years(ctx context.Context, visit func(*taxyear.Year) error) error
	// ManyYears loads those that exist, by id (taxyear.ID).
	ManyYears(ctx context.Context, ids []string) (map[string]*taxyear.Year, error)
	// Many loads the withdrawals that exist, by number.
	Many(ctx context.Context, numbers []string) (map[string]*withdrawal.Withdrawal, error)
}

// TaxTables is what is read of the tax tables (tax.Book).
type TaxTables interface {
	Table(ctx context.Context, number int) (*tax.Table, error)
}

// yearsOf are the ids of the tax years a withdrawal may stand in.
func yearsOf(w *withdrawal.Withdrawal) []string {
	if w.DecidedAt.IsZero() {
		return nil
	}
	ids := []string{taxyear.ID(w.Member, taxyear.Of(w.DecidedAt))}
	for year := range w.TaxItems() {
		if id := taxyear.ID(w.Member, year); id != ids[0] {
			ids = append(ids, id)
		}
	}
	return ids
}

// taxesOf computes the tax years' items of a batch of withdrawals again.
func (r *run) taxesOf(ctx context.Context, batch []*withdrawal.Withdrawal) error {
	if r.Years == nil {
		return nil
	}
	var ids []string
	for _, w := range batch {
		ids = append(ids, yearsOf(w)...)
	}
	years, err := r.Years.ManyYears(ctx, ids)
	if err != nil {
		return err
	}
	for _, w := range batch {
		all, err := r.taxed(ctx, w, years)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			if err := r.taxesAgain(ctx, w.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// taxesAgain looks a second time, on fresh copies: a withdrawal that moved between two looks is too young to judge.
func (r *run) taxesAgain(ctx context.Context, number string) error {
	before, err := r.Withdrawals.Get(ctx, number)
	if err != nil {
		return err
	}
	years, err := r.Years.ManyYears(ctx, yearsOf(before))
	if err != nil {
		return err
	}
	w, err := r.Withdrawals.Get(ctx, number)
	if err != nil {
		return err
	}
	if r.moving(w) || w.Version != before.Version {
		r.report.Young++
		return nil
	}
	all, err := r.taxed(ctx, w, years)
	r.tell(all)
	return err
}

// taxed says what is wrong with a withdrawal's items, and with the tax itself.
func (r *run) taxed(ctx context.Context, w *withdrawal.Withdrawal, years map[string]*taxyear.Year) ([]Difference, error) {
	if w.DecidedAt.IsZero() {
		return nil, nil
	}
	var all []Difference
	approved := years[taxyear.ID(w.Member, taxyear.Of(w.DecidedAt))]
	want := w.TaxItems()
	if want == nil && !w.SentAt.IsZero() {
		want = map[int]taxyear.Item{taxyear.Of(w.DecidedAt): {
			Number: w.ID, State: taxyear.Open, Kind: w.Kind, Regime: w.Regime, At: w.DecidedAt, Gross: w.Gross, Tax: w.Tax,
			Carried: w.TaxCarried, Table: w.TaxTable,
		}}
	}
	for _, year := range slices.Sorted(maps.Keys(want)) {
		item, id := want[year], taxyear.ID(w.Member, year)
		var got *taxyear.Item
		if y := years[id]; y != nil {
			got = y.Find(w.ID)
		}
		switch {
		case got == nil && item.State == taxyear.Void && years[id] != nil && len(years[id].Items) > taxyear.Most/2: // forgotten to make room
		case got == nil:
			all = append(all, differ(ruleTaxYear, id, "withdrawal %s is missing", w.ID))
		case !sameItem(got, &item):
			all = append(all, differ(ruleTaxYear, id, "it says of withdrawal %s: %s; the withdrawal makes: %s", w.ID, itemText(got), itemText(&item)))
		}
	}
	if approved == nil || w.SentAt.IsZero() || r.TaxTables == nil || !w.Kind.Valid() {
		return all, nil
	}
	item := approved.Find(w.ID)
	if item == nil {
		return all, nil
	}
	table, err := r.TaxTables.Table(ctx, w.TaxTable)
	if err != nil {
		return all, fmt.Errorf("withdrawal %s: %w", w.ID, err)
	}
	due, err := tax.Withhold(table, w.Kind, item.Before, w.DecidedAt, w.Gross)
	if err != nil || due.Tax != w.Tax {
		all = append(all, differ(ruleTaxYear, approved.ID, "withdrawal %s bears %s yuan of tax, its table and what was paid before make %s",
			w.ID, w.Tax.Yuan(), due.Tax.Yuan()))
	}
	return all, nil
}

// sameItem forgives what earlier releases did not write down.
func sameItem(got, want *taxyear.Item) bool {
	return got.State == want.State && got.Gross == want.Gross && got.Tax == want.Tax && got.Table == want.Table &&
		got.Carried == want.Carried && got.At.Equal(want.At) && got.ReturnedAt.Equal(want.ReturnedAt) &&
		(got.Kind == want.Kind || want.Kind == "") && (got.Regime == want.Regime || want.Regime == "")
}

func itemText(i *taxyear.Item) string {
	text := fmt.Sprintf("%s %s/%s %s - %s by table %d at %s", i.State, i.Kind, i.Regime, i.Gross.Yuan(), i.Tax.Yuan(), i.Table, i.At.UTC().Format(stamp))
	if i.Carried > 0 {
		text += " carried " + i.Carried.Yuan()
	}
	if !i.ReturnedAt.IsZero() {
		text += " returned " + i.ReturnedAt.UTC().Format(stamp)
	}
	return text
}

const stamp = "2006-01-02T15:04:05.000Z"

// taxYears walks the tax years: nothing stands there that no withdrawal put there, nothing twice, and no tax was computed
// after more than there was. What the withdrawals make of them was compared with the withdrawals.
func (r *run) taxYears(ctx context.Context) error {
	if r.Years == nil {
		return nil
	}
	return r.Years.Years(ctx, func(y *taxyear.Year) error {
		r.report.TaxYears++
		numbers := make([]string, len(y.Items))
		for i := range y.Items {
			numbers[i] = y.Items[i].Number
		}
		found, err := r.Years.Many(ctx, numbers)
		if err != nil {
			return err
		}
		r.tell(strays(y, found))
		if r.report.TaxYears%int64(r.Config.Batch) == 0 {
			r.progress(Progress{"tax years", r.report.TaxYears})
		}
		return nil
	})
}

func strays(y *taxyear.Year, found map[string]*withdrawal.Withdrawal) []Difference {
	var all []Difference
	wrong := func(format string, args ...any) { all = append(all, differ(ruleTaxYear, y.ID, format, args...)) }
	if y.ID != taxyear.ID(y.Member, y.Year) {
		wrong("it says that it is %s of %s", taxyear.ID(y.Member, y.Year), y.Member)
	}
	seen, income := map[string]bool{}, money.Fen(0)
	for i := range y.Openings {
		o := &y.Openings[i]
		income += o.Gross
		if !o.Valid() || o.Maker == "" || o.Checker == "" || o.Maker == o.Checker {
			wrong("an opening position of %s yuan was not confirmed by a second person", o.Gross.Yuan())
		}
	}
	for i := range y.Items {
		w := found[y.Items[i].Number]
		switch number := y.Items[i].Number; {
		case w == nil || w.Member != y.Member || !slices.Contains(yearsOf(w), y.ID):
			wrong("it has %s, which is no withdrawal of this person and year", number)
			continue
		case seen[number]:
			wrong("it has withdrawal %s twice", number)
		}
		seen[w.ID] = true
		income += w.Gross
	}
	for i := range y.Items {
		item := &y.Items[i]
		if w := found[item.Number]; w != nil && item.Before.Year.Gross > income-w.Gross {
			wrong("the tax of %s was computed after an income of %s yuan; there were not more than %s", w.ID,
				item.Before.Year.Gross.Yuan(), (income - w.Gross).Yuan())
		}
	}
	return all
}
