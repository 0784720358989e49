package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"guanxi/internal/clock"
)

const (
	together = 8               // people who act at the same time
	window   = 4 * time.Minute // what happens in one batch; far below the 15 minutes an order may wait for its payment
)

// moment is something that somebody does at some time. Moments of one window run side by side, so what depends on
// another moment stands at least a window after it.
type moment struct {
	at time.Time
	do func(ctx context.Context) error // nil: nothing but the passing of time
}

// timeline is the plan of the sample days.
type timeline struct{ moments []moment }

func (t *timeline) add(at time.Time, do func(ctx context.Context) error) {
	t.moments = append(t.moments, moment{at, do})
}

// run moves the clock through every moment up to end; after each batch rest lets everything come to rest. A moment in
// the future is not run.
func (t *timeline) run(ctx context.Context, c *clock.Manual, end time.Time, rest func(context.Context) error, done func(int)) error {
	slices.SortStableFunc(t.moments, func(a, b moment) int { return a.at.Compare(b.at) })
	for i := 0; i < len(t.moments); {
		first := t.moments[i].at
		if first.After(end) {
			break
		}
		n := i
		for n < len(t.moments) && t.moments[n].at.Before(first.Add(window)) && !t.moments[n].at.After(end) {
			n++
		}
		if err := batch(ctx, c, t.moments[i:n]); err != nil {
			return err
		}
		if err := rest(ctx); err != nil {
			return err
		}
		done(n - i)
		i = n
	}
	return ctx.Err()
}

func batch(ctx context.Context, c *clock.Manual, moments []moment) error {
	return each(ctx, moments, func(ctx context.Context, m moment) error {
		if m.do == nil {
			return nil
		}
		return m.do(ctx)
	}, func(m moment) { c.Set(m.at) })
}

// each works on items, some of them side by side, and returns the first error. Before is called in order.
func each[T any](ctx context.Context, items []T, work func(context.Context, T) error, before func(T)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	slots := make(chan struct{}, together)
	for _, item := range items {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		if before != nil {
			before(item)
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := work(ctx, item); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("demo: seed: %w", err)
	}
	return nil
}
