package redisx

import (
	"context"
	"fmt"
	"time"
)

// shortToken is how long a token is kept whose caller computed no life for it. The SDK takes a margin off
// expires_in (300 s, 1500 s for WeCom) and gets zero or less from a server that hands out nearly spent tokens; keeping
// it a moment spares the platform a request per call, and a dead token is deleted by whoever meets 40001.
const shortToken = 5 * time.Second

// TokenCache holds platform access tokens for silenceper/wechat (its cache.Cache and cache.ContextCache). What it is
// told is always kept in the process too: without Redis the process goes on with its own tokens, and nothing fails
// because Redis does.
type TokenCache struct {
	redis    *Redis
	local    *memory[string]
	unsynced *memory[bool] // keys Redis has not been told of: our own memory is right
}

const tokenKeys = 2000

// TokenCache makes a token cache.
func (r *Redis) TokenCache() *TokenCache {
	clock := r.config.Clock
	return &TokenCache{redis: r, local: newMemory[string](clock, tokenKeys), unsynced: newMemory[bool](clock, tokenKeys)}
}

// Get returns the token as a string, or nil.
func (c *TokenCache) Get(key string) any { return c.GetContext(context.Background(), key) }

// GetContext is Get.
func (c *TokenCache) GetContext(ctx context.Context, key string) any {
	if _, behind := c.unsynced.get(key); behind {
		c.sync(ctx, key)
		return c.own(key)
	}
	var token string
	err := c.redis.do(ctx, func(ctx context.Context) (err error) {
		token, err = c.redis.conn().Get(ctx, c.redis.key("token", key)).Result()
		return err
	})
	switch {
	case err == nil:
		return token
	case isMiss(err): // another process may have deleted a dead token: our copy is not to be believed
		c.local.drop(key)
		return nil
	}
	return c.own(key)
}

// own must not return a typed empty string: the SDK compares with nil.
func (c *TokenCache) own(key string) any {
	if token, ok := c.local.get(key); ok {
		return token
	}
	return nil
}

// Set keeps a token. It fails only for values that are not text.
func (c *TokenCache) Set(key string, val any, timeout time.Duration) error {
	return c.SetContext(context.Background(), key, val, timeout)
}

// SetContext is Set.
func (c *TokenCache) SetContext(ctx context.Context, key string, val any, timeout time.Duration) error {
	var token string
	switch v := val.(type) {
	case string:
		token = v
	case []byte:
		token = string(v)
	default:
		return fmt.Errorf("redisx: a token cannot be a %T", val)
	}
	if timeout < time.Second {
		timeout = shortToken
	}
	c.local.put(key, token, timeout)
	c.sync(ctx, key)
	return nil
}

// IsExist tells whether Get would find something.
func (c *TokenCache) IsExist(key string) bool { return c.IsExistContext(context.Background(), key) }

// IsExistContext is IsExist.
func (c *TokenCache) IsExistContext(ctx context.Context, key string) bool {
	return c.GetContext(ctx, key) != nil
}

// Delete forgets a token, here at once and in Redis as soon as it can be told.
func (c *TokenCache) Delete(key string) error { return c.DeleteContext(context.Background(), key) }

// DeleteContext is Delete.
func (c *TokenCache) DeleteContext(ctx context.Context, key string) error {
	c.local.drop(key)
	c.sync(ctx, key)
	return nil
}

// sync makes Redis say what this process knows about the key.
func (c *TokenCache) sync(ctx context.Context, key string) {
	token, until := c.local.look(key)
	err := c.redis.do(ctx, func(ctx context.Context) error {
		if left := until.Sub(c.redis.config.Clock.Now()); !until.IsZero() && left >= time.Millisecond {
			return c.redis.conn().Set(ctx, c.redis.key("token", key), token, left).Err()
		}
		return c.redis.conn().Del(ctx, c.redis.key("token", key)).Err()
	})
	if err != nil {
		c.unsynced.put(key, true, 2*time.Hour)
		return
	}
	c.unsynced.drop(key)
}
