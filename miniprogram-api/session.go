package miniprogramapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"guanxi/member"
)

type contextKey int

const (
	keyRequest contextKey = iota
	keyPrincipal
)

func requestID(ctx context.Context) string {
	text, _ := ctx.Value(keyRequest).(string)
	return text
}

// memberOf is the logged-in member, or "".
func memberOf(ctx context.Context) string {
	p, _ := ctx.Value(keyPrincipal).(member.Principal)
	return p.Member
}

// authenticate puts the session's member into the context.
func (a *API) authenticate(hc huma.Context, op operation) (context.Context, error) {
	ctx := hc.Context()
	if op.access == forAnyone {
		return ctx, nil
	}
	token, given := strings.CutPrefix(hc.Header("Authorization"), "Bearer ")
	if !given || token == "" {
		return ctx, errLogin
	}
	principal, err := a.members.Authenticate(ctx, token)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, keyPrincipal, principal), nil
}

// throttle spends rate-limit tokens of the member, or of the address when nobody is logged in.
func (a *API) throttle(ctx context.Context, hc huma.Context, weight int) error {
	if a.limiter == nil {
		return nil
	}
	who := "member:" + memberOf(ctx)
	if who == "member:" {
		who = "address:" + a.addressOf(hc)
	}
	if wait, ok := a.limiter.Allow(ctx, who, weight); !ok {
		return &retryLater{wait}
	}
	return nil
}

// addressOf is the caller's address: the peer's, or the one a trusted proxy reports.
func (a *API) addressOf(hc huma.Context) string {
	peer := hc.RemoteAddr()
	if cut := strings.LastIndexByte(peer, ':'); cut > 0 {
		peer = peer[:cut]
	}
	if !a.trustProxy {
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

// retryLater is errTooMany with a waiting time.
type retryLater struct{ wait time.Duration }

// seconds is the wait for a Retry-After header: whole seconds, at least one, at most an hour.
func (r *retryLater) seconds() int {
	return int(min(max((r.wait+time.Second-1)/time.Second, 1), 3600))
}

func (r *retryLater) Error() string { return errTooMany.Error() }
func (r *retryLater) Unwrap() error { return errTooMany }

// write renders a problem from a middleware, where huma does not do it for us.
func (a *API) write(hc huma.Context, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = problemOf(errInternal.Because(err), requestID(hc.Context()))
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
		a.log.DebugContext(hc.Context(), "client went away", "error", err.Error())
	}
}
