package redisx

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

// CacheConfig tunes a Cache.
type CacheConfig struct {
	Space string        // keeps the keys of several caches apart: "session"
	TTL   time.Duration // longest life of an entry; default 1 min
	// Near is how long an entry is answered from the process's own memory. A drop is broadcast and obeyed at once where
	// it is heard; where it is not, Near bounds how long the old value is seen. Default 0: no near copies.
	Near time.Duration
	Size int // near entries; default 20,000
}

// Cache keeps copies of bytes. A miss is never an error: ask the store.
//
// After Drop(key) returned, no process reads the old value from Redis, even if another one had loaded it from the
// store before the drop and puts it after: a drop leaves a mark that refuses puts for TTL. If Redis could not be told,
// this process refuses the key by itself and others may see the old value until its TTL ends. That is the bound: TTL in
// the worst case, nothing (or Near, if the broadcast is lost) in the ordinary one.
type Cache struct {
	redis   *Redis
	config  CacheConfig
	near    *memory[[]byte]
	dropped *memory[bool] // dropped here: outlives any copy, whatever Redis says
}

// Cache makes a cache.
func (r *Redis) Cache(c CacheConfig) *Cache {
	if c.TTL <= 0 {
		c.TTL = time.Minute
	}
	if c.Size <= 0 {
		c.Size = 20_000
	}
	cache := &Cache{
		redis: r, config: c,
		near: newMemory[[]byte](r.config.Clock, c.Size), dropped: newMemory[bool](r.config.Clock, 10*c.Size),
	}
	r.hear("drop", func(text string) {
		if space, key, _ := strings.Cut(text, " "); space == c.Space {
			cache.forget(key)
		}
	})
	return cache
}

// An entry is "=" and the bytes, the mark of a drop is "x".
const (
	entryMark = "="
	dropMark  = "x"
)

var putScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == 'x' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// Get returns the copy, if there is one.
func (c *Cache) Get(ctx context.Context, key string) (value []byte, ok bool) {
	if c.refuses(key) {
		return nil, false
	}
	if value, ok := c.near.get(key); ok {
		return append([]byte(nil), value...), true
	}
	var stored string
	err := c.redis.do(ctx, func(ctx context.Context) (err error) {
		stored, err = c.redis.conn().Get(ctx, c.key(key)).Result()
		return err
	})
	text, ok := strings.CutPrefix(stored, entryMark)
	if err != nil || !ok || c.refuses(key) { // it may have been dropped while we read
		return nil, false
	}
	c.remember(key, []byte(text))
	return []byte(text), true
}

// Put keeps a copy for ttl, at most CacheConfig.TTL.
func (c *Cache) Put(ctx context.Context, key string, value []byte, ttl time.Duration) {
	if ttl > c.config.TTL {
		ttl = c.config.TTL
	}
	if ttl < time.Millisecond || c.refuses(key) {
		return
	}
	stored := int64(0)
	err := c.redis.do(ctx, func(ctx context.Context) (err error) {
		stored, err = putScript.Run(ctx, c.redis.conn(), []string{c.key(key)}, entryMark+string(value), strconv.FormatInt(ttl.Milliseconds(), 10)).Int64()
		return err
	})
	if err == nil && stored == 1 && ttl >= c.config.Near {
		c.remember(key, append([]byte(nil), value...))
	}
}

// Drop makes the copy unreadable. It cannot fail: see Cache for what holds when Redis is away.
func (c *Cache) Drop(ctx context.Context, key string) {
	c.forget(key)
	_ = c.redis.do(ctx, func(ctx context.Context) error {
		return c.redis.conn().Set(ctx, c.key(key), dropMark, c.config.TTL).Err()
	})
	c.redis.tell(ctx, "drop", c.config.Space+" "+key)
}

func (c *Cache) refuses(key string) bool {
	_, gone := c.dropped.get(key)
	return gone
}

func (c *Cache) remember(key string, value []byte) {
	if c.config.Near <= 0 {
		return
	}
	c.near.put(key, value, c.config.Near)
	if c.refuses(key) { // a drop came in between and may have found nothing to forget
		c.near.drop(key)
	}
}

func (c *Cache) forget(key string) {
	c.dropped.put(key, true, c.config.TTL)
	c.near.drop(key)
}

func (c *Cache) key(key string) string { return c.redis.key("cache:"+c.config.Space, key) }
