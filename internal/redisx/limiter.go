package redisx

import (
	"context"
	"time"

	"github.com/go-redis/redis/v8"
)

// Rate allows Count per Per, Burst of them at once.
type Rate struct {
	Count int
	Per   time.Duration
	Burst int // default Count
}

// Verdict is a limiter's answer.
type Verdict struct {
	Allowed    bool
	RetryAfter time.Duration // when refused: after this long one more is allowed
}

// Limiter is a token bucket per key, shared by all instances through Redis. Each process keeps a bucket of the same
// size beside it, so that no process ever allows more than the rate, whatever becomes of Redis.
type Limiter struct {
	redis *Redis
	local *memory[int64]
}

// limiterKeys bounds the buckets remembered in the process.
const limiterKeys = 200_000

// Limiter makes a limiter. Give it and its keys a life as long as the process's.
func (r *Redis) Limiter() *Limiter {
	if r.alone {
		return &Limiter{redis: r, local: r.buckets}
	}
	return &Limiter{redis: r, local: newMemory[int64](r.config.Clock, limiterKeys)}
}

// The bucket is one number: the microsecond at which it will be full again. A number further ahead than an empty
// bucket (another instance's clock, an older rate) is cut down, so that nobody is locked out.
var limiterScript = redis.NewScript(`
local now, step, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local full = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if full < now then full = now end
if full > now + step * burst then full = now + step * burst end
local wait = full + step * n - step * burst - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full + step * n), 'PX', string.format('%.0f', math.ceil((full + step * n - now) / 1000) + 1))
return 0`)

// Allow takes one token of the key's bucket, or says when to come again. A rate that allows nothing refuses.
func (l *Limiter) Allow(ctx context.Context, key string, rate Rate) Verdict {
	return l.AllowN(ctx, key, rate, 1)
}

// AllowN takes n tokens at once or none. More than the bucket holds costs the whole bucket, so that it is not refused for
// ever.
func (l *Limiter) AllowN(ctx context.Context, key string, rate Rate, n int) Verdict {
	if rate.Count <= 0 || rate.Per <= 0 {
		return Verdict{RetryAfter: time.Minute}
	}
	if rate.Burst <= 0 {
		rate.Burst = rate.Count
	}
	n = min(max(n, 0), rate.Burst)
	step := max(rate.Per.Microseconds()/int64(rate.Count), 1)
	now := l.redis.config.Clock.Now().UnixMicro()
	if wait := l.takeLocal(key, bucket{now, step, int64(rate.Burst)}, int64(n)); wait > 0 {
		return refused(wait)
	}
	if l.redis.alone {
		return Verdict{Allowed: true}
	}
	var wait int64
	err := l.redis.do(ctx, func(ctx context.Context) (err error) {
		keys := []string{l.redis.key("limit", key)}
		wait, err = limiterScript.Run(ctx, l.redis.conn(), keys, now, step, rate.Burst, n).Int64()
		return err
	})
	if err == nil && wait > 0 {
		return refused(wait)
	}
	return Verdict{Allowed: true}
}

func refused(wait int64) Verdict {
	return Verdict{RetryAfter: max(time.Duration(wait)*time.Microsecond, time.Millisecond)}
}

// bucket is a rate at a moment, in microseconds.
type bucket struct{ now, step, burst int64 }

func (l *Limiter) takeLocal(key string, b bucket, n int64) (wait int64) {
	l.local.change(key, func(full int64, _ bool) (int64, time.Duration) {
		full = min(max(full, b.now), b.now+b.step*b.burst)
		if wait = full + b.step*n - b.step*b.burst - b.now; wait <= 0 {
			full += b.step * n
		}
		return full, time.Duration(full-b.now)*time.Microsecond + time.Millisecond
	})
	return wait
}
