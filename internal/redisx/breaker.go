package redisx

import (
	"log/slog"
	"sync"
	"time"

	"guanxi/internal/clock"
)

// breaker answers for a server that does not: closed (calls pass), open (calls are refused at once) and, after a
// rest, half open (one call probes).
type breaker struct {
	clock clock.Clock
	log   *slog.Logger
	trip  int
	rest  time.Duration

	mu       sync.Mutex
	failures int       // in a row
	until    time.Time // open until then
	probing  bool
}

func newBreaker(c Config) *breaker {
	return &breaker{clock: c.Clock, log: c.Log, trip: c.Trip, rest: c.Rest}
}

func (b *breaker) admit() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.trip {
		return true
	}
	if b.probing || b.clock.Now().Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

func (b *breaker) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures >= b.trip {
		b.log.Info("redis is back")
	}
	b.failures, b.probing = 0, false
}

// failed tells whether this failure was the one that opened the breaker.
func (b *breaker) failed(err error) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.probing = false
	if b.failures >= b.trip {
		b.until = b.clock.Now().Add(b.rest)
	}
	if b.failures == b.trip {
		b.log.Warn("redis is away", "error", err)
	}
	return b.failures == b.trip
}

// unknown ends a call that told nothing about the server.
func (b *breaker) unknown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}
