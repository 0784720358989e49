package commission

import (
	"context"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const (
	shortPoll = time.Second     // how often to look for what other processes have posted, after something was sealed
	longPoll  = 5 * time.Second // and when nothing has been for a while; a nudge comes sooner
	alonePoll = 5 * time.Second // the same where no other process posts: only for what crashes left
	fullLook  = time.Minute     // how often everything is looked at though nothing waits
	longRest  = time.Second     // the longest pause between two seals under load
)

// Run seals until ctx ends: soon after a posting, in batches that grow with the load, and clears when it is quiet. Where there
// are several processes only the holder of the lease does; when it dies another goes on within seconds. Failures are told to
// failed, which may be nil, and tried again.
func (s *Service) Run(ctx context.Context, failed func(error)) {
	if s.lease == nil {
		s.run(ctx, failed)
		return
	}
	s.lease.Hold(ctx, func(ctx context.Context, token int64) {
		s.sealer.hold(token)
		defer s.sealer.hold(0)
		s.run(ctx, failed)
	})
}

func (s *sealer) hold(token int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Nudge says that something was posted, perhaps by another process: look now.
func (s *Service) Nudge() { s.sealer.wake() }

func (s *Service) run(ctx context.Context, failed func(error)) {
	s.sealer.fresh.run(s.config.Alone)
	defer s.sealer.fresh.run(false)
	poll := shortPoll
	for ctx.Err() == nil {
		began, cleared := clock.StartStopwatch(), 0
		sealed, err := s.SealOnce(ctx)
		if err == nil && sealed == 0 {
			cleared, err = s.tidy(ctx)
		}
		switch took := began.Elapsed(); {
		case err != nil:
			if ctx.Err() == nil && failed != nil {
				failed(err)
			}
			s.pause(ctx, longRest)
		case sealed >= min(s.config.SealBatch, farBehind/2) || cleared > 0: // there is more to do
			poll = shortPoll
		case sealed > 0:
			s.pause(ctx, min(max(s.config.SealEvery, 2*took), longRest))
			poll = shortPoll
		default:
			idle := clock.StartStopwatch()
			for ctx.Err() == nil && !s.await(ctx, poll) && idle.Elapsed() < fullLook && !s.somethingWaits(ctx) {
				poll = s.longer(poll)
			}
		}
	}
}

func (s *Service) longer(poll time.Duration) time.Duration {
	most := longPoll
	if s.config.Alone {
		most = alonePoll
	}
	return min(2*poll, most)
}

// somethingWaits looks for a posting with one reading, when everything was sealed and cleared a moment ago.
func (s *Service) somethingWaits(ctx context.Context) bool {
	page, err := s.book.Entries.Find(ctx, docstore.By("unsealed").Between(s.config.Book+"/", book.UnsealedEnd(s.config.Book)).First(1))
	return err != nil || len(page.Items) > 0
}

func (s *Service) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// await reports whether something was posted here, a moment after it was, so that others join it in the seal.
func (s *Service) await(ctx context.Context, poll time.Duration) bool {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.sealer.posted:
		s.pause(ctx, s.config.SealEvery)
		return true
	}
	return false
}
