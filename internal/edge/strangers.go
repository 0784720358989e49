package edge

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"guanxi/internal/clock"
	"guanxi/internal/fault"
)

// A token that is nobody's costs its address this much; when the address has nothing left, no token from it is looked up
// in the store any more, except those that are marked as handed out by us.
const (
	// Stranger begins the name under which the Limiter is asked for an address whose tokens are nobody's: a rate of its
	// own belongs there, which a generous one for members does not widen.
	Stranger = "stranger:"

	strangerWeight = 4
	maxStrangers   = 10_000 // addresses remembered
)

type strangers struct {
	mu    sync.Mutex
	until map[string]time.Time // by address: nothing is looked up before
}

// recognise is authenticate, with the address charged for tokens that are nobody's before the store is asked.
func (e *Edge) recognise(hc huma.Context, op Operation) (context.Context, error) {
	if op.Open || e.config.Limiter == nil {
		return e.authenticate(hc, op)
	}
	address, now := e.addressOf(hc), e.config.Clock.Now()
	if wait := e.strangers.banned(address, now); wait > 0 && !e.genuine(hc) {
		return hc.Context(), &retryLater{wait}
	}
	ctx, err := e.authenticate(hc, op)
	if f := fault.Of(err); f != nil && f.Kind == fault.Unauthenticated {
		if wait, ok := e.config.Limiter.Allow(ctx, Stranger+address, strangerWeight); !ok {
			e.strangers.ban(address, now.Add(wait))
			return ctx, &retryLater{wait}
		}
	}
	return ctx, err
}

func (e *Edge) genuine(hc huma.Context) bool {
	token, given := strings.CutPrefix(hc.Header("Authorization"), "Bearer ")
	return given && e.config.Genuine != nil && e.config.Genuine(token)
}

// banned is for how long nothing from an address is looked up; 0 when it may be.
func (s *strangers) banned(address string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, hot := s.until[address]
	if hot && !until.After(now) {
		delete(s.until, address)
		return 0
	}
	if !hot {
		return 0
	}
	return until.Sub(now)
}

func (s *strangers) ban(address string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= maxStrangers {
		s.until = map[string]time.Time{} // whoever is forgotten is banned again by the bucket
	}
	s.until[address] = until
}

// Sampled is a log line that somebody outside can cause at will: the first one is written, and then one a while with the
// number of those in between. It is safe for concurrent use.
type Sampled struct {
	Every time.Duration // default 10 s
	Clock clock.Clock

	mu     sync.Mutex
	last   time.Time
	passed int
}

// Warn writes the line, or counts it.
func (s *Sampled) Warn(ctx context.Context, log *slog.Logger, message string, args ...any) {
	now := s.Clock.Now()
	s.mu.Lock()
	every := s.Every
	if every == 0 {
		every = 10 * time.Second
	}
	if !s.last.IsZero() && now.Sub(s.last) < every {
		s.passed++
		s.mu.Unlock()
		return
	}
	passed := s.passed
	s.last, s.passed = now, 0
	s.mu.Unlock()
	log.WarnContext(ctx, message, append(args, "more_since_last", passed)...)
}
