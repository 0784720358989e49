package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// maxPlan bounds the days one Tend writes down; three months are 92.
const maxPlan = 100

// Tend writes down the days whose bills are ready and works on what is due, at most Config.Runs runs. Every process may
// call it at any time: a run is worked on under a lease, and what a dead process left is taken up when its lease
// ends. A run that fails waits and does not stop the others. Worked counts the runs that came to their end.
func (s *Service) Tend(ctx context.Context) (worked int, err error) {
	if err := s.plan(ctx); err != nil {
		return 0, fmt.Errorf("reconcile plan: %w", err)
	}
	if err := s.settleAll(ctx); err != nil {
		return 0, fmt.Errorf("reconcile settle: %w", err)
	}
	due := docstore.By(indexDue).Between(nil, s.clock.Now().Add(time.Millisecond)).First(s.config.Runs)
	found, err := s.runs.Find(ctx, due)
	if err != nil {
		return 0, fmt.Errorf("reconcile due: %w", err)
	}
	var failed []error
	for _, r := range found.Items {
		done, err := s.one(ctx, r.ID)
		if err != nil {
			failed = append(failed, fmt.Errorf("reconcile %s: %w", r.ID, err))
		}
		if done {
			worked++
		}
		if ctx.Err() != nil {
			break
		}
	}
	return worked, errors.Join(failed...)
}

// plan makes the runs of the days that have become ready since the newest run.
func (s *Service) plan(ctx context.Context) error {
	now := s.clock.Now()
	last := now.Add(-readyHour*time.Hour).AddDate(0, 0, -1)
	for n, statement := range s.config.statements() {
		first, err := s.firstDay(ctx, statement, last)
		if err != nil {
			return err
		}
		var fresh []*Run
		for at := first; !at.After(last) && len(fresh) < maxPlan; at = at.AddDate(0, 0, 1) {
			day := dayOf(at)
			fresh = append(fresh, &Run{
				Doc:       docstore.Doc{ID: runID(statement, day)},
				Statement: statement, Day: day, State: Waiting, MadeAt: now, Round: 1,
				NextAt: now.Add(time.Duration(n-len(Statements())) * time.Millisecond), // in this order
			})
		}
		if len(fresh) == 0 {
			continue
		}
		for _, err := range s.runs.InsertMany(ctx, fresh) {
			if err != nil && !docstore.Exists(err) {
				return err
			}
		}
	}
	return nil
}

// firstDay is the day after the newest run, or where a new installation begins.
func (s *Service) firstDay(ctx context.Context, statement Statement, last time.Time) (time.Time, error) {
	begin := last
	if s.config.Since != "" {
		since, _, err := span(s.config.Since)
		if err != nil {
			return begin, err
		}
		begin = since
	}
	newest, err := s.runs.FindOne(ctx, docstore.By(indexDay, string(statement)).Newest())
	switch {
	case err == nil:
		day, _, err := span(newest.Day)
		if err != nil {
			return begin, err
		}
		if next := day.AddDate(0, 0, 1); s.config.Since == "" || next.After(begin) {
			begin = next
		}
	case !errors.Is(err, docstore.ErrNotFound):
		return begin, err
	}
	if oldest := s.clock.Now().AddDate(0, -monthsKept, 1); begin.Before(oldest) {
		begin = oldest
	}
	begin, _, err = span(dayOf(begin))
	return begin, err
}

// one takes the lease of a run and works on it to its end. Done is false when somebody else has it, or it has to wait.
func (s *Service) one(ctx context.Context, run string) (done bool, err error) {
	lease := s.ids.New(s.clock.Now())
	r, err := s.runs.Update(ctx, run, func(r *Run) error { return r.take(lease, s.clock.Now(), s.config.Lease) })
	if errors.Is(err, errLost) {
		return false, nil
	}
	if err != nil || r.State == Lost {
		return false, err
	}
	from, to, err := span(r.Day)
	if err != nil {
		return false, err
	}
	m := &matching{
		s: s, run: r, from: from, to: to, doubles: map[uint64][]Line{},
		wake: map[string]bool{}, nudge: map[string]bool{}, kinds: map[string]*finding{},
	}
	m.renewAt = s.clock.Now().Add(s.config.Lease / 3)
	working, stop := s.keep(ctx, r.ID, lease)
	err = m.work(working)
	if err == nil {
		err = m.finish(working)
	}
	lost := errors.Is(context.Cause(working), errLost)
	stop()
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errLost), lost:
		return false, nil
	}
	return false, m.trouble(context.WithoutCancel(ctx), err)
}

