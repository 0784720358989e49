package docstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"guanxi/internal/docstore"
)

// Mishap is what a Flaky driver does to one write.
type Mishap int

// The mishaps.
const (
	Fine      Mishap = iota
	Refused          // ErrUnavailable before anything happened
	ReplyLost        // the write happened, the answer is ErrUnclear
	AskedLost        // the write did not happen, the answer is ErrUnclear
	Late             // the answer is ErrUnclear at once, the write lands when Land is called
)

// Flaky is a driver that misbehaves on command.
type Flaky struct {
	docstore.Driver
	// Next decides about one operation; nil = Fine. It may be called by several goroutines.
	Next func(op docstore.Op) Mishap
	// Away makes every call fail with ErrUnavailable.
	Away atomic.Bool
	// Before, when set, is called before every write reaches the store: a place to wait or to write in between.
	Before func(op docstore.Op)

	late chan docstore.Op
}

// NewFlaky wraps driver.
func NewFlaky(driver docstore.Driver) *Flaky {
	return &Flaky{Driver: driver, late: make(chan docstore.Op, 1024)}
}

func (f *Flaky) away(what string) error {
	if f.Away.Load() {
		return fmt.Errorf("%w: %s: the server is away", docstore.ErrUnavailable, what)
	}
	return nil
}

// Get is the driver's, or fails.
func (f *Flaky) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	if err := f.away("get"); err != nil {
		return nil, err
	}
	return f.Driver.Get(ctx, collection, ids)
}

// Find is the driver's, or fails.
func (f *Flaky) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	if err := f.away("find"); err != nil {
		return nil, "", err
	}
	return f.Driver.Find(ctx, collection, q)
}

// Count is the driver's, or fails.
func (f *Flaky) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	if err := f.away("count"); err != nil {
		return 0, err
	}
	return f.Driver.Count(ctx, collection, q, limit)
}

// Ping is the driver's, or fails.
func (f *Flaky) Ping(ctx context.Context) error {
	if err := f.away("ping"); err != nil {
		return err
	}
	return f.Driver.Ping(ctx)
}

// Write lets each operation have its mishap.
func (f *Flaky) Write(ctx context.Context, ops []docstore.Op) []error {
	answers := make([]error, len(ops))
	var pass []docstore.Op
	var at []int
	for i, op := range ops {
		if f.Before != nil {
			f.Before(op)
		}
		if err := f.away("write"); err != nil {
			answers[i] = err
			continue
		}
		mishap := Fine
		if f.Next != nil {
			mishap = f.Next(op)
		}
		switch mishap {
		case Refused:
			answers[i] = fmt.Errorf("%w: refused", docstore.ErrUnavailable)
		case AskedLost:
			answers[i] = fmt.Errorf("%w: asked, never answered", docstore.ErrUnclear)
		case Late:
			f.late <- op
			answers[i] = fmt.Errorf("%w: still on its way", docstore.ErrUnclear)
		case ReplyLost:
			// What the store would have answered is lost with the reply.
			_ = f.Driver.Write(ctx, []docstore.Op{op})
			answers[i] = fmt.Errorf("%w: the reply was lost", docstore.ErrUnclear)
		default:
			pass, at = append(pass, op), append(at, i)
		}
	}
	if len(pass) > 0 {
		for n, err := range f.Driver.Write(ctx, pass) {
			answers[at[n]] = err
		}
	}
	return answers
}

// Land lets all late writes reach the store and tells how many were still wanted by it.
func (f *Flaky) Land(ctx context.Context) (landed int, err error) {
	for {
		select {
		case op := <-f.late:
			switch answer := f.Driver.Write(ctx, []docstore.Op{op})[0]; {
			case answer == nil:
				landed++
			case !errors.Is(answer, docstore.ErrStale) && !docstore.Exists(answer):
				return landed, answer
			}
		default:
			return landed, nil
		}
	}
}
