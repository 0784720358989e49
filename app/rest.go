package app

import (
	"context"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/lease"
)

// How long loops rest at most while nothing is due: with other processes on the store, which call when they have work but may
// die before they do, and without.
const (
	restShared = 30 * time.Second
	restAlone  = time.Minute
)

// firstTurn is how soon a loop begins under a new owner: what became due without one has waited long enough.
const firstTurn = time.Second

// loop is work that time brings up. While there is something to do it runs at its pace. When it has found nothing it sleeps
// until the first document of its index is due, or this process writes to the collection, or Pace.Rest is over, whichever
// comes first; so nothing is done later than at its pace, and an idle process asks next to nothing.
type loop struct {
	name       string
	pace       time.Duration // negative: off
	collection string        // writing to it may make something due; "" = nothing does
	index      string        // whose first field is when something is due; "" = there is none
	work       func(context.Context) (moved int, err error)
}

// keep runs a loop until ctx ends, while this process owns it. Its errors are logged, not fatal: what could not move now moves
// with the next round.
func (a *App) keep(ctx context.Context, l loop) {
	if l.pace < 0 {
		return
	}
	wake := a.hear(l.collection)
	a.hearing.Lock()
	a.wakes[l.name] = wake
	a.hearing.Unlock()
	a.own(ctx, l, func(ctx context.Context) { a.turns(ctx, l, wake) })
}

// turns does a loop's work, round by round.
func (a *App) turns(ctx context.Context, l loop, wake <-chan struct{}) {
	timer := time.NewTimer(min(l.pace, firstTurn))
	defer timer.Stop()
	worked := clock.StartStopwatch()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			if wait := a.untilDue(ctx, l); l.index != "" && wait > l.pace && worked.Elapsed() < restAlone {
				timer.Reset(wait) // only looked whether another process has left something
				continue
			}
		case <-wake: // let others join, as at its pace
			a.rest(ctx, timer, l.pace)
		}
		if lease.Sure(ctx) != nil { // this process was stopped, or the store is away: the next beat tells whose loop it is
			timer.Reset(min(l.pace, firstTurn))
			continue
		}
		moved, err := l.work(ctx)
		worked = clock.StartStopwatch()
		wait := l.pace
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.Warn("loop", "name", l.name, "error", err.Error())
		case moved > 0:
			wait = l.pace / 10
		default:
			wait = a.untilDue(ctx, l)
		}
		timer.Reset(wait)
	}
}

func (a *App) rest(ctx context.Context, timer *time.Timer, d time.Duration) {
	timer.Reset(d)
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// untilDue is how long the loop may sleep.
func (a *App) untilDue(ctx context.Context, l loop) time.Duration {
	_, real := a.clock.(clock.System)
	if l.collection == "" || !real { // a clock that jumps is told to nobody
		return l.pace
	}
	longest := max(a.pace.Rest, l.pace)
	if l.index == "" {
		return longest
	}
	at, some, err := a.Store.FirstDue(ctx, l.collection, l.index)
	switch {
	case err != nil:
		return l.pace
	case !some:
		return longest
	}
	return min(max(at.Sub(a.clock.Now()), l.pace), longest)
}

// hear gives a channel that is told when this process has written to a collection.
func (a *App) hear(collection string) chan struct{} {
	a.hearing.Lock()
	defer a.hearing.Unlock()
	wake := make(chan struct{}, 1)
	if a.ears == nil {
		a.ears = map[string][]chan struct{}{}
	}
	if collection != "" {
		a.ears[collection] = append(a.ears[collection], wake)
	}
	return wake
}

// wrote wakes the loops of a collection.
func (a *App) wrote(collection string) {
	a.hearing.Lock()
	defer a.hearing.Unlock()
	for _, wake := range a.ears[collection] {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// wake wakes one loop.
func (a *App) wake(name string) {
	a.hearing.Lock()
	defer a.hearing.Unlock()
	select {
	case a.wakes[name] <- struct{}{}:
	default:
	}
}
