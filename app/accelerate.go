package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"guanxi/internal/edge"
	"guanxi/internal/redisx"
)

// sessions lets other processes find a session without asking the store.
type sessions struct{ cache *redisx.Cache }

func (s sessions) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, found := s.cache.Get(ctx, key)
	return value, found, nil
}

func (s sessions) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.cache.Put(ctx, key, value, ttl)
	return nil
}

func (s sessions) Drop(ctx context.Context, key string) error {
	s.cache.Drop(ctx, key)
	return nil
}

// limiter spends rate-limit tokens of one member or address.
type limiter struct {
	limiter *redisx.Limiter
	rate    redisx.Rate
}

// strangersPerMinute is what an address spends on tokens that are nobody's, whatever else it may: at four each, sixty a
// minute, enough for the phones behind one carrier's address whose sessions have just ended.
const strangersPerMinute = 240

func (l limiter) Allow(ctx context.Context, who string, tokens int) (time.Duration, bool) {
	rate := l.rate
	if strings.HasPrefix(who, edge.Stranger) {
		rate.Count = min(rate.Count, strangersPerMinute)
	}
	v := l.limiter.AllowN(ctx, "edge:"+who, rate, tokens)
	return v.RetryAfter, v.Allowed
}

// Accelerate puts what Redis offers into the configuration. An embedded one has nobody to share sessions with: the
// process's own memory of them is closer.
func (c *Config) Accelerate(r *redisx.Redis, perMinute int) {
	if !r.Embedded() {
		c.Nudges = r
		c.Sessions = sessions{r.Cache(redisx.CacheConfig{Space: "session"})}
	}
	gate := redisx.GateConfig{Trust: time.Second}
	if !r.Embedded() {
		gate.SoldOut = time.Millisecond // units may come back in another process, which reopens the shared gate, not our memory
	}
	c.Gate = r.Gate(gate)
	if perMinute > 0 {
		c.Limiter = limiter{r.Limiter(), redisx.Rate{Count: perMinute, Per: time.Minute}}
	}
}

// StandAlone tells the domains that no other process uses the store, as with the embedded one: what this process
// remembers cannot be outdated by somebody else. A session revoked here is over here at once, however long it is believed.
func (c *Config) StandAlone() {
	c.Commission.Alone = true
	c.Member.CacheFor = time.Minute
	if c.Pace.Rest == 0 {
		c.Pace.Rest = restAlone
	}
}

// locker lets one process fetch a platform token for all.
type locker struct{ lock *redisx.Lock }

func (l locker) Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error) {
	lease, held := l.lock.TryLock(ctx, name, ttl)
	if !held {
		return nil, errHeld
	}
	return func() { lease.Release(context.WithoutCancel(ctx)) }, nil
}

var errHeld = errors.New("app: another process holds the lock")
