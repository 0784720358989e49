package miniprogramapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// access says who may call an operation at all; whose things they may touch is the use case's business.
type access int

const (
	forMembers access = iota // a live session
	forAnyone                // no session needed; a token that comes along is not looked at: it may have run out
)

// operation is what the edge needs to know about one operation beside its Go types.
type operation struct {
	id, method, path string
	tag, summary     string
	access           access
	// recorded answers are stored under the Idempotency-Key and given again. Operations that are idempotent by
	// themselves (the domain derives an id from the key, or the change is absolute) need no record.
	recorded bool
	etag     bool // polled page: ETag and 304
	weight   int  // rate-limit tokens; 0 = 1
	status   int  // success; 0 = 200
}

// Keyed is embedded in the input of every write.
type Keyed struct {
	Key string `header:"Idempotency-Key" required:"true" minLength:"8" maxLength:"80" pattern:"^[A-Za-z0-9_.:-]+$" doc:"同一操作重试时保持不变；不同操作必须不同"`
}

func (k Keyed) idempotencyKey() string { return k.Key }

type keyed interface{ idempotencyKey() string }

// Paged is embedded in the input of every list.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"每页条数"`
	Cursor string `query:"cursor" maxLength:"400" doc:"上一页返回的 next"`
}

// register puts one operation on the router: access, rate limit, idempotency and error rendering are the same
// for all of them, so a handler is only parse → use case → render.
func register[I, O any](a *API, op operation, handle func(ctx context.Context, in *I) (*O, error)) {
	described := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary,
		DefaultStatus: op.status, MaxBodyBytes: maxBody, BodyReadTimeout: bodyPatience,
		RejectUnknownQueryParameters: true,
		Errors: []int{
			http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity,
			http.StatusTooManyRequests, http.StatusServiceUnavailable,
		},
		Middlewares: huma.Middlewares{a.admit(op)},
	}
	if op.etag {
		described.Middlewares = append(huma.Middlewares{tagged}, described.Middlewares...)
	}
	if op.access == forMembers {
		described.Security = []map[string][]string{{"session": {}}}
	}
	a.operations = append(a.operations, op)
	huma.Register(a.huma, described, func(ctx context.Context, in *I) (*O, error) {
		run := handle
		if op.recorded {
			run = recorded(a.answers, op.id, handle)
		}
		out, err := run(ctx, in)
		if err != nil {
			return nil, a.refuse(ctx, op, err)
		}
		return out, nil
	})
}

// refuse turns a use case's error into a problem and logs what the caller is not told.
func (a *API) refuse(ctx context.Context, op operation, err error) error {
	f := faultOf(err)
	p := problemOf(f, requestID(ctx))
	var later *retryLater
	if errors.As(err, &later) {
		p.header.Set("Retry-After", strconv.Itoa(later.seconds()))
	}
	if p.Status >= http.StatusInternalServerError {
		a.log.ErrorContext(ctx, "operation failed", "operation", op.id, "code", f.Code, "member", memberOf(ctx),
			"request", requestID(ctx), "error", err.Error())
	}
	a.metrics.fault(f.Code)
	return p
}

// admit checks session and rate limit before the body is even read.
func (a *API) admit(op operation) func(huma.Context, func(huma.Context)) {
	weight := max(op.weight, 1)
	return func(hc huma.Context, next func(huma.Context)) {
		ctx, err := a.authenticate(hc, op)
		if err == nil {
			err = a.throttle(ctx, hc, weight)
		}
		if err != nil {
			problem := a.refuse(hc.Context(), op, err)
			a.write(hc, problem)
			return
		}
		next(huma.WithContext(hc, ctx))
	}
}
