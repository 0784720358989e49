package withdrawal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/docstore"
)

var errYearFull = errors.New("tax year: full")

// upsertYear changes a person's year.
func (s *Service) upsertYear(ctx context.Context, member string, year int, fn func(*taxyear.Year) error) error {
	_, err := s.years.Upsert(ctx, taxyear.ID(member, year), func(y *taxyear.Year) error {
		y.Member, y.Year = member, year
		return fn(y)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("tax year: %w", err)
	}
	return nil
}

// withhold computes the tax of an approved withdrawal, once: what stands under its number stays, the kind of that moment
// with it.
func (s *Service) withhold(ctx context.Context, w *Withdrawal, kind tax.Kind) (tax.Withholding, tax.Kind, error) {
	table, err := s.deps.Taxes.At(ctx, w.DecidedAt)
	if err != nil {
		return tax.Withholding{}, "", err
	}
	var item taxyear.Item
	err = s.upsertYear(ctx, w.Member, taxyear.Of(w.DecidedAt), func(y *taxyear.Year) error {
		if old := y.Find(w.ID); old != nil {
			item = *old
			return errUnchanged
		}
		if !y.Room(w.DecidedAt, deskKeeps) {
			return errYearFull
		}
		if err := s.complete(ctx, y); err != nil {
			return err
		}
		before := y.Before(kind, table.Rule(kind).Mode, w.DecidedAt)
		got, err := tax.Withhold(table, kind, before, w.DecidedAt, w.Gross)
		if err != nil {
			return err
		}
		item = taxyear.Item{
			Number: w.ID, State: taxyear.Open, Kind: kind, Regime: got.Mode, At: w.DecidedAt, Gross: w.Gross, Tax: got.Tax,
			Carried: got.Carried, Table: got.Table, Before: before,
		}
		y.Items = append(y.Items, item)
		return nil
	})
	if err != nil {
		return tax.Withholding{}, "", err
	}
	if item.State == taxyear.Void { // somebody ended it meanwhile: the next look at the document shows it
		return tax.Withholding{}, "", ErrWrongState
	}
	if table, err = s.deps.Taxes.Table(ctx, item.Table); err != nil {
		return tax.Withholding{}, "", err
	}
	got, err := tax.Withhold(table, item.Kind, item.Before, w.DecidedAt, item.Gross)
	return got, item.Kind, err
}

// complete fills in what earlier releases did not write: the kind is the one the payee's history knows for that moment, or
// stays unknown; the regime is what the table says of the kind.
func (s *Service) complete(ctx context.Context, y *taxyear.Year) error {
	var p *Payee
	for i := range y.Items {
		item := &y.Items[i]
		if item.State == taxyear.Void || item.Kind != "" && item.Regime != "" {
			continue
		}
		if item.Kind == "" {
			if p == nil {
				var err error
				if p, err = s.Payee(ctx, y.Member); err != nil {
					return err
				}
			}
			if item.Kind = p.KindAt(item.At); item.Kind == "" {
				continue
			}
		}
		table, err := s.deps.Taxes.Table(ctx, item.Table)
		if err != nil {
			return err
		}
		item.Regime = table.Rule(item.Kind).Mode
	}
	return nil
}

// TaxItems is what a withdrawal makes of its member's tax years, by year; nothing while it is not at an end.
func (w *Withdrawal) TaxItems() map[int]taxyear.Item {
	if w.DecidedAt.IsZero() || !w.State.Ended() {
		return nil
	}
	items := map[int]taxyear.Item{ // also of what was approved in December and paid in January
		taxyear.Of(w.DecidedAt): {Number: w.ID, State: taxyear.Void, At: w.DecidedAt},
	}
	if w.State != Paid && w.State != Returned {
		return items
	}
	item := taxyear.Item{
		Number: w.ID, State: taxyear.Paid, Kind: w.Kind, Regime: w.Regime, At: w.EndedAt, Gross: w.Gross, Tax: w.Tax,
		Carried: w.TaxCarried, Table: w.TaxTable, ReturnedAt: w.ReturnedAt,
	}
	items[taxyear.Of(w.EndedAt)] = item
	if w.State == Returned {
		items[taxyear.Of(w.ReturnedAt)] = item // there it is a correction of the year before
	}
	return items
}

// account brings the person's tax years to what the ended withdrawal says. Every write is keyed by the number.
func (s *Service) account(ctx context.Context, w *Withdrawal) error {
	items := w.TaxItems()
	years := make([]int, 0, len(items))
	for year := range items {
		years = append(years, year)
	}
	slices.SortFunc(years, func(a, b int) int { return cmp.Compare(b, a) }) // paid first: it is never in no year
	for _, year := range years {
		if err := s.putYear(ctx, w.Member, year, items[year]); err != nil {
			return err
		}
	}
	return nil
}

// putYear stores an item; a return is never undone by a late repetition of the payment.
func (s *Service) putYear(ctx context.Context, member string, year int, item taxyear.Item) error {
	return s.upsertYear(ctx, member, year, func(y *taxyear.Year) error {
		if old := y.Find(item.Number); old != nil {
			if !old.ReturnedAt.IsZero() && item.ReturnedAt.IsZero() {
				return errUnchanged
			}
			item.Before = old.Before
		}
		y.Put(item)
		return nil
	})
}

// year loads a person's year, complete; an empty one when there is none.
func (s *Service) year(ctx context.Context, member string, year int) (*taxyear.Year, error) {
	y, err := s.years.Get(ctx, taxyear.ID(member, year))
	if errors.Is(err, docstore.ErrNotFound) {
		return &taxyear.Year{Member: member, Year: year}, nil
	}
	if err != nil {
		return nil, err
	}
	return y, s.complete(ctx, y)
}

// TaxStatement is what a member was paid and what was withheld in a business month, or in a year when month is 0, from the
// withdrawals that were paid, with the ledger entries behind every number. Error: ErrBadInput.
func (s *Service) TaxStatement(ctx context.Context, member string, year, month int) (tax.Statement, error) {
	if year < 2000 || year > 9999 || month < 0 || month > 12 {
		return tax.Statement{}, ErrBadInput.With("period", "年月不正确 / no such month")
	}
	y, err := s.year(ctx, member, year)
	if err != nil {
		return tax.Statement{}, fmt.Errorf("tax statement: %w", err)
	}
	if month == 0 {
		return tax.YearStatement(member, y.Payments(), y.Counting(), year), nil
	}
	return tax.MonthStatement(member, y.Payments(), year, month), nil
}

// Filing visits the declaration rows of one business month, by member: one per kind and regime a person was paid as, with
// anything to declare. Error: ErrBadInput.
func (s *Service) Filing(ctx context.Context, year, month int, visit func(tax.FilingRow) error) error {
	if year < 2000 || year > 9999 || month < 1 || month > 12 {
		return ErrBadInput.With("period", "年月不正确 / no such month")
	}
	err := s.years.Each(ctx, taxyear.In(year), func(y *taxyear.Year) error {
		if err := s.complete(ctx, y); err != nil {
			return err
		}
		payments := y.Payments()
		if len(payments) == 0 {
			return nil
		}
		p, err := s.Payee(ctx, y.Member)
		if err != nil {
			return err
		}
		who := tax.Person{Member: y.Member, RealName: p.RealName, IDNumber: p.IDNumber}
		for _, row := range tax.Filing(who, payments, y.Counting(), year, month) {
			if err := visit(row); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("tax filing", err)
}
