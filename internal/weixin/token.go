package weixin

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/util"

	"guanxi/internal/clock"
)

const (
	tokenMargin = 5 * time.Minute  // a stable token is renewed when it has less than this: both work meanwhile
	forcedApart = 30 * time.Second // the platform allows a forced refresh this often (and 20 a day)
	lockLives   = 15 * time.Second
)

// grant is a token and when it stops being good.
type grant struct {
	token   string
	expires time.Time
}

// tokens keeps the app's access token: in memory, behind that in the shared cache, behind that at the platform.
type tokens struct {
	clock clock.Clock
	cache cache.Cache
	lock  Locker
	key   string
	fetch func(ctx context.Context, force bool) (grant, error)

	busy chan struct{} // one caller renews, the others wait for it or for their own context
	mu   sync.Mutex
	now  grant
	// forced is when this process last used force_refresh.
	forced time.Time
}

func newTokens(cfg Config, fetch func(context.Context, bool) (grant, error)) *tokens {
	return &tokens{
		clock: cfg.Clock, cache: cfg.Cache, lock: cfg.Lock, key: "guanxi:weixin:token:" + cfg.AppID,
		fetch: fetch, busy: make(chan struct{}, 1),
	}
}

func (t *tokens) get(ctx context.Context) (string, error) { return t.other(ctx, "") }

// replace gives another token than the one the platform has just refused.
func (t *tokens) replace(ctx context.Context, bad string) (string, error) { return t.other(ctx, bad) }

// other gives a good token that is not bad: from memory, from the cache, or a new one.
func (t *tokens) other(ctx context.Context, bad string) (string, error) {
	if g, ok := t.held(bad); ok {
		return g.token, nil
	}
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", ErrAway, ctx.Err())
	}
	if g, ok := t.held(bad); ok { // somebody renewed while we waited
		return g.token, nil
	}
	if g, ok := t.shared(ctx, bad); ok {
		t.hold(g)
		return g.token, nil
	}
	if t.lock != nil {
		if unlock, err := t.lock.Lock(ctx, t.key, lockLives); err == nil {
			defer unlock()
			if g, ok := t.shared(ctx, bad); ok {
				t.hold(g)
				return g.token, nil
			}
		}
	}
	g, err := t.renew(ctx, bad)
	if err != nil {
		return "", err
	}
	t.hold(g)
	t.share(ctx, g)
	return g.token, nil
}

// renew asks the platform. The stable token stays the same until it is nearly over; if the platform repeats the one
// that it refuses, only force_refresh helps.
func (t *tokens) renew(ctx context.Context, bad string) (grant, error) {
	g, err := t.fetch(ctx, false)
	if err != nil || g.token != bad {
		return g, err
	}
	if now := t.clock.Now(); now.Sub(t.forced) >= forcedApart {
		t.forced = now
		return t.fetch(ctx, true)
	}
	return grant{}, fmt.Errorf("%w: the platform repeats a token that it refuses", ErrAway)
}

func (t *tokens) good(g grant, bad string) bool {
	return g.token != "" && g.token != bad && t.clock.Now().Before(g.expires)
}

func (t *tokens) held(bad string) (grant, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now, t.good(t.now, bad)
}

func (t *tokens) hold(g grant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = g
}

// shared reads "<unix milliseconds> <token>" from the cache; anything else is no token.
func (t *tokens) shared(ctx context.Context, bad string) (grant, bool) {
	if t.cache == nil {
		return grant{}, false
	}
	value := ""
	switch v := cache.GetContext(ctx, t.cache, t.key).(type) {
	case string:
		value = v
	case []byte:
		value = string(v)
	}
	when, token, ok := strings.Cut(value, " ")
	ms, err := strconv.ParseInt(when, 10, 64)
	if !ok || err != nil {
		return grant{}, false
	}
	g := grant{token, time.UnixMilli(ms)}
	return g, t.good(g, bad)
}

// share is best effort: without the cache every process asks for itself, and gets the same stable token.
func (t *tokens) share(ctx context.Context, g grant) {
	ttl := g.expires.Sub(t.clock.Now())
	if t.cache == nil || ttl < time.Second {
		return
	}
	_ = cache.SetContext(ctx, t.cache, t.key, strconv.FormatInt(g.expires.UnixMilli(), 10)+" "+g.token, ttl)
}

// fetchToken is POST /cgi-bin/stable_token.
func (c *Client) fetchToken(ctx context.Context, force bool) (grant, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	body, err := util.PostJSONContext(ctx, host+"/cgi-bin/stable_token", map[string]any{
		"grant_type": "client_credential", "appid": c.cfg.AppID, "secret": c.cfg.AppSecret, "force_refresh": force,
	})
	if err != nil {
		return grant{}, refine("token", err)
	}
	var out struct {
		util.CommonError
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := util.DecodeWithError(body, &out, "token"); err != nil {
		return grant{}, refine("token", err)
	}
	if out.Token == "" || out.Seconds <= 0 {
		return grant{}, fmt.Errorf("weixin: token: %w: an answer without a token", ErrAway)
	}
	return grant{out.Token, c.cfg.Clock.Now().Add(lifetime(out.Seconds))}, nil
}

// lifetime is how long a token is used: until the margin, or half of a life too short for the margin.
func lifetime(seconds int64) time.Duration {
	whole := time.Duration(seconds) * time.Second
	return max(whole-tokenMargin, whole/2)
}
