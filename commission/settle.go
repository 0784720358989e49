package commission

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// settleRound is the intent to settle some orders; it makes a step over many documents repeatable after a crash. It is
// written first and deleted last.
type settleRound struct {
	docstore.Doc `bson:",inline"`
	At           time.Time `bson:"at"`
	Orders       []string  `bson:"orders"`
}

const maxRounds = 20 // of one call of SettleDue

// SettleDue moves the commission of every line whose window is over from pending to available. It finishes what a
// crashed call left, then takes the due orders page by page, at most 20 pages in one call, and returns how many
// orders it settled; call again until it returns 0.
func (s *Service) SettleDue(ctx context.Context) (n int, err error) {
	left, err := s.rounds.Find(ctx, docstore.All().First(maxRounds))
	if err != nil {
		return 0, fmt.Errorf("settle: %w", err)
	}
	for _, round := range left.Items {
		if err := s.settleRound(ctx, round); err != nil {
			return n, fmt.Errorf("settle: %w", err)
		}
		n += len(round.Orders)
	}
	for range maxRounds {
		round, err := s.nextRound(ctx)
		if err != nil {
			return n, fmt.Errorf("settle: %w", err)
		}
		if round == nil {
			break
		}
		if err := s.settleRound(ctx, round); err != nil {
			return n, fmt.Errorf("settle: %w", err)
		}
		n += len(round.Orders)
	}
	return n, nil
}

func (s *Service) nextRound(ctx context.Context) (*settleRound, error) {
	now := s.clock.Now()
	due, err := s.settlements.Find(ctx, docstore.By("due").Between(nil, now.Add(time.Millisecond)).First(s.config.SettlePage))
	if err != nil || len(due.Items) == 0 {
		return nil, err
	}
	round := &settleRound{Doc: docstore.Doc{ID: s.ids.New(now)}, At: now}
	for _, d := range due.Items {
		round.Orders = append(round.Orders, d.ID)
	}
	return round, s.rounds.Insert(ctx, round)
}

func (s *Service) settleRound(ctx context.Context, round *settleRound) error {
	if err := s.step("round"); err != nil {
		return err
	}
	settlements := make(map[string]*Settlement, len(round.Orders))
	err := s.settlements.UpsertMany(ctx, round.Orders, func(d *Settlement) error {
		if d.Fresh() {
			return errGone
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
	ids := make([]string, len(round.Orders))
	for i, order := range round.Orders {
		ids[i] = accrueID(order)
	}
	accruals, err := s.entries.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	var entries []*Entry
	for _, order := range round.Orders {
		doc := accruals[accrueID(order)]
		if doc == nil {
			return fmt.Errorf("%w: %s", errGone, accrueID(order))
		}
		accrual, err := parseEntry(doc)
		if err != nil {
			return err
		}
		entries = append(entries, settlements[order].settled(accrual)...)
	}
	if err := s.postAll(ctx, entries); err != nil {
		return err
	}
	if err := s.step("round posted"); err != nil {
		return err
	}
	if err := s.rounds.Delete(ctx, round.ID, nil); err != nil && !missing(err) {
		return err
	}
	return nil
}
