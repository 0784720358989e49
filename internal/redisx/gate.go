package redisx

import (
	"context"
	"time"

	"github.com/go-redis/redis/v8"
)

// GateConfig tunes a Gate.
type GateConfig struct {
	Trust   time.Duration // how long a Refill or Close is believed; default 10 s
	SoldOut time.Duration // how long this process answers "sold out" without asking; default 300 ms
}

// Gate refuses early what the store would refuse anyway. It holds an estimate of what is left, refreshed by the
// truth (Refill); without an estimate, or without Redis, it admits. It never refuses longer than Trust+SoldOut
// without hearing from the store again.
type Gate struct {
	redis *Redis
	GateConfig
	soldOut *memory[int64] // smallest number refused, by key
}

// gateKeys bounds the keys remembered as sold out.
const gateKeys = 20_000

// Gate makes an admission gate.
func (r *Redis) Gate(c GateConfig) *Gate {
	if c.Trust <= 0 {
		c.Trust = 10 * time.Second
	}
	if c.SoldOut <= 0 {
		c.SoldOut = 300 * time.Millisecond
	}
	return &Gate{redis: r, GateConfig: c, soldOut: newMemory[int64](r.config.Clock, gateKeys)}
}

// DECRBY keeps the time to live: an estimate nobody renews is forgotten, however many ask.
var dealScript = redis.NewScript(`
local left = redis.call('GET', KEYS[1])
if not left then return 1 end
left = tonumber(left)
if not left then return 1 end
if left < tonumber(ARGV[1]) then return 0 end
redis.call('DECRBY', KEYS[1], ARGV[1])
return 1`)

// Deal tells whether it is worth asking the store for n units of key. True promises nothing.
func (g *Gate) Deal(ctx context.Context, key string, n int64) bool {
	if least, ok := g.soldOut.get(key); ok && n >= least {
		return false
	}
	admitted := true
	if g.redis.alone {
		admitted = g.dealAlone(key, n)
	} else if answer, err := g.dealShared(ctx, key, n); err == nil {
		admitted = answer == 1
	}
	if !admitted {
		g.remember(key, n)
	}
	return admitted
}

func (g *Gate) dealShared(ctx context.Context, key string, n int64) (answer int64, err error) {
	err = g.redis.do(ctx, func(ctx context.Context) (err error) {
		answer, err = dealScript.Run(ctx, g.redis.conn(), []string{g.redis.key("gate", key)}, n).Int64()
		return err
	})
	return answer, err
}

func (g *Gate) dealAlone(key string, n int64) (admitted bool) {
	return g.redis.estimates.adjust(key, func(left int64) (int64, bool) { return left - n, left >= n })
}

func (g *Gate) remember(key string, n int64) {
	g.soldOut.change(key, func(least int64, ok bool) (int64, time.Duration) {
		if ok {
			n = min(n, least)
		}
		return n, g.SoldOut
	})
}

// Refill sets the estimate to what the store says is left: after a campaign opens, when units come back, when the
// store refused, and now and then.
func (g *Gate) Refill(ctx context.Context, key string, left int64) {
	if left > 0 {
		g.soldOut.drop(key)
	} else {
		g.remember(key, 1)
	}
	if g.redis.alone {
		g.redis.estimates.put(key, max(left, 0), g.Trust)
		return
	}
	_ = g.redis.do(ctx, func(ctx context.Context) error {
		return g.redis.conn().Set(ctx, g.redis.key("gate", key), max(left, 0), g.Trust).Err()
	})
}

// Close refuses everything under key for Trust.
func (g *Gate) Close(ctx context.Context, key string) { g.Refill(ctx, key, 0) }

// Reopen forgets what is known about key: the store decides again.
func (g *Gate) Reopen(ctx context.Context, key string) {
	g.soldOut.drop(key)
	if g.redis.alone {
		g.redis.estimates.drop(key)
		return
	}
	_ = g.redis.do(ctx, func(ctx context.Context) error {
		return g.redis.conn().Del(ctx, g.redis.key("gate", key)).Err()
	})
}
