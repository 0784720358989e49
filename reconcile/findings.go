package reconcile

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
)

// found counts a difference and keeps it for the next flush.
func (m *matching) found(ctx context.Context, f finding) error {
	m.run.Differences++
	if m.run.Differences-m.run.Beyond > int64(m.s.config.MaxTasks) {
		m.run.Beyond++
		return nil
	}
	if m.findings = append(m.findings, f); len(m.findings) < flushFindings {
		return nil
	}
	return m.flush(ctx)
}

// flush stores findings as tasks; the lease is checked first, so that a process that was overtaken writes nothing.
func (m *matching) flush(ctx context.Context) error {
	if len(m.findings) == 0 {
		return nil
	}
	if err := m.hold(ctx, nil); err != nil {
		return err
	}
	byID := make(map[string]finding, len(m.findings))
	ids := make([]string, 0, len(m.findings))
	for _, f := range m.findings {
		key := taskID(m.run.ID, f.kind, f.move, f.number)
		if known, twice := byID[key]; twice { // one number, wrong in the same way on several lines
			f.lines = append(known.lines, f.lines...)
			f.lines = f.lines[:min(len(f.lines), MaxLines)]
			m.run.Differences--
		} else {
			ids = append(ids, key)
		}
		byID[key] = f
	}
	now := m.s.clock.Now()
	if err := m.s.tasks.UpsertMany(ctx, ids, func(t *Task) error { return t.see(m.run, byID[t.ID], now) }); err != nil {
		return err
	}
	m.findings = m.findings[:0]
	return nil
}

// sweepTasks closes the open tasks that this attempt did not find again. When there were more differences than
// tasks, not finding one means nothing.
func (m *matching) sweepTasks(ctx context.Context) error {
	if m.run.Beyond > 0 {
		return nil
	}
	return m.s.tasks.Each(ctx, docstore.By(indexRun, m.run.ID, string(TaskOpen)), func(t *Task) error {
		if t.Seen >= m.run.Attempt {
			return nil
		}
		if err := m.beat(ctx); err != nil {
			return err
		}
		_, err := m.s.tasks.Update(ctx, t.ID, func(t *Task) error {
			if t.State != TaskOpen || t.Seen >= m.run.Attempt {
				return nil
			}
			why := HealedAgrees
			if t.Difference == Refused {
				why = HealedRead
			}
			return t.heal(why, m.s.clock.Now())
		})
		return err
	})
}

// wakeOthers asks other runs to look again: those that billed a line of this day too, the doubled line is theirs; and those
// that differ and that this bill may explain.
func (m *matching) wakeOthers(ctx context.Context) error {
	m.wakeFunds()
	for run, explains := range m.nudge {
		wanted := func(r *Run) bool {
			return explains && r.State == Differing || r.State == Waiting && r.Problem == problemOf(errAfterOthers)
		}
		if err := m.s.lookAgain(ctx, run, wanted); err != nil {
			return err
		}
	}
	for run := range m.wake {
		if err := m.s.lookAgain(ctx, run, func(r *Run) bool { return r.State != Matching && r.State != Lost }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) lookAgain(ctx context.Context, run string, wanted func(*Run) bool) error {
	_, err := s.runs.Update(ctx, run, func(r *Run) error {
		if !wanted(r) {
			return nil
		}
		r.NextAt = s.clock.Now()
		return r.move(byLook)
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}

// Reconsider asks the run whose trade bill called a refund under way to look again: the refund became abnormal since, and
// the bill's word is not to be counted on any more. A number that no bill called so is no error.
func (s *Service) Reconsider(ctx context.Context, refund string) error {
	known, err := s.strays.Get(ctx, strayID(Trade, Refund, refund))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	if err == nil && !known.Done {
		err = s.lookAgain(ctx, known.Run, func(r *Run) bool { return r.State == Balanced || r.State == Resolved || r.State == Differing })
	}
	if err != nil {
		return fmt.Errorf("reconcile reconsider: %w", err)
	}
	return nil
}
