package app

import (
	"context"
	"time"

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

func (l limiter) Allow(ctx context.Context, who string, tokens int) (time.Duration, bool) {
	for range tokens {
		if v := l.limiter.Allow(ctx, "edge:"+who, l.rate); !v.Allowed {
			return v.RetryAfter, false
		}
	}
	return 0, true
}

// Accelerate puts what Redis offers into the configuration.
func (c *Config) Accelerate(r *redisx.Redis, perMinute int) {
	c.Sessions = sessions{r.Cache(redisx.CacheConfig{})}
	if perMinute > 0 {
		c.Limiter = limiter{r.Limiter(), redisx.Rate{Count: perMinute, Per: time.Minute}}
	}
}
