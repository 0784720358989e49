package redisx

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/go-redis/redis/v8"
)

// Lock keeps several processes from doing the same work at the same time. It is a courtesy: a holder that sleeps longer
// than its lease is not the only one any more, and without Redis the lock holds inside this process only. Where it
// matters, write under Lease.Token: tokens of one key only grow, over flushes and restarts of Redis too, so that a
// writer can be refused who comes after a younger one.
type Lock struct {
	redis *Redis
	local *memory[held]
	last  *memory[int64] // highest token seen, by key
}

type held struct {
	owner string
	until time.Time
}

// Lease is a lock being held.
type Lease struct {
	Token  int64 // grows with every lease of the key
	Shared bool  // false: Redis is away, only this process knows of it

	lock       *Lock
	key, owner string
}

const lockKeys = 10_000

// Lock makes a lock.
func (r *Redis) Lock() *Lock {
	return &Lock{redis: r, local: newMemory[held](r.config.Clock, lockKeys), last: newMemory[int64](r.config.Clock, lockKeys)}
}

// The token is the greater of "one more than the last" and the microseconds of the clock: a server that forgot the
// last one still gives a greater one. ARGV[4] is the highest this process has seen.
var lockScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local token = math.max(last + 1, tonumber(ARGV[3]), tonumber(ARGV[4]) + 1)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', token), 'PX', 86400000)
return token`)

var unlockScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// TryLock takes the lease for ttl unless somebody holds it.
func (l *Lock) TryLock(ctx context.Context, key string, ttl time.Duration) (*Lease, bool) {
	ttl = max(ttl, time.Millisecond)
	lease := &Lease{lock: l, key: key, owner: rand.Text()}
	if !l.takeLocal(key, lease.owner, ttl) {
		return nil, false
	}
	now := l.redis.config.Clock.Now().UnixMicro()
	seen, _ := l.last.get(key)
	err := l.redis.do(ctx, func(ctx context.Context) (err error) {
		keys := []string{l.redis.key("lock", key), l.redis.key("fence", key)}
		lease.Token, err = lockScript.Run(ctx, l.redis.conn(), keys, lease.owner, ttl.Milliseconds(), now, seen).Int64()
		return err
	})
	switch {
	case err != nil:
		lease.Token = max(now, seen+1)
	case lease.Token == 0:
		l.freeLocal(key, lease.owner)
		return nil, false
	default:
		lease.Shared = true
	}
	l.last.change(key, func(old int64, _ bool) (int64, time.Duration) { return max(old, lease.Token), 24 * time.Hour })
	return lease, true
}

// Release gives the lease back; it never takes it from a later holder.
func (l *Lease) Release(ctx context.Context) {
	l.lock.freeLocal(l.key, l.owner)
	_ = l.lock.redis.do(ctx, func(ctx context.Context) error {
		return unlockScript.Run(ctx, l.lock.redis.conn(), []string{l.lock.redis.key("lock", l.key)}, l.owner).Err()
	})
}

func (l *Lock) takeLocal(key, owner string, ttl time.Duration) (taken bool) {
	now := l.redis.config.Clock.Now()
	l.local.change(key, func(h held, ok bool) (held, time.Duration) {
		if taken = !ok; taken {
			h = held{owner, now.Add(ttl)}
		}
		return h, h.until.Sub(now)
	})
	return taken
}

func (l *Lock) freeLocal(key, owner string) {
	now := l.redis.config.Clock.Now()
	l.local.change(key, func(h held, ok bool) (held, time.Duration) {
		if !ok || h.owner == owner {
			return h, 0
		}
		return h, h.until.Sub(now)
	})
}