// take gives the run to the holder of a lease, or answers errLost when it is not due any more.
func (r *Run) take(lease string, now time.Time, length time.Duration) error {
	if r.NextAt.IsZero() || now.Before(r.NextAt) {
		return errLost
	}
	r.Fetched = r.Fetched || r.Evidence > 0 && gone(r.Day, now) // the kept bill has to do
	if !r.Fetched && gone(r.Day, now) {
		if r.State == Matching {
			r.State = Waiting // its process died before it had the bill
		}
		r.NextAt, r.Lease = time.Time{}, ""
		r.tell(TroubleLost, now)
		return r.move(byAge)
	}
	if r.State != Waiting && r.State != Matching { // a second look
		if err := r.move(byLook); err != nil {
			return err
		}
		r.Looks++
	}
	r.tellOverdue(now)
	if err := r.move(byStart); err != nil {
		return err
	}
	r.Attempt++
	r.Lease, r.NextAt = lease, now.Add(length)
	return nil
}

// beat keeps the lease while there is work; it writes only when a third of it has gone.
func (m *matching) beat(ctx context.Context) error {
	if m.s.clock.Now().Before(m.renewAt) {
		return ctx.Err()
	}
	return m.hold(ctx, nil)
}

// hold renews the lease, and writes to the run what the holder has to say. It answers errLost when the lease is
// somebody else's.
func (m *matching) hold(ctx context.Context, say func(*Run)) error {
	lease := m.run.Lease
	r, err := m.s.runs.Update(ctx, m.run.ID, func(r *Run) error {
		if r.Lease != lease {
			return errLost
		}
		r.NextAt = m.s.clock.Now().Add(m.s.config.Lease)
		if say != nil {
			say(r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.renewAt = m.s.clock.Now().Add(m.s.config.Lease / 3)
	if say != nil {
		m.run = r
	}
	return nil
}

// trouble gives the run back to wait, and passes the error on unless waiting is all there is to it.
func (m *matching) trouble(ctx context.Context, cause error) error {
	now, lease := m.s.clock.Now(), m.run.Lease
	var unreadable *Unreadable
	_, err := m.s.runs.Update(ctx, m.run.ID, func(r *Run) error {
		if r.Lease != lease {
			return errLost
		}
		was := r.Reason
		r.Lease, r.Problem, r.Reason = "", problemOf(cause), ""
		r.NextAt = now.Add(pause(r.Failures))
		r.Failures++
		switch {
		case errors.As(cause, &unreadable):
			r.Reason = unreadable.Words
			if was != r.Reason {
				r.tell(TroubleUnreadable, now)
			}
		case errors.Is(cause, ErrNotYet):
			r.NextAt, r.Failures = now.Add(creatingFor), 0
		case errors.Is(cause, errAfterOthers):
			r.NextAt, r.Failures = now.Add(othersPause), 0
		}
		r.tellOverdue(now)
		return r.move(byTrouble)
	})
	if errors.Is(err, errLost) {
		err = nil
	}
	switch {
	case errors.Is(cause, ErrNotYet), errors.Is(cause, errAfterOthers):
		return err
	case err == nil && unreadable != nil:
		err = m.refuse(ctx, unreadable.Words, now)
	}
	return errors.Join(cause, err)
}

// refuse opens the day's task that says why its bill cannot be read. The first bill that can be read closes it.
func (m *matching) refuse(ctx context.Context, why string, now time.Time) error {
	f := finding{kind: Refused, number: m.run.Day, reason: why}
	_, err := m.s.tasks.Upsert(ctx, taskID(m.run.ID, f.kind, f.move, f.number), func(t *Task) error { return t.see(m.run, f, now) })
	return err
}

// finish writes the result: balanced without a difference, resolved when all that were found are explained.
func (m *matching) finish(ctx context.Context) error {
	open, err := m.s.open(ctx, m.run.ID)
	if err != nil {
		return fmt.Errorf("count tasks: %w", err)
	}
	now, lease, seen := m.s.clock.Now(), m.run.Lease, *m.run
	_, err = m.s.runs.Update(ctx, m.run.ID, func(r *Run) error {
		if r.Lease != lease {
			return errLost
		}
		r.Bill, r.Ours, r.Matched, r.Strays = seen.Bill, seen.Ours, seen.Matched, seen.Strays
		r.Differences, r.Beyond = seen.Differences, seen.Beyond
		r.Seen, r.Reason, r.Told = seen.Seen, "", false
		r.Lease, r.Failures, r.Problem, r.FinishedAt, r.NextAt = "", 0, "", now, time.Time{}
		r.Asked = false
		by := byTasks
		switch {
		case r.Differences == 0:
			by = byNothing
		case !open && r.Beyond == 0:
			by = byAnswers
		case r.Looks < m.s.config.Looks:
			r.NextAt = now.AddDate(0, 0, 1)
		}
		if err := r.move(by); err != nil {
			return err
		}
		r.Emit(EventFinished, Finished{
			Statement: r.Statement, Day: r.Day, State: r.State, Attempt: r.Attempt, Matched: r.Matched,
			Differences: r.Differences, At: now,
		})
		return nil
	})
	return err
}
