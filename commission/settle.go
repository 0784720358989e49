package commission

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

// settleRound is the intent to settle some orders; it makes a step over many documents repeatable after a crash. It is
// written first and deleted last.
type settleRound struct {
	docstore.Doc `bson:",inline"`
	Owner        string    `bson:"owner,omitempty"` // the process at work
	At           time.Time `bson:"at"`
	Orders       []string  `bson:"orders"`
}

const (
	maxRounds   = 20               // of one call of SettleDue
	maxSettling = 4                // rounds one process works on side by side, whoever called
	settleLease = 30 * time.Second // how long a round of another process is left to it
	maxSkips    = 100              // pages in a row on which others are at work
)

// SettleDue moves the commission of every line whose window is over from pending to available. It finishes what a
// crashed call left, then takes the due orders page by page, at most 20 pages in one call, and returns how many
// orders it settled; call again until it returns 0, which means that nothing is left that nobody is at work on. Any
// number of callers may share the work. What cannot be settled does not stop the rest; the errors come at the end.
func (s *Service) SettleDue(ctx context.Context) (int, error) {
	var settled, taken atomic.Int64
	left, others, err := s.leftRounds(ctx)
	if err != nil {
		return 0, fmt.Errorf("settle: %w", err)
	}
	var failed []error
	for _, round := range left {
		if err := s.carryOut(ctx, round); err != nil {
			failed = append(failed, err)
			continue
		}
		settled.Add(int64(len(round.Orders)))
	}
	work := func() error {
		for taken.Add(1) <= maxRounds {
			round, err := s.nextRound(ctx, others)
			if err != nil || round == nil {
				return err
			}
			if err := s.carryOut(ctx, round); err != nil {
				return err
			}
			settled.Add(int64(len(round.Orders)))
		}
		return nil
	}
	failed = append(failed, together(s.config.SettleWorkers, work)...)
	return int(settled.Load()), wrap("settle", errors.Join(failed...))
}

// together runs work n times side by side.
func together(n int, work func() error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n - 1 {
		all.Go(func() { errs[i] = work() })
	}
	errs[n-1] = work()
	all.Wait()
	return errs
}

func (s *Service) carryOut(ctx context.Context, round *settleRound) error {
	err := s.settleRound(ctx, round)
	s.settling.end(round, err)
	return err
}

func (s *Service) settleRound(ctx context.Context, round *settleRound) error {
	if err := s.step("round"); err != nil {
		return err
	}
	settlements := make(map[string]*Settlement, len(round.Orders))
	err := s.settlements.UpsertMany(ctx, round.Orders, func(d *Settlement) error {
		if d.Fresh() {
			return book.ErrGone
		}
		d.settle(round.At)
		settlements[d.ID] = d // the last run is the one that was stored
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.step("round decided"); err != nil {
		return err
	}
	entries, gone, err := s.settleEntries(ctx, round, settlements)
	if err != nil {
		return err
	}
	if err := s.postAll(ctx, entries); err != nil {
		return err
	}
	if gone != nil {
		return gone // the round stays, as a reminder
	}
	if err := s.step("round posted"); err != nil {
		return err
	}
	if err := s.rounds.Delete(ctx, round.ID, nil); err != nil && !book.Missing(err) {
		return err
	}
	return nil
}

// settleEntries derives the entries of a round; gone says that an accrual is not there, which does not keep the others.
func (s *Service) settleEntries(ctx context.Context, round *settleRound, settlements map[string]*Settlement) (entries []*Entry, gone, err error) {
	ids := make([]string, len(round.Orders))
	for i, order := range round.Orders {
		ids[i] = book.AccrueID(order)
	}
	accruals, err := s.book.Entries.GetWhole(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	entries = make([]*Entry, 0, len(round.Orders))
	for i, order := range round.Orders {
		doc := accruals[ids[i]]
		if doc == nil {
			gone = fmt.Errorf("%w: %s", book.ErrGone, ids[i])
			continue
		}
		accrual, err := book.ParseEntry(doc)
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, settlements[order].settled(accrual)...)
	}
	return entries, gone, nil
}
