package app

import (
	"context"
	"strings"
	"time"

	"guanxi/internal/lease"
)

// Where several processes use one store every loop has an owner: the holder of the lease "loop/<name>". The leases are shared
// (lease.Keeper.Share), so that each process owns as many loops as any other; a dead or stopped owner is replaced within ten
// seconds. Who does not own a loop does not look for its work; when it writes to the loop's collection it calls the owner, at
// once through Redis, and without Redis through the lease, within two beats.
//
// What an owner does late, because it was stopped and believes it owns the loop still, does no harm: each round and each
// request to a platform asks first whether the lease is surely held (lease.Sure; package wire asks for every request), and
// each write is made under the version of the document that was read.
func (a *App) own(ctx context.Context, l loop, work func(context.Context)) {
	if a.alone {
		a.loops.Go(func() { work(ctx) })
		return
	}
	owner := a.Leases.Share("loop/" + l.name)
	a.hearing.Lock()
	a.owned[l.name] = owner
	a.hearing.Unlock()
	a.loops.Go(func() { owner.Hold(ctx, func(ctx context.Context, _ int64) { work(ctx) }) })
	a.tell(ctx, l, owner)
	a.loops.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-owner.Called():
				a.wake(l.name)
			}
		}
	})
}

// owns tells whether this process does a loop's work.
func (a *App) owns(name string) bool {
	a.hearing.Lock()
	owner := a.owned[name]
	a.hearing.Unlock()
	if owner == nil {
		return a.alone
	}
	_, held := owner.Token()
	return held
}

// bereaved hears that another process died. What it had in hand waits in collections this one may never have looked at, and
// it may not have come to call the owners of what it wrote.
func (a *App) bereaved() {
	a.Relay.Nudge()
	a.hearing.Lock()
	defer a.hearing.Unlock()
	for name, owner := range a.owned {
		owner.Call() // if it is another process
		select {
		case a.wakes[name] <- struct{}{}: // if it is this one
		default:
		}
	}
}

// Nudges tells other processes, as fast as it can and without a promise, that something was written. They would find it by
// themselves a few seconds later.
type Nudges interface {
	Nudge(ctx context.Context, topic string)
	OnNudge(fn func(topic string))
}

const (
	postedTopic = "entries"              // the ledger's postings: one process seals those of all
	loopTopic   = "loop/"                // and the loop's name: something was written to its collection
	nudgeEvery  = 100 * time.Millisecond // at most
)

// tell calls the owner of a loop when its collection is written here.
func (a *App) tell(ctx context.Context, l loop, owner *lease.Lease) {
	if l.collection == "" {
		return
	}
	wrote := a.hear(l.collection)
	a.loops.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-wrote:
			}
			if _, mine := owner.Token(); !mine {
				owner.Call()
				if a.nudges != nil {
					a.nudges.Nudge(ctx, loopTopic+l.name)
				}
				a.rest(ctx, timer, max(nudgeEvery, l.pace/2)) // the owner looks no sooner
			}
		}
	})
}

// nudging lets the process that seals hear of what is posted here, and this one of what is written elsewhere.
func (a *App) nudging(ctx context.Context) {
	if a.nudges == nil {
		return
	}
	a.nudges.OnNudge(func(topic string) {
		if topic == postedTopic {
			a.Commission.Nudge()
		}
		if name, ok := strings.CutPrefix(topic, loopTopic); ok {
			a.wake(name)
		}
	})
	posted := a.hear(postedTopic)
	a.loops.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-posted:
			}
			a.nudges.Nudge(ctx, postedTopic)
			a.rest(ctx, timer, nudgeEvery)
		}
	})
}
