package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// taxYear is everything one person was paid in one business year, by number, so that repeating a step changes nothing. Id =
// <member>/<year>.
type taxYear struct {
	docstore.Doc `bson:",inline"`
	Member       string     `bson:"member"`
	Year         int        `bson:"year"`
	Items        []yearItem `bson:"items"`
}

// yearItem is one withdrawal in a tax year.
type yearItem struct {
	Number string      `bson:"number"`
	State  yearState   `bson:"state"`
	Kind   tax.Kind    `bson:"kind,omitempty"`
	At     time.Time   `bson:"at"` // approved; once paid, when it was paid
	Gross  money.Fen   `bson:"gross,omitempty"`
	Tax    money.Fen   `bson:"tax,omitempty"`
	Table  int         `bson:"table,omitempty"`
	Before tax.History `bson:"before,omitempty"` // what the tax was computed after

	ReturnedAt time.Time `bson:"returned_at,omitempty"`
}

// yearState is what an item counts as.
type yearState string

const (
	yearOpen yearState = "open" // approved: counts for the tax of the next, not for statements
	yearPaid yearState = "paid"
	yearVoid yearState = "void" // came to nothing, or was paid in another year
)

// The bounds of a tax year. At yearMost, items that came to nothing longer ago than any late hand acts are forgotten; when
// that makes no room, the next withdrawal is not sent and its money goes back.
const (
	yearMost  = 8000
	yearKeeps = deskKeeps
)

var errYearFull = errors.New("tax year: full")

// room makes place for one more item; false when there is none.
func (y *taxYear) room(now time.Time) bool {
	if len(y.Items) >= yearMost {
		y.Items = slices.DeleteFunc(y.Items, func(i yearItem) bool {
			return i.State == yearVoid && i.At.Before(now.Add(-yearKeeps))
		})
	}
	return len(y.Items) < yearMost
}

func yearID(member string, year int) string { return member + "/" + strconv.Itoa(year) }

// yearOf is the business year.
func yearOf(t time.Time) int { return t.In(clock.Shanghai()).Year() }

func (y *taxYear) find(number string) *yearItem {
	for i := range y.Items {
		if y.Items[i].Number == number {
			return &y.Items[i]
		}
	}
	return nil
}

// put stores an item under its number.
func (y *taxYear) put(item yearItem) {
	if old := y.find(item.Number); old != nil {
		*old = item
		return
	}
	y.Items = append(y.Items, item)
}

