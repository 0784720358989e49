package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

type factKey struct {
	move   Movement
	number string
}

func dayOf(at time.Time) string { return clock.Day(at) }

// lookup asks our books for the numbers of some lines.
func (m *matching) lookup(ctx context.Context, lines []Line) (map[factKey]*Fact, error) {
	numbers := map[Movement][]string{}
	asked := map[factKey]bool{}
	for _, l := range lines {
		key := factKey{l.Move, l.Number}
		if l.Move.matched() && l.Number != "" && !asked[key] {
			asked[key] = true
			numbers[l.Move] = append(numbers[l.Move], l.Number)
		}
	}
	facts := make(map[factKey]*Fact, len(lines))
	for move, wanted := range numbers {
		for len(wanted) > 0 {
			n := min(len(wanted), LookupBatch)
			found, err := m.s.ours.Lookup(ctx, move, wanted[:n])
			if err != nil {
				return nil, fmt.Errorf("look up %s: %w", move, err)
			}
			for number, fact := range found {
				facts[factKey{move, number}] = &fact
			}
			wanted = wanted[n:]
		}
	}
	return facts, nil
}

func (m *matching) straysOf(ctx context.Context, lines []Line) (map[string]*stray, error) {
	ids := make([]string, 0, len(lines))
	for _, l := range lines {
		if l.Move.matched() && l.Number != "" {
			ids = append(ids, strayID(m.run.Statement.home(), l.Move, l.Number))
		}
	}
	return m.s.strays.GetWhole(ctx, ids)
}

// reverse streams what our books have of the day and asks the bill for it; on the way it learns which numbers the
// bill has more than once.
func (m *matching) reverse(ctx context.Context) error {
	size := uint64(m.s.config.Index)
	parts := max(1, (uint64(m.run.Bill.Lines)+size-1)/size)
	for part := range parts {
		bill, err := m.s.buildIndex(ctx, m.run, part, parts, m.twice)
		if err == nil {
			err = m.addOthers(ctx, bill)
		}
		if err != nil {
			return err
		}
		var missing []Fact
		seen := 0
		err = m.s.ours.Each(ctx, m.run.Statement.moves(), m.from, m.to, func(f Fact) error {
			if seen++; seen%pageLines == 0 {
				if err := m.beat(ctx); err != nil {
					return err
				}
			}
			if !counts(f, m.from, m.to) {
				return nil
			}
			fp := fingerprint(f.Move, f.Number)
			if !bill.holds(fp) {
				return nil
			}
			m.run.Ours.add(Line{In: f.Move == Payment, Amount: f.Amount})
			if !bill.has(fp) {
				missing = append(missing, f)
			}
			if len(missing) < LookupBatch {
				return nil
			}
			err := m.missing(ctx, missing)
			missing = missing[:0]
			return err
		})
		if err == nil {
			err = m.missing(ctx, missing)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addOthers adds what the bills of the other accounts have of the day: our books do not know which account a movement was
// taken from, and it is missing only when none has it.
func (m *matching) addOthers(ctx context.Context, bill *index) error {
	if m.run.Statement != Funds {
		return nil
	}
	for _, s := range m.s.config.Accounts {
		if s == Funds {
			continue
		}
		r, err := m.s.runs.Get(ctx, runID(s, m.run.Day))
		if errors.Is(err, docstore.ErrNotFound) {
			continue
		}
		if err == nil && r.Evidence > 0 {
			err = m.s.fillIndex(ctx, r, bill)
		}
		if err != nil {
			return err
		}
	}
	slices.Sort(bill.entries)
	return nil
}

// twice notes a number the bill seems to have more than once, up to a bound; what is beyond it is only counted.
func (m *matching) twice(fp uint64) {
	if _, known := m.doubles[fp]; known {
		return
	}
	if len(m.doubles) >= m.s.config.MaxTasks {
		m.run.Differences++
		m.run.Beyond++
		return
	}
	m.doubles[fp] = nil
}

// missing looks once more, among the strays, for what the bill does not have.
func (m *matching) missing(ctx context.Context, facts []Fact) error {
	if len(facts) == 0 {
		return nil
	}
	ids := make([]string, len(facts))
	for i, f := range facts {
		ids[i] = strayID(m.run.Statement.home(), f.Move, f.Number)
	}
	strays, err := m.s.strays.GetWhole(ctx, ids)
	if err != nil {
		return err
	}
	for i, f := range facts {
		if known := strays[ids[i]]; known != nil && known.Run != m.run.ID {
			continue
		}
		if err := m.found(ctx, finding{kind: MissingBill, move: f.Move, number: f.Number, ours: &f}); err != nil {
			return err
		}
	}
	return nil
}
