package sharing

import (
	"context"
	"errors"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore"
)

const tendPage = 200

// Tend does what time has made due, at most Config.TendCount orders of it. Every step is small and repeatable, several
// processes may tend at once, and an order that fails does not stop the others. Moved counts those that came further.
func (s *Service) Tend(ctx context.Context) (moved int, err error) {
	due := docstore.By(indexNext).Between(nil, s.clock.Now().Add(time.Millisecond))
	moved, err = s.sharings.Sweep(ctx, due, docstore.Sweep{Most: s.config.TendCount, Page: tendPage, Workers: s.config.Workers},
		func(d *Sharing) (bool, error) { return s.tend(ctx, d) })
	return moved, wrap("tend sharings", err)
}

// tend takes one order as far as it goes now. It holds the order for the lease, so that nobody else judges a purse while a
// reservation may be on its way.
func (s *Service) tend(ctx context.Context, d *Sharing) (moved bool, err error) {
	mine := false
	d, err = s.change(ctx, d.ID, func(d *Sharing, now time.Time) error {
		mine = !d.NextAt.IsZero() && !now.Before(d.NextAt)
		if !mine {
			return errUnchanged
		}
		d.NextAt = now.Add(s.config.Lease)
		if stay := d.StayDetail(now); stay != "" && stay != d.Overdue {
			d.Overdue, d.TroubleAt = stay, now
			d.Emit(EventTrouble, TroubleEvent{Order: d.ID, What: stay, State: d.State, Overdue: true, At: now})
		}
		return nil
	})
	if err != nil || !mine {
		return false, err
	}
	working, done := context.WithTimeout(ctx, s.config.Lease/2) // well inside: when somebody else may go on, this is over
	defer done()
	for range len(States()) {
		next, trouble := s.work(working, d)
		if err = trouble; err != nil || next.State == d.State {
			break
		}
		d, moved = next, true
	}
	return moved, errors.Join(err, s.later(ctx, d, err))
}

// work does the next step.
func (s *Service) work(ctx context.Context, d *Sharing) (*Sharing, error) {
	switch d.State {
	case Waiting:
		return s.plan(ctx, d)
	case Planned:
		return s.reserve(ctx, d)
	case Reserved:
		return s.send(ctx, d)
	case Sent:
		return s.pursue(ctx, d)
	case Finished:
		return s.finish(ctx, d)
	case Unfrozen:
	}
	return d, nil
}

// until plans the next look of an order that waits: when its next line may settle, if that is known.
func (s *Service) until(ctx context.Context, d *Sharing, due time.Time) error {
	_, err := s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		d.Tries++
		d.NextAt = now.Add(at(waitDelays(), d.Tries-1))
		if due.After(d.NextAt) {
			d.NextAt = due
		}
		return nil
	})
	return err
}

// later plans the next look, and lets go of the order. When trouble kept the work from being done, that is one try.
func (s *Service) later(ctx context.Context, was *Sharing, trouble error) error {
	if was.State == Waiting && trouble == nil { // until has done it
		return nil
	}
	_, err := s.change(ctx, was.ID, func(d *Sharing, now time.Time) error {
		if d.State == Unfrozen {
			d.NextAt, d.Tries = time.Time{}, 0
			return nil
		}
		if errors.Is(trouble, commission.ErrEntryConflict) {
			d.worry(commission.ErrEntryConflict.Code, now)
		}
		d.Tries++
		d.NextAt = now.Add(at(stepDelays(), d.Tries-1))
		return nil
	})
	return wrap("plan "+was.ID, err)
}

// at takes the n-th delay, the last one for ever after.
func at(delays []time.Duration, n int) time.Duration { return delays[min(max(n, 0), len(delays)-1)] }

// stepDelays are between tries and between questions about what is open at the platform.
func stepDelays() []time.Duration {
	return []time.Duration{
		5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
		30 * time.Minute, time.Hour,
	}
}

// waitDelays are between looks at an order whose commission has not settled.
func waitDelays() []time.Duration {
	return []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}
}