// upsertYear changes a person's year.
func (s *Service) upsertYear(ctx context.Context, member string, year int, fn func(*taxYear) error) error {
	_, err := s.years.Upsert(ctx, yearID(member, year), func(y *taxYear) error {
		y.Member, y.Year = member, year
		return fn(y)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("tax year: %w", err)
	}
	return nil
}

// withhold computes the tax of an approved withdrawal, once: what stands under its number stays. Approved withdrawals that
// are not paid yet count as if they were, so that two at the same time never bear too little.
func (s *Service) withhold(ctx context.Context, w *Withdrawal, kind tax.Kind) (tax.Withholding, tax.Kind, error) {
	table, err := s.deps.Taxes.At(ctx, w.DecidedAt)
	if err != nil {
		return tax.Withholding{}, "", err
	}
	var item yearItem
	err = s.upsertYear(ctx, w.Member, yearOf(w.DecidedAt), func(y *taxYear) error {
		if old := y.find(w.ID); old != nil {
			item = *old
			return errUnchanged
		}
		if !y.room(w.DecidedAt) {
			return errYearFull
		}
		before := tax.HistoryOf(y.counted(), w.DecidedAt)
		got, err := tax.Withhold(table, kind, before, w.DecidedAt, w.Gross)
		if err != nil {
			return err
		}
		item = yearItem{
			Number: w.ID, State: yearOpen, Kind: kind, At: w.DecidedAt, Gross: w.Gross, Tax: got.Tax, Table: got.Table,
			Before: before,
		}
		y.Items = append(y.Items, item)
		return nil
	})
	if err != nil {
		return tax.Withholding{}, "", err
	}
	if item.State == yearVoid { // somebody ended it meanwhile: the next look at the document shows it
		return tax.Withholding{}, "", ErrWrongState
	}
	if table, err = s.deps.Taxes.Table(ctx, item.Table); err != nil {
		return tax.Withholding{}, "", err
	}
	got, err := tax.Withhold(table, item.Kind, item.Before, w.DecidedAt, item.Gross)
	return got, item.Kind, err
}

// counted are the payments the next tax is computed after.
func (y *taxYear) counted() []tax.Payment {
	var list []tax.Payment
	for i := range y.Items {
		if y.Items[i].State != yearVoid {
			list = append(list, y.Items[i].payment())
		}
	}
	return list
}

// paid are the payments of the statements.
func (y *taxYear) paid() []tax.Payment {
	var list []tax.Payment
	for i := range y.Items {
		if y.Items[i].State == yearPaid {
			list = append(list, y.Items[i].payment())
		}
	}
	return list
}

func (i *yearItem) payment() tax.Payment {
	p := tax.Payment{
		Number: i.Number, Kind: i.Kind, At: i.At, Gross: i.Gross, Tax: i.Tax, Table: i.Table, ReturnedAt: i.ReturnedAt,
		Entries: []string{"withdraw/" + i.Number, "outcome/" + i.Number},
	}
	if i.Tax > 0 {
		p.Entries = append(p.Entries, "tax/"+i.Number)
	}
	if !i.ReturnedAt.IsZero() {
		p.ReturnEntries = []string{"return/" + i.Number}
	}
	return p
}

// account brings the person's tax years to what the ended withdrawal says. Every write is keyed by the number.
func (s *Service) account(ctx context.Context, w *Withdrawal) error {
	if w.DecidedAt.IsZero() {
		return nil
	}
	approved := yearOf(w.DecidedAt)
	void := yearItem{Number: w.ID, State: yearVoid, At: w.DecidedAt}
	if w.State.gaveBack() {
		return s.putYear(ctx, w.Member, approved, void)
	}
	item := yearItem{
		Number: w.ID, State: yearPaid, Kind: w.Kind, At: w.EndedAt, Gross: w.Gross, Tax: w.Tax, Table: w.TaxTable,
		ReturnedAt: w.ReturnedAt,
	}
	years := []int{yearOf(w.EndedAt)}
	if w.State == Returned {
		years = append(years, yearOf(w.ReturnedAt)) // there it is a correction of the year before
	}
	for _, year := range slices.Compact(years) {
		if err := s.putYear(ctx, w.Member, year, item); err != nil {
			return err
		}
	}
	if !slices.Contains(years, approved) { // approved in December, paid in January
		return s.putYear(ctx, w.Member, approved, void)
	}
	return nil
}

// putYear stores an item; a return is never undone by a late repetition of the payment.
func (s *Service) putYear(ctx context.Context, member string, year int, item yearItem) error {
	return s.upsertYear(ctx, member, year, func(y *taxYear) error {
		if old := y.find(item.Number); old != nil {
			if !old.ReturnedAt.IsZero() && item.ReturnedAt.IsZero() {
				return errUnchanged
			}
			item.Before = old.Before
		}
		y.put(item)
		return nil
	})
}

// TaxStatement is what a member was paid and what was withheld in a business month, or in a year when month is 0, from the
// withdrawals that were paid, with the ledger entries behind every number. Error: ErrBadInput.
func (s *Service) TaxStatement(ctx context.Context, member string, year, month int) (tax.Statement, error) {
	if year < 2000 || year > 9999 || month < 0 || month > 12 {
		return tax.Statement{}, ErrBadInput.With("period", "年月不正确 / no such month")
	}
	y, err := s.years.Get(ctx, yearID(member, year))
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		y = &taxYear{}
	case err != nil:
		return tax.Statement{}, fmt.Errorf("tax statement: %w", err)
	}
	if month == 0 {
		return tax.YearStatement(member, y.paid(), year), nil
	}
	return tax.MonthStatement(member, y.paid(), year, month), nil
}

// Filing visits the declaration rows of one business month, one per person with anything to declare, by member.
// Error: ErrBadInput.
func (s *Service) Filing(ctx context.Context, year, month int, visit func(tax.FilingRow) error) error {
	if year < 2000 || year > 9999 || month < 1 || month > 12 {
		return ErrBadInput.With("period", "年月不正确 / no such month")
	}
	err := s.years.Each(ctx, docstore.By(indexYear, year), func(y *taxYear) error {
		payments := y.paid()
		if len(payments) == 0 {
			return nil
		}
		p, err := s.Payee(ctx, y.Member)
		if err != nil {
			return err
		}
		who := tax.Person{Member: y.Member, Kind: p.Kind, RealName: p.RealName, IDNumber: p.IDNumber}
		if row, ok := tax.Filing(who, payments, year, month); ok {
			return visit(row)
		}
		return nil
	})
	return wrap("tax filing", err)
}
