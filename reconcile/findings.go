package reconcile

import (
	"context"
	"errors"

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
			return t.heal(HealedAgrees, m.s.clock.Now())
		})
		return err
	})
}

// wakeOthers asks the runs that billed a line of this day too to look again: the doubled line is theirs.
func (m *matching) wakeOthers(ctx context.Context) error {
	for run := range m.wake {
		_, err := m.s.runs.Update(ctx, run, func(r *Run) error {
			if r.State == Matching || r.State == Lost {
				return nil
			}
			r.NextAt = m.s.clock.Now()
			return r.move(byLook)
		})
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return err
		}
	}
	return nil
}
