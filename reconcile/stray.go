package reconcile

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// stray is a line that the platform bills on another day than our books have it, or before they have it at all. It
// is what keeps our day from missing it.
type stray struct {
	docstore.Doc `bson:",inline"`
	Run          string   `bson:"run"` // the bill that has the line
	Move         Movement `bson:"move"`
	Number       string   `bson:"number"`
	Home         string   `bson:"home,omitempty"` // our day; absent while our books call it open
	Done         bool     `bson:"done,omitempty"`
	Seen         int64    `bson:"seen"` // the run's attempt that saw it last
}

func strayID(s Statement, m Movement, number string) string {
	return id.Derive("reconcile-stray", string(s), string(m), number)
}

// maxGuests bounds the strays whose own day is looked at together.
const maxGuests = 5000

// guest is a line of this bill whose home is another day.
type guest struct {
	line Line
	ours Fact
	home string
}

// keepStrays remembers guests, so that their own day does not miss them whenever it is matched.
func (m *matching) keepStrays(ctx context.Context, guests []guest) error {
	byID := make(map[string]guest, len(guests))
	ids := make([]string, 0, len(guests))
	for _, g := range guests {
		key := strayID(m.run.Statement.home(), g.line.Move, g.line.Number)
		if _, twice := byID[key]; !twice {
			ids = append(ids, key)
		}
		byID[key] = g
	}
	return m.s.strays.UpsertMany(ctx, ids, func(t *stray) error {
		if !t.Fresh() && t.Run != m.run.ID {
			return nil // another bill had it first: it stays theirs
		}
		g := byID[t.ID]
		t.Run, t.Move, t.Number, t.Home = m.run.ID, g.line.Move, g.line.Number, g.home
		t.Done, t.Seen = g.line.State == LineDone, m.run.Attempt
		return nil
	})
}

// sweepStrays forgets what earlier attempts saw in this bill and this one did not.
func (m *matching) sweepStrays(ctx context.Context) error {
	return m.s.strays.Each(ctx, docstore.By(indexRun, m.run.ID), func(t *stray) error {
		if t.Seen >= m.run.Attempt {
			return nil
		}
		err := m.s.strays.Delete(ctx, t.ID, nil)
		if errors.Is(err, docstore.ErrNotFound) {
			return nil
		}
		return err
	})
}

// visitHomes closes the tasks of the guests' own days that missed them, and finds guests that were billed at home too.
func (m *matching) visitHomes(ctx context.Context) error {
	homes := map[string]map[uint64]guest{}
	for _, g := range m.guests {
		if homes[g.home] == nil {
			homes[g.home] = map[uint64]guest{}
		}
		homes[g.home][fingerprint(g.line.Move, g.line.Number)] = g
	}
	m.guests = m.guests[:0]
	for home, guests := range homes {
		if err := m.visitHome(ctx, runID(m.run.Statement.home(), home), guests); err != nil {
			return fmt.Errorf("home %s: %w", home, err)
		}
	}
	return nil
}

func (m *matching) visitHome(ctx context.Context, home string, guests map[uint64]guest) error {
	run, err := m.s.runs.Get(ctx, home)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if run.Evidence > 0 {
		err = m.s.eachPage(ctx, run, func(lines []Line) error {
			for _, l := range lines {
				g, ok := guests[fingerprint(l.Move, l.Number)]
				if !ok || l.Move != g.line.Move || l.Number != g.line.Number || l.State != LineDone || g.line.State != LineDone {
					continue
				}
				delete(guests, fingerprint(l.Move, l.Number))
				if err := m.found(ctx, finding{
					kind: Doubled, move: l.Move, number: l.Number, lines: []Line{l, g.line}, ours: &g.ours,
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	tasks := make([]string, 0, len(guests))
	for _, g := range guests {
		tasks = append(tasks, taskID(home, MissingBill, g.line.Move, g.line.Number))
	}
	return m.s.healAll(ctx, home, tasks, HealedElsewhere+m.run.Day)
}

// healAll closes those of the tasks that are open, and their run when nothing is left.
func (s *Service) healAll(ctx context.Context, run string, tasks []string, words string) error {
	found, err := s.tasks.GetMany(ctx, tasks)
	if err != nil {
		return err
	}
	healed := 0
	for _, t := range found {
		if t.State != TaskOpen {
			continue
		}
		if _, err := s.tasks.Update(ctx, t.ID, func(t *Task) error {
			if t.State != TaskOpen {
				return nil
			}
			return t.heal(words, s.clock.Now())
		}); err != nil {
			return err
		}
		healed++
	}
	if healed == 0 {
		return nil
	}
	return s.settle(ctx, run)
}
