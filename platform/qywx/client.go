package qywx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"guanxi/internal/clock"
	"guanxi/platform/weixin/wire"
)

// Config is one application of one corp.
type Config struct {
	CorpID, Secret string
	AgentID        int64
	CallbackToken  string
	CallbackAESKey string // EncodingAESKey, 43 characters

	BaseURL string        // of a sandbox; empty: the platform
	Timeout time.Duration // of one call; default 10 s
	Clock   clock.Clock   // default the machine's
	Cache   wire.Cache    // shares the token between processes; may be nil
	Lock    wire.Locker   // lets one process fetch for all; may be nil
}

// Client talks to WeCom for one application. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	tokens *wire.TokenKeeper
	key    []byte
}

// What a call can end with. The errcode is in the chain as *CodeError.
var (
	// ErrAway: not reachable, busy, over a quota, or our credentials are wrong. Try later.
	ErrAway = errors.New("qywx: the platform is away")
	// ErrRefused: the platform says no to the content.
	ErrRefused = errors.New("qywx: the platform refuses")
	// ErrWelcomeGone: the welcome code is older than 20 s, unknown or used.
	ErrWelcomeGone = errors.New("qywx: too late to welcome")
)

// CodeError is an errcode of the platform, without its words, which can repeat the input.
type CodeError struct {
	Op   string
	Code int64
}

// Error names the operation and the errcode.
func (e *CodeError) Error() string { return fmt.Sprintf("qywx: %s: errcode %d", e.Op, e.Code) }

// New checks the configuration; it sends nothing.
func New(cfg Config) (*Client, error) {
	if cfg.CorpID == "" || cfg.Secret == "" {
		return nil, errors.New("qywx: CorpID and Secret are required")
	}
	key, err := decodeKey(cfg.CallbackAESKey)
	if err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	client, err := wire.NewClient(wire.Config{BaseURL: cfg.BaseURL, Timeout: cfg.Timeout, MaxBody: 1 << 20})
	if err != nil {
		return nil, fmt.Errorf("qywx: %w", err)
	}
	c := &Client{cfg: cfg, http: client, key: key}
	c.tokens = wire.NewTokenKeeper(wire.TokenConfig{
		Clock: cfg.Clock, Cache: cfg.Cache, Lock: cfg.Lock, Fetch: c.fetchToken,
		Key: "guanxi:qywx:token:" + cfg.CorpID + ":" + strconv.FormatInt(cfg.AgentID, 10), // one token per app, not per corp
	})
	return c, nil
}

// Shutdown lets go of idle connections.
func (c *Client) Shutdown() { c.http.CloseIdleConnections() }

// TagChange puts tags on a customer of a staff member, and takes some off.
type TagChange struct {
	UserID, ExternalUserID string
	Add, Remove            []string // tag ids made by this app
}

// MarkTag changes tags; repeating it changes nothing more. Errors: ErrRefused, ErrAway.
func (c *Client) MarkTag(ctx context.Context, t TagChange) error {
	return c.post(ctx, "mark tag", "/cgi-bin/externalcontact/mark_tag", map[string]any{
		"userid": t.UserID, "external_userid": t.ExternalUserID, "add_tag": t.Add, "remove_tag": t.Remove,
	})
}

// Welcome greets a person who has just added a staff member.
type Welcome struct {
	Code string // from the callback; good once and for 20 s
	Text string // at most 4000 bytes
	Mini *MiniCard
}

// MiniCard opens the mini-program.
type MiniCard struct {
	Title, MediaID, AppID, Page string
}

// SendWelcome sends the welcome message. Errors: ErrWelcomeGone, ErrRefused, ErrAway.
func (c *Client) SendWelcome(ctx context.Context, w Welcome) error {
	body := map[string]any{"welcome_code": w.Code}
	if w.Text != "" {
		body["text"] = map[string]string{"content": w.Text}
	}
	if w.Mini != nil {
		body["attachments"] = []any{map[string]any{"msgtype": "miniprogram", "miniprogram": map[string]string{
			"title": w.Mini.Title, "pic_media_id": w.Mini.MediaID, "appid": w.Mini.AppID, "page": w.Mini.Page,
		}}}
	}
	return c.post(ctx, "welcome", "/cgi-bin/externalcontact/send_welcome_msg", body)
}

const host = "https://qyapi.weixin.qq.com"

func (c *Client) post(ctx context.Context, op, path string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("qywx: %s: %w", op, err)
	}
	token, err := c.tokens.Get(ctx)
	for attempt := 0; ; attempt++ {
		if err != nil {
			return away(op, err)
		}
		code, err2 := c.exchange(ctx, http.MethodPost, path+"?access_token="+url.QueryEscape(token), body, nil)
		if err2 != nil {
			return away(op, err2)
		}
		if code != 40014 && code != 42001 || attempt > 0 {
			return classified(op, code)
		}
		token, err = c.tokens.Replace(ctx, token)
	}
}

// exchange sends one request and reads the errcode; out takes the rest of the answer.
func (c *Client) exchange(ctx context.Context, method, path string, body []byte, out any) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, method, host+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d", response.StatusCode)
	}
	var head struct {
		Code *int64 `json:"errcode"`
	}
	if json.Unmarshal(raw, &head) != nil || head.Code == nil {
		return 0, errors.New("an answer without an errcode")
	}
	if out != nil && *head.Code == 0 && json.Unmarshal(raw, out) != nil {
		return 0, errors.New("an answer that cannot be read")
	}
	return *head.Code, nil
}

// fetchToken is GET /cgi-bin/gettoken. It repeats a token until that is over, and cannot be forced.
func (c *Client) fetchToken(ctx context.Context, _ bool) (wire.Grant, error) {
	var out struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	query := url.Values{"corpid": {c.cfg.CorpID}, "corpsecret": {c.cfg.Secret}}
	code, err := c.exchange(ctx, http.MethodGet, "/cgi-bin/gettoken?"+query.Encode(), nil, &out)
	if err != nil {
		return wire.Grant{}, away("token", err)
	}
	if code != 0 {
		return wire.Grant{}, classified("token", code)
	}
	if out.Token == "" || out.Seconds <= 0 {
		return wire.Grant{}, away("token", errors.New("an answer without a token"))
	}
	return wire.Grant{Token: out.Token, Until: c.cfg.Clock.Now().Add(wire.TokenLife(out.Seconds, time.Minute))}, nil
}

func away(op string, err error) error {
	if errors.Is(err, ErrAway) || errors.Is(err, ErrRefused) {
		return err
	}
	return fmt.Errorf("qywx: %s: %w: %w", op, ErrAway, wire.Plain(err))
}

func classified(op string, code int64) error {
	kind := ErrRefused
	switch code {
	case 0:
		return nil
	case 41050, 41051:
		kind = ErrWelcomeGone
	case -1, 40001, 40013, 40014, 41001, 42001, 45009, 45033, 45035, 48002, 60020:
		kind = ErrAway
	}
	return fmt.Errorf("%w: %w", kind, &CodeError{op, code})
}
