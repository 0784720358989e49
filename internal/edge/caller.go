package edge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type contextKey int

const (
	keyRequest contextKey = iota
	keyIdentity
	keySource
)

// Identity is who is asking, as the edge that uses this one found out.
type Identity struct {
	ID        string // of the member or the operator: keeps recorded answers and rate limits apart, stands in logs
	Principal any    // what the edge wants to remember beside it
}

// RequestID is the id of the request that ctx belongs to.
func RequestID(ctx context.Context) string {
	text, _ := ctx.Value(keyRequest).(string)
	return text
}

// Caller is the id of who is asking, or "".
func Caller(ctx context.Context) string { return identity(ctx).ID }

// Principal is what Config.Authenticate said about the caller beside the id, or nil.
func Principal(ctx context.Context) any { return identity(ctx).Principal }

func identity(ctx context.Context) Identity {
	who, _ := ctx.Value(keyIdentity).(Identity)
	return who
}

// authenticate puts the session's owner into the context.
func (e *Edge) authenticate(hc huma.Context, op Operation) (context.Context, error) {
	ctx := hc.Context()
	if op.Open {
		return ctx, nil
	}
	token, given := strings.CutPrefix(hc.Header("Authorization"), "Bearer ")
	if !given || token == "" {
		return ctx, ErrLogin
	}
	who, err := e.config.Authenticate(ctx, token, op)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, keyIdentity, who), nil
}

// throttle spends rate-limit tokens of the caller, or of the address when nobody is logged in.
func (e *Edge) throttle(ctx context.Context, hc huma.Context, weight int) error {
	if e.config.Limiter == nil {
		return nil
	}
	who := e.config.Caller + ":" + Caller(ctx)
	if Caller(ctx) == "" {
		who = "address:" + e.addressOf(hc)
	}
	if wait, ok := e.config.Limiter.Allow(ctx, who, weight); !ok {
		return &retryLater{wait}
	}
	return nil
}

// addressOf is the caller's address: the peer's, or the one a trusted proxy reports.
func (e *Edge) addressOf(hc huma.Context) string {
	peer := hc.RemoteAddr()
	if cut := strings.LastIndexByte(peer, ':'); cut > 0 {
		peer = peer[:cut]
	}
	if !e.config.TrustProxy {
		return peer
	}
	forwarded := hc.Header("X-Forwarded-For")
	if cut := strings.LastIndexByte(forwarded, ','); cut >= 0 {
		forwarded = forwarded[cut+1:] // the last hop is the one our own proxy saw
	}
	if address, err := netip.ParseAddr(strings.TrimSpace(forwarded)); err == nil {
		return address.String()
	}
	return peer
}

// retryLater is ErrTooMany with a waiting time.
type retryLater struct{ wait time.Duration }

// waiting is an error that says when to come back.
type waiting interface {
	error
	RetryIn() time.Duration
}

// seconds is the wait for a Retry-After header: whole seconds, at least one, at most an hour.
func seconds(wait time.Duration) int {
	return int(min(max((wait+time.Second-1)/time.Second, 1), 3600))
}

// RetryIn is the waiting time.
func (r *retryLater) RetryIn() time.Duration { return r.wait }

func (r *retryLater) Error() string { return ErrTooMany.Error() }
func (r *retryLater) Unwrap() error { return ErrTooMany }

// write renders a problem from a middleware, where huma does not do it for us.
func (e *Edge) write(hc huma.Context, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = problemOf(ErrInternal.Because(err), RequestID(hc.Context()))
	}
	for name, values := range p.header {
		for _, value := range values {
			hc.SetHeader(name, value)
		}
	}
	if p.Status == http.StatusUnauthorized {
		hc.SetHeader("WWW-Authenticate", "Bearer")
	}
	hc.SetHeader("Content-Type", p.ContentType(""))
	hc.SetStatus(p.Status)
	if err := json.NewEncoder(hc.BodyWriter()).Encode(p); err != nil {
		e.config.Log.DebugContext(hc.Context(), "client went away", "error", err.Error())
	}
}
