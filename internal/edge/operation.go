package edge

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"guanxi/internal/clock"
)

// Operation is what the edge needs to know about one operation beside its Go types.
type Operation struct {
	ID, Method, Path string
	Tag, Summary     string
	Open             bool   // no session needed; a token that comes along is not looked at: it may have run out
	Permission       string // what the caller must be allowed to do; its meaning is Config.Authenticate's
	// Recorded answers are stored under the Idempotency-Key and given again. Operations that are idempotent by
	// themselves (the domain derives an id from the key, or the change is absolute) need no record.
	Recorded bool
	ETag     bool          // polled page: ETag and 304
	Weight   int           // rate-limit tokens; 0 = 1
	Status   int           // success; 0 = 200
	MaxBody  int64         // bytes; 0 = 64 KiB
	Patience time.Duration // longest time to answer; 0 = Patience
}

// readingGrace is what a slow reader is given beyond the time of a long operation.
const readingGrace = 10 * time.Second

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

// Register puts one operation on the router: access, rate limit, idempotency and error rendering are the same
// for all of them, so a handler is only parse → use case → render.
func Register[I, O any](e *Edge, op Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	huma.Register(e.huma, e.declare(op), func(ctx context.Context, in *I) (*O, error) {
		run := legibly(handle)
		if op.Recorded {
			name := op.ID
			if op.Open {
				name = openTo + name
			}
			run = recorded(e.answers, name, run)
		}
		out, err := run(ctx, in)
		if err != nil {
			return nil, e.refuse(ctx, op, err)
		}
		return out, nil
	})
}

// declare remembers an operation and describes it.
func (e *Edge) declare(op Operation) huma.Operation {
	described := huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Tags: []string{op.Tag}, Summary: op.Summary,
		DefaultStatus: op.Status, MaxBodyBytes: cmp.Or(op.MaxBody, maxBody), BodyReadTimeout: bodyPatience,
		RejectUnknownQueryParameters: true,
		Errors: []int{
			http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity,
			http.StatusTooManyRequests, http.StatusServiceUnavailable,
		},
		Middlewares: huma.Middlewares{e.admit(op)},
	}
	if op.ETag {
		described.Middlewares = append(huma.Middlewares{tagged}, described.Middlewares...)
	}
	if !op.Open {
		described.Security = []map[string][]string{{"session": {}}}
	}
	if op.Permission != "" {
		described.Extensions = map[string]any{"x-permission": op.Permission}
	}
	if op.Patience != 0 {
		e.patient[op.Method+" "+routeOf(op.Path)] = op.Patience
	}
	e.operations = append(e.operations, op)
	return described
}

// refuse turns a use case's error into a problem and logs what the caller is not told.
func (e *Edge) refuse(ctx context.Context, op Operation, err error) error {
	f := FaultOf(err)
	p := problemOf(f, RequestID(ctx))
	var later waiting
	if errors.As(err, &later) {
		p.header.Set("Retry-After", strconv.Itoa(seconds(later.RetryIn())))
	}
	switch {
	case clientGone(ctx): // nobody hears the answer: it is not our failure, and not worth a line
		e.config.Log.DebugContext(ctx, "client went away", "operation", op.ID, "request", RequestID(ctx))
	case p.Status >= http.StatusInternalServerError:
		e.config.Log.ErrorContext(ctx, "operation failed", "operation", op.ID, "code", f.Code, e.config.Caller, Caller(ctx),
			"request", RequestID(ctx), "error", err.Error())
	}
	e.metrics.fault(f.Code)
	return p
}

// admit checks session and rate limit before the body is even read.
func (e *Edge) admit(op Operation) func(huma.Context, func(huma.Context)) {
	weight := max(op.Weight, 1)
	return func(hc huma.Context, next func(huma.Context)) {
		hc = huma.WithContext(hc, context.WithValue(hc.Context(), keySource, e.sourceOf(hc)))
		ctx, err := e.recognise(hc, op)
		if err == nil {
			err = e.throttle(ctx, hc, weight)
		}
		if err == nil && e.config.Permit != nil && !op.Open {
			err = e.config.Permit(ctx, op)
		}
		if err == nil && op.Patience > Patience {
			// Servers cut answers off after a time meant for short ones. Where the deadline cannot be moved, it stays.
			deadline := clock.System{}.Now().Add(op.Patience + readingGrace)
			_ = http.NewResponseController(humagin.Unwrap(hc).Writer).SetWriteDeadline(deadline)
		}
		if err != nil {
			problem := e.refuse(hc.Context(), op, err)
			e.write(hc, problem)
			return
		}
		next(huma.WithContext(hc, ctx))
	}
}
