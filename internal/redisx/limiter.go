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
	return &Limiter{redis: r, local: newMemory[int64](r.config.Clock, limiterKeys)}
}

// The bucket is one number: the microsecond at which it will be full again. A number further ahead than an empty
// bucket (another instance's clock, an older rate) is cut down, so that nobody is locked out.
var limiterScript = redis.NewScript(`
local now, step, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if full < now then full = now end
if full > now + step * burst then full = now + step * burst end
local wait = full + step - step * burst - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full + step), 'PX', string.format('%.0f', math.ceil((full + step - now) / 1000) + 1))
return 0`)

// Allow takes one token of the key's bucket, or says when to come again. A rate that allows nothing refuses.
func (l *Limiter) Allow(ctx context.Context, key string, rate Rate) Verdict {
	if rate.Count <= 0 || rate.Per <= 0 {
		return Verdict{RetryAfter: time.Minute}
	}
	if rate.Burst <= 0 {
		rate.Burst = rate.Count
	}
	step := max(rate.Per.Microseconds()/int64(rate.Count), 1)
	now := l.redis.config.Clock.Now().UnixMicro()
	if wait := l.takeLocal(key, now, step, int64(rate.Burst)); wait > 0 {
		return refused(wait)
	}
	var wait int64
	err := l.redis.do(ctx, func(ctx context.Context) (err error) {
		keys := []string{l.redis.key("limit", key)}
		wait, err = limiterScript.Run(ctx, l.redis.conn(), keys, now, step, rate.Burst).Int64()
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

func (l *Limiter) takeLocal(key string, now, step, burst int64) (wait int64) {
	l.local.change(key, func(full int64, _ bool) (int64, time.Duration) {
		full = min(max(full, now), now+step*burst)
		if wait = full + step - step*burst - now; wait <= 0 {
			full += step
		}
		return full, time.Duration(full-now)*time.Microsecond + time.Millisecond
	})
	return wait
}
