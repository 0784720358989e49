package weixin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/silenceper/wechat/v2/miniprogram"
	"github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/util"

	"guanxi/internal/clock"
	"guanxi/platform/weixin/wire"
)

// Config is what the mini-program has been given, and what may be shared between processes.
type Config struct {
	AppID, AppSecret string
	MchID            string // names orders in UploadShipping when there is no transaction id

	BaseURL    string        // of a sandbox; empty: the platform
	Timeout    time.Duration // of one call; default 10 s
	Clock      clock.Clock   // ages the token; default the machine's
	Cache      wire.Cache    // shares the token between processes (silenceper's cache.Cache is one); nil: each keeps its own
	Lock       wire.Locker   // lets one process fetch for all; nil or failing: each fetches for itself, which is safe
	EnvVersion string        // which version code images open: release (default), trial, develop
	CheckPage  bool          // have the platform check that a code image's page is published
}

// Client talks to WeChat for one mini-program. It is safe for concurrent use.
type Client struct {
	cfg     Config
	road    http.RoundTripper
	idle    func()
	tokens  *wire.TokenKeeper
	program *miniprogram.MiniProgram
}

// New checks the configuration; it sends nothing.
func New(cfg Config) (*Client, error) {
	if cfg.AppID == "" || cfg.AppSecret == "" {
		return nil, errors.New("weixin: AppID and AppSecret are required")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.EnvVersion == "" {
		cfg.EnvVersion = "release"
	}
	client, err := wire.NewClient(wire.Config{BaseURL: cfg.BaseURL, Timeout: cfg.Timeout})
	if err != nil {
		return nil, fmt.Errorf("weixin: %w", err)
	}
	useOurRoad()
	c := &Client{cfg: cfg, road: client.Transport, idle: client.CloseIdleConnections}
	c.tokens = wire.NewTokenKeeper(wire.TokenConfig{
		Clock: cfg.Clock, Cache: cfg.Cache, Lock: cfg.Lock, Key: "guanxi:weixin:token:" + cfg.AppID,
		Fetch: c.fetchToken, CanForce: true,
	})
	c.program = miniprogram.NewMiniProgram(&config.Config{AppID: cfg.AppID, AppSecret: cfg.AppSecret, Cache: nothing{}})
	c.program.SetAccessTokenContextHandle(carried{})
	return c, nil
}

// Shutdown lets go of idle connections.
func (c *Client) Shutdown() { c.idle() }

// nothing is the cache the SDK panics without; its own token handle, which would use it, is replaced at once.
type nothing struct{}

func (nothing) Get(string) any                       { return nil }
func (nothing) Set(string, any, time.Duration) error { return nil }
func (nothing) IsExist(string) bool                  { return false }
func (nothing) Delete(string) error                  { return nil }

type (
	roadKey  struct{}
	tokenKey struct{}
)

// useOurRoad replaces the SDK's process-wide HTTP client, once. Whoever else uses the SDK in this process, without
// a road in the context, gets the default transport as before, now with a time limit.
var useOurRoad = sync.OnceFunc(func() {
	util.DefaultHTTPClient = &http.Client{
		Transport: byContext{}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
})

// byContext sends a request along the road its context names.
type byContext struct{}

func (byContext) RoundTrip(r *http.Request) (*http.Response, error) {
	if road, ok := r.Context().Value(roadKey{}).(http.RoundTripper); ok {
		return road.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// carried hands the SDK the token that withToken has put into the context.
type carried struct{}

var errNoToken = errors.New("weixin: a call without a token")

// GetAccessToken is for the SDK's calls without a context, which are not used.
func (carried) GetAccessToken() (string, error) { return "", errNoToken }

// GetAccessTokenContext gives the token of this attempt.
func (carried) GetAccessTokenContext(ctx context.Context) (string, error) {
	if token, ok := ctx.Value(tokenKey{}).(string); ok {
		return token, nil
	}
	return "", errNoToken
}

// bounded puts the road and the time limit into the context.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, roadKey{}, c.road), c.cfg.Timeout)
}

// withToken runs do with a token; if the platform says that the token is bad or expired, once more with another.
func (c *Client) withToken(ctx context.Context, op string, do func(ctx context.Context, token string) error) error {
	token, err := c.tokens.Get(ctx)
	for attempt := 0; ; attempt++ {
		if err != nil {
			return refine(op, err)
		}
		err = c.once(ctx, op, token, do)
		if !tokenRefused(err) || attempt > 0 {
			return err
		}
		token, err = c.tokens.Replace(ctx, token)
	}
}

func (c *Client) once(ctx context.Context, op, token string, do func(context.Context, string) error) error {
	ctx, cancel := c.bounded(context.WithValue(ctx, tokenKey{}, token))
	defer cancel()
	return refine(op, do(ctx, token))
}

const host = "https://api.weixin.qq.com"

// post sends JSON with the token and reads the answer into out, which embeds util.CommonError.
func (c *Client) post(ctx context.Context, op, path string, in, out any) error {
	return c.withToken(ctx, op, func(ctx context.Context, token string) error {
		body, err := util.PostJSONContext(ctx, host+path+"?access_token="+token, in)
		if err != nil {
			return err
		}
		return util.DecodeWithError(body, out, op)
	})
}
