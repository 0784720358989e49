package commission

import (
	"context"
	"fmt"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/money"
)

// DryRun is what a draft policy would have made of a past period. Nothing is written for it.
//
// The period is that of the ledger: the sales whose accruals were sealed in it, which is about a second after they were
// posted. Amounts are net of those refunds of these sales that were sealed in the period too, each in proportion, as
// a claw-back would take it; refunds of sales of earlier periods are only counted, because those sales keep the
// policy they were made under.
type DryRun struct {
	From, To time.Time
	Sales    int64     // accruals of the period
	Lines    int64     // of them
	Paid     money.Fen // what the buyers paid for them, before refunds
	Refunds  int64     // claw-backs of these sales in the period
	Earlier  int64     // claw-backs in the period of sales before it: in no amount here
	Changed  int64     // sales for which somebody would have been paid another amount

	// Sales that do not tell where they were sold or which grade the host had. Either may be true of the sale, or it is
	// older than the telling; rules for communities and grades do not see them.
	WithoutCommunity, WithoutGrade int64

	Total         Compared
	Beneficiaries Comparison // by member, or staff:<id>
	Products      Comparison
	Rules         Comparison // by Rule.Name: what the old and the new rule of that name pay
}

// DryRun computes every sale of a past period again under a draft, writing nothing. Progress, which may be nil, is told
// how many of the period's seals are done.
// Codes: those of Policy.Check, COM_PERIOD_INVALID.
func (s *Service) DryRun(ctx context.Context, draft policy.Policy, from, to time.Time, progress func(done, total int64)) (*DryRun, error) {
	if err := draft.Check(); err != nil {
		return nil, err
	}
	if from.IsZero() || !from.Before(to) || from.After(s.clock.Now()) {
		return nil, ErrPeriodInvalid
	}
	draft.Edition = policy.Edition
	run := &dryRun{Service: s, draft: policy.NewRulebook(&draft), sum: newTallies(maxTallies)}
	if err := run.span(ctx, from, to); err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	err := book.InOrder(ctx, run.first, run.last, run.readSeal, func(p comparedSeal) error {
		if p.err != nil {
			return p.err
		}
		run.sum.merge(p.tallies)
		if progress != nil {
			progress(p.number-run.first+1, run.last-run.first+1)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	result := run.sum.result()
	result.From, result.To = from, to
	return result, nil
}

// maxTallies bounds the rows that are kept while counting: about 60 MB of beneficiaries.
const maxTallies = 1 << 18

// dryRun is one run: seals first … last, read side by side.
type dryRun struct {
	*Service
	draft       *policy.Rulebook
	first, last int64
	open        map[string]bool // accruals of the period that do not carry their seal's number yet
	sum         *tallies
}

func (r *dryRun) span(ctx context.Context, from, to time.Time) error {
	mark, err := r.book.Bookmark(ctx)
	if err != nil {
		return err
	}
	before, err := r.SealAt(ctx, from)
	if err != nil {
		return err
	}
	r.first, r.open = before+1, map[string]bool{}
	if r.last, err = r.SealAt(ctx, to); err != nil {
		return err
	}
	for n := max(r.first, mark.Cleared+1); n <= r.last; n++ {
		seal, err := r.book.LoadSeal(ctx, n)
		if err != nil {
			return err
		}
		if seal == nil {
			return fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, n, r.config.Book)
		}
		for _, entry := range seal.Entries {
			if strings.HasPrefix(entry, string(Accrue)+"/") {
				r.open[entry] = true
			}
		}
	}
	return nil
}

// comparedSeal is one seal's part of the result.
type comparedSeal struct {
	number  int64
	tallies *tallies
	err     error
}

func (r *dryRun) readSeal(ctx context.Context, n int64) comparedSeal {
	part := comparedSeal{number: n, tallies: newTallies(maxTallies)}
	seal, err := r.book.LoadSeal(ctx, n)
	if err == nil && seal == nil {
		err = fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, n, r.config.Book)
	}
	if err != nil {
		part.err = err
		return part
	}
	wanted := seal.Entries[:0:0]
	for _, entry := range seal.Entries {
		if strings.HasPrefix(entry, string(Accrue)+"/") || strings.HasPrefix(entry, string(ClawBack)+"/") {
			wanted = append(wanted, entry)
		}
	}
	part.err = r.read(ctx, &Seal{Number: n, Entries: wanted}, part.tallies)
	return part
}

// read counts accruals and claw-backs.
func (r *dryRun) read(ctx context.Context, seal *Seal, t *tallies) error {
	again, e, refunds := policy.Reckoner{Book: r.draft}, &Entry{}, []*Entry(nil)
	err := r.book.EachEntry(ctx, seal.Entries, func(i int, doc *book.EntryDoc) error {
		if doc == nil {
			return seal.Without(i)
		}
		if err := e.Read(doc); err != nil {
			return err
		}
		if e.Kind == ClawBack {
			refunds, e = append(refunds, e), &Entry{}
			return nil
		}
		would, _, _ := again.Postings(e)
		t.sale(e, would)
		return nil
	})
	if err != nil || len(refunds) == 0 {
		return err
	}
	return r.refunds(ctx, t, &again, refunds)
}

// refunds takes the claw-backs of a seal into account. Their accruals may stand anywhere.
func (r *dryRun) refunds(ctx context.Context, t *tallies, again *policy.Reckoner, refunds []*Entry) error {
	ids := make([]string, len(refunds))
	for i, e := range refunds {
		ids[i] = book.AccrueID(e.Order)
	}
	accrual := &Entry{}
	return r.book.EachEntry(ctx, ids, func(i int, doc *book.EntryDoc) error {
		if doc == nil {
			return fmt.Errorf("%w: %s", book.ErrGone, ids[i])
		}
		if err := accrual.Read(doc); err != nil {
			return err
		}
		if in := accrual.Seal; in != 0 && (in < r.first || in > r.last) || in == 0 && !r.open[ids[i]] {
			t.Earlier++
			return nil
		}
		would, _, _ := again.Postings(accrual)
		t.refund(refunds[i], accrual, would)
		return nil
	})
}
