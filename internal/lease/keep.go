package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Run is the heartbeat: until ctx ends it renews, looks and takes. What cannot be done now is told to failed, which may be
// nil, and tried with the next beat. At the end everything held is given back.
func (k *Keeper) Run(ctx context.Context, failed func(error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			k.giveBack(ctx)
			return
		case <-timer.C:
		}
		if err := k.Beat(ctx); err != nil && ctx.Err() == nil && failed != nil {
			failed(err)
		}
		timer.Reset(k.config.Beat)
	}
}

func (k *Keeper) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*k.config.Beat)
	defer cancel()
	held, _ := k.list()
	for _, l := range held {
		_ = l.Release(ctx) // else the next one waits until it looks abandoned
	}
}

// Beat is one heartbeat: one write for everything held, one read for everything sought.
func (k *Keeper) Beat(ctx context.Context) error {
	k.io.Lock()
	defer k.io.Unlock()
	held, sought := k.list()
	return errors.Join(k.renew(ctx, held), k.look(ctx, sought))
}

// renewedAt notes until when nobody else can have taken a lease: the store was told at this moment, or later, that it is held.
func (l *Lease) renewedAt(nanos int64) {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	l.renewed = nanos
}

// renew moves the counters of what is held. A record is written as it was left last; only when that is refused is it read,
// to learn whether it is still ours.
func (k *Keeper) renew(ctx context.Context, held []*Lease) error {
	known, docs, unknown := []*Lease(nil), []*record(nil), []*Lease(nil)
	for _, l := range held {
		if l.last == nil {
			unknown = append(unknown, l)
			continue
		}
		l.last.Beats++
		known, docs = append(known, l), append(docs, l.last)
	}
	var failures []error
	before := k.config.Nanos()
	for i, err := range k.records.ReplaceMany(ctx, docs) {
		if err == nil {
			known[i].renewedAt(before)
			continue
		}
		known[i].last = nil
		if unknown = append(unknown, known[i]); !errors.Is(err, docstore.ErrStale) {
			failures = append(failures, err)
		}
	}
	return errors.Join(errors.Join(failures...), k.recall(ctx, unknown))
}

// recall reads what should be ours and learns what is not.
func (k *Keeper) recall(ctx context.Context, held []*Lease) error {
	if len(held) == 0 {
		return nil
	}
	names := make([]string, len(held))
	for i, l := range held {
		names[i] = l.name
	}
	found, err := k.records.GetMany(ctx, names)
	if err != nil {
		return fmt.Errorf("lease: renew: %w", err)
	}
	mine, docs := []*Lease(nil), []*record(nil)
	for _, l := range held {
		token, r := k.tokenOf(l), found[l.name]
		if r == nil || r.Holder != k.config.Owner || r.Fence != token {
			l.Lose(token)
			continue
		}
		r.Beats++
		mine, docs = append(mine, l), append(docs, r)
	}
	var failures []error
	before := k.config.Nanos()
	for i, err := range k.records.ReplaceMany(ctx, docs) {
		switch {
		case err == nil:
			mine[i].last = docs[i]
			mine[i].renewedAt(before)
			mine[i].heard(docs[i])
		case errors.Is(err, docstore.ErrStale):
			mine[i].Lose(k.tokenOf(mine[i])) // taken at this moment; if not, it is found to be ours again
		default:
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

func (k *Keeper) tokenOf(l *Lease) int64 {
	token, _ := l.Token()
	return token
}

// look watches what others hold, and takes what is free or abandoned.
func (k *Keeper) look(ctx context.Context, sought []*Lease) error {
	if len(sought) == 0 {
		return nil
	}
	names := make([]string, len(sought))
	for i, l := range sought {
		names[i] = l.name
	}
	before := k.config.Nanos()
	found, err := k.records.GetMany(ctx, names)
	if err != nil {
		return fmt.Errorf("lease: look: %w", err)
	}
	after := k.config.Nanos()
	var failures []error
	var given []*Lease
	for _, l := range sought {
		r := found[l.name]
		switch {
		case r == nil:
			failures = append(failures, k.take(ctx, l, &record{}))
		case r.Holder == k.config.Owner: // handed over to us, or a taking whose answer was lost
			l.set(r.Fence, never)
			given = append(given, l)
		case r.Holder == "" || l.abandoned(r, before, after):
			failures = append(failures, k.take(ctx, l, r))
		}
	}
	return errors.Join(append(failures, k.recall(ctx, given), k.call(ctx, found), k.balance(ctx, found))...)
}

// abandoned notes a sighting and reports whether the counter has been watched long enough without a move. Each pair of
// looks counts for hardly more than one beat: an observer that was stopped itself has watched nothing meanwhile.
func (l *Lease) abandoned(r *record, before, after int64) bool {
	k := l.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.seen.at == 0 || l.seen.fence != r.Fence || l.seen.beats != r.Beats {
		l.seen = sighting{fence: r.Fence, beats: r.Beats, at: max(after, 1)}
		return false
	}
	beat := int64(k.config.Beat)
	l.seen.quiet += min(max(before-l.seen.at, 0), beat+beat/4)
	l.seen.at = max(after, 1)
	return l.seen.quiet >= 2*beat-beat/4
}

// take becomes the holder, if the lease is still as it was seen.
func (k *Keeper) take(ctx context.Context, l *Lease, seen *record) error {
	var token int64
	before := k.config.Nanos()
	taken, err := k.records.Upsert(ctx, l.name, func(r *record) error {
		if r.Holder != seen.Holder || r.Fence != seen.Fence || r.Beats != seen.Beats {
			return ErrHeld
		}
		r.Holder, r.Beats, r.Wanted = k.config.Owner, 0, ""
		r.Fence++
		token = r.Fence
		return nil
	})
	switch {
	case errors.Is(err, ErrHeld):
		return nil // somebody was faster, or the holder has woken up
	case err != nil:
		return fmt.Errorf("lease %s: take: %w", l.name, err)
	}
	l.set(token, before)
	l.last = taken
	if seen.Holder != "" && k.config.Died != nil {
		k.config.Died()
	}
	return nil
}

// Fenced is embedded inline by documents that only the holder of a lease may write.
type Fenced struct {
	Fence int64 `bson:"fence,omitempty"` // the newest token that has written here
}

// Admit lets a holder write and remembers its token. Call it inside the update's function. Errors: ErrLost when a newer
// holder has written.
func (f *Fenced) Admit(token int64) error {
	if token < f.Fence {
		return ErrLost
	}
	f.Fence = token
	return nil
}
