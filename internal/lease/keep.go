package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
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

// Beat is one heartbeat: one read and one write for everything held, one read for everything sought.
func (k *Keeper) Beat(ctx context.Context) error {
	k.io.Lock()
	defer k.io.Unlock()
	held, sought := k.list()
	return errors.Join(k.renew(ctx, held), k.look(ctx, sought))
}

// renew moves the counters of what is held, and learns what is not held any more.
func (k *Keeper) renew(ctx context.Context, held []*Lease) error {
	if len(held) == 0 {
		return nil
	}
	names, tokens, mine := make([]string, len(held)), map[string]int64{}, map[string]bool{}
	for i, l := range held {
		names[i] = l.name
		tokens[l.name], _ = l.Token()
	}
	err := k.records.UpsertMany(ctx, names, func(r *record) error {
		mine[r.ID] = r.Holder == k.config.Owner && r.Fence == tokens[r.ID]
		if mine[r.ID] {
			r.Beats++
		}
		return nil
	})
	for _, l := range held {
		if still, known := mine[l.name]; known && !still {
			l.Lose(tokens[l.name])
		}
	}
	if err != nil {
		return fmt.Errorf("lease: renew: %w", err)
	}
	return nil
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
	for _, l := range sought {
		r := found[l.name]
		switch {
		case r == nil:
			failures = append(failures, k.take(ctx, l, &record{}))
		case r.Holder == k.config.Owner: // a taking whose answer was lost
			l.set(r.Fence)
		case r.Holder == "" || l.abandoned(r, before, after):
			failures = append(failures, k.take(ctx, l, r))
		}
	}
	return errors.Join(failures...)
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
	_, err := k.records.Upsert(ctx, l.name, func(r *record) error {
		if r.Holder != seen.Holder || r.Fence != seen.Fence || r.Beats != seen.Beats {
			return ErrHeld
		}
		r.Holder, r.Beats = k.config.Owner, 0
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
	l.set(token)
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
