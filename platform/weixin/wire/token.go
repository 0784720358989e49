package wire

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"guanxi/internal/clock"
)

const (
	forcedApart = 30 * time.Second // the platform allows a forced refresh this often (and 20 a day)
	lockLives   = 15 * time.Second
)

// ErrTokenRepeated: the platform gives out a token that it refuses.
var ErrTokenRepeated = errors.New("wire: the platform repeats a token that it refuses")

// Grant is an access token and until when to use it.
type Grant struct {
	Token string
	Until time.Time
}

// Cache shares a token between processes; silenceper's cache.Cache is one.
type Cache interface {
	Get(key string) any
	Set(key string, value any, ttl time.Duration) error
}

// contextCache is what silenceper's caches can do beside.
type contextCache interface {
	GetContext(ctx context.Context, key string) any
	SetContext(ctx context.Context, key string, value any, ttl time.Duration) error
}

// Locker is a lock between processes. It expires by itself after ttl.
type Locker interface {
	Lock(ctx context.Context, name string, ttl time.Duration) (unlock func(), err error)
}

// TokenConfig shapes a TokenKeeper. Cache and Lock may be nil.
type TokenConfig struct {
	Clock clock.Clock
	Cache Cache
	Lock  Locker
	Key   string // under which the cache holds the token and the lock is taken
	// Fetch asks the platform for a token; force asks it to make a new one although the old one should still work.
	Fetch    func(ctx context.Context, force bool) (Grant, error)
	CanForce bool
}

// TokenKeeper keeps one application's access token: in memory, behind that in the shared cache, behind that at the
// platform. Cache and lock are accelerators: when they fail, every process asks for itself.
type TokenKeeper struct {
	TokenConfig

	busy   chan struct{} // one caller renews, the others wait for it or for their own context
	mu     sync.Mutex
	now    Grant
	forced time.Time // when this process last forced; guarded by busy
}

// NewTokenKeeper builds a keeper; it asks for nothing yet.
func NewTokenKeeper(c TokenConfig) *TokenKeeper {
	return &TokenKeeper{TokenConfig: c, busy: make(chan struct{}, 1)}
}

// Get gives a token that should work.
func (t *TokenKeeper) Get(ctx context.Context) (string, error) { return t.other(ctx, "") }

// Replace gives another token than the one the platform has just refused.
func (t *TokenKeeper) Replace(ctx context.Context, bad string) (string, error) {
	return t.other(ctx, bad)
}

// other gives a good token that is not bad: from memory, from the cache, or a new one.
func (t *TokenKeeper) other(ctx context.Context, bad string) (string, error) {
	if g, ok := t.held(bad); ok {
		return g.Token, nil
	}
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if g, ok := t.held(bad); ok { // somebody renewed while we waited
		return g.Token, nil
	}
	if g, ok := t.shared(ctx, bad); ok {
		t.hold(g)
		return g.Token, nil
	}
	if t.Lock != nil {
		if unlock, err := t.Lock.Lock(ctx, t.Key, lockLives); err == nil {
			defer unlock()
			if g, ok := t.shared(ctx, bad); ok {
				t.hold(g)
				return g.Token, nil
			}
		}
	}
	g, err := t.renew(ctx, bad)
	if err != nil {
		return "", err
	}
	t.hold(g)
	t.share(ctx, g)
	return g.Token, nil
}

// renew asks the platform. It repeats a token until that is nearly over; if it repeats the one that it refuses, only
// force helps.
func (t *TokenKeeper) renew(ctx context.Context, bad string) (Grant, error) {
	g, err := t.Fetch(ctx, false)
	if err != nil || g.Token != bad {
		return g, err
	}
	if now := t.Clock.Now(); t.CanForce && now.Sub(t.forced) >= forcedApart {
		t.forced = now
		return t.Fetch(ctx, true)
	}
	return Grant{}, ErrTokenRepeated
}

func (t *TokenKeeper) good(g Grant, bad string) bool {
	return g.Token != "" && g.Token != bad && t.Clock.Now().Before(g.Until)
}

func (t *TokenKeeper) held(bad string) (Grant, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now, t.good(t.now, bad)
}

func (t *TokenKeeper) hold(g Grant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = g
}

// shared reads "<unix milliseconds> <token>" from the cache; anything else is no token.
func (t *TokenKeeper) shared(ctx context.Context, bad string) (Grant, bool) {
	var found any
	switch c := t.Cache.(type) {
	case nil:
	case contextCache:
		found = c.GetContext(ctx, t.Key)
	default:
		found = t.Cache.Get(t.Key)
	}
	value := ""
	switch v := found.(type) {
	case string:
		value = v
	case []byte:
		value = string(v)
	}
	when, token, ok := strings.Cut(value, " ")
	ms, err := strconv.ParseInt(when, 10, 64)
	if !ok || err != nil {
		return Grant{}, false
	}
	g := Grant{token, time.UnixMilli(ms)}
	return g, t.good(g, bad)
}

func (t *TokenKeeper) share(ctx context.Context, g Grant) {
	ttl := g.Until.Sub(t.Clock.Now())
	if ttl < time.Second {
		return
	}
	value := strconv.FormatInt(g.Until.UnixMilli(), 10) + " " + g.Token
	switch c := t.Cache.(type) {
	case nil:
	case contextCache:
		_ = c.SetContext(ctx, t.Key, value, ttl)
	default:
		_ = t.Cache.Set(t.Key, value, ttl)
	}
}

// TokenLife is how long a token of so many seconds is used: until margin before its end, or half of a life too short
// for the margin.
func TokenLife(seconds int64, margin time.Duration) time.Duration {
	whole := time.Duration(seconds) * time.Second
	return max(whole-margin, whole/2)
}
