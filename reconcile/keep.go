package reconcile

import (
	"context"
	"errors"
	"time"
)

// keep is the heartbeat of a run: however long a download or a question to our books takes, the lease is renewed in time. The
// context ends when the lease is somebody else's. Every write carries the lease's name and is refused when it is not the run's
// any more, so that the heartbeat saves work and decides nothing.
func (s *Service) keep(ctx context.Context, run, lease string) (working context.Context, stop func()) {
	working, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		beat := time.NewTicker(s.config.Lease / 3)
		defer beat.Stop()
		for {
			select {
			case <-working.Done():
				return
			case <-beat.C:
			}
			if err := s.renew(working, run, lease); errors.Is(err, errLost) {
				cancel(errLost)
				return
			}
		}
	}()
	return working, func() {
		cancel(nil)
		<-done
	}
}

// renew prolongs a lease that is still the holder's.
func (s *Service) renew(ctx context.Context, run, lease string) error {
	_, err := s.runs.Update(ctx, run, func(r *Run) error {
		if r.Lease != lease {
			return errLost
		}
		r.NextAt = s.clock.Now().Add(s.config.Lease)
		return nil
	})
	return err
}
