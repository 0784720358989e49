package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

const (
	maxPages   = 64   // pages of one collection in one sweep; the rest waits for the next
	eagerPage  = 2000 // documents looked at by an eager sweep at once
	maxRounds  = 10_000
	farForward = 100 * 365 * 24 * time.Hour
)

// SweepOnce looks once at everything that is due, delivers it and returns how many messages moved on: left for the
// history, failed for the first time, or were parked. It works without Start.
func (r *Relay) SweepOnce(ctx context.Context) (n int, err error) {
	return r.sweep(ctx, false)
}

// Drain delivers until every outbox is empty or everything left has failed and waits for its time. It sees
// what consumers emit meanwhile, waits for what the fast path has in hand, and works without Start.
func (r *Relay) Drain(ctx context.Context) error {
	for range maxRounds {
		select {
		case <-r.hall.vacant():
		case <-ctx.Done():
			return fmt.Errorf("event: drain: %w", ctx.Err())
		}
		n, err := r.sweep(ctx, true)
		if err != nil {
			return fmt.Errorf("event: drain: %w", err)
		}
		if n == 0 && r.hall.count() == 0 && !r.behind.Load() {
			return nil
		}
	}
	return errors.New("event: drain: consumers keep emitting without an end")
}

func (r *Relay) sweepLoop() {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		nudged := false
		select {
		case <-r.quit:
			return
		case <-rest.C:
		case <-r.wake:
			nudged = true
		}
		boxes := r.toLookAt(nudged)
		eager := r.behind.Load() && r.hall.count() <= r.config.Queue/2
		if err := r.round(r.life, boxes, eager); err != nil {
			r.config.Log.Warn("event sweep", "error", err)
		}
		rest.Reset(r.lively.next(r.config.SweepEvery, r.config.RestEvery))
	}
}

// round looks where something waits, and sweeps there.
func (r *Relay) round(ctx context.Context, boxes map[string]docstore.Outbox, eager bool) error {
	waiting, err := r.measure(ctx, boxes)
	if err != nil || len(waiting) == 0 && !eager {
		return err
	}
	_, err = r.sweepAll(ctx, waiting, eager)
	_, again := r.measure(ctx, waiting)
	return errors.Join(err, again)
}

// toLookAt lists the collections of one round: those in which something may wait, and now and then, when somebody nudged,
// and when messages were left for want of room, all of them.
func (r *Relay) toLookAt(nudged bool) map[string]docstore.Outbox {
	boxes := r.outboxes()
	some, all := r.lively.look(r.config.RestEvery)
	if all || nudged || r.behind.Load() {
		return boxes
	}
	for name := range boxes {
		if !some[name] {
			delete(boxes, name)
		}
	}
	return boxes
}

// sweep goes through all collections once. An eager sweep also takes messages nobody has tried yet although
// they are not due.
func (r *Relay) sweep(ctx context.Context, eager bool) (moved int, err error) {
	return r.sweepAll(ctx, r.outboxes(), eager)
}

func (r *Relay) sweepAll(ctx context.Context, boxes map[string]docstore.Outbox, eager bool) (moved int, err error) {
	if eager {
		r.behind.Store(false)
	}
	names := make([]string, 0, len(boxes))
	for name := range boxes {
		names = append(names, name)
	}
	slices.Sort(names)
	failures := make([]error, 0, len(names))
	for _, name := range names {
		n, err := r.sweepBox(ctx, boxes[name], eager)
		moved += n
		failures = append(failures, err)
	}
	return moved, errors.Join(failures...)
}

func (r *Relay) sweepBox(ctx context.Context, box docstore.Outbox, eager bool) (moved int, err error) {
	for range maxPages {
		until, size := r.config.Clock.Now().Add(time.Millisecond), r.config.Page
		if eager {
			until, size = until.Add(farForward), eagerPage
		}
		size += r.blindIn(box.Name())
		ids, err := box.Waiting(ctx, until, size)
		if err != nil {
			return moved, err
		}
		full := len(ids) == size
		ids = r.seeing(box.Name(), ids)
		progress := 0
		for page := range slices.Chunk(ids, r.config.Page) {
			select {
			case <-ctx.Done():
				return moved, ctx.Err()
			case <-r.quit:
				return moved, nil
			default:
			}
			seen, n, err := r.sweepPage(ctx, box, page, eager)
			progress, moved = progress+seen, moved+n
			if err != nil {
				return moved, err
			}
		}
		if !full || progress == 0 {
			return moved, nil
		}
	}
	return moved, nil
}

// sweepPage leases documents by moving their waiting time forward, then delivers what is in their outboxes.
// The store's version check lets one process win a document.
func (r *Relay) sweepPage(ctx context.Context, box docstore.Outbox, ids []string, eager bool) (leased, moved int, err error) {
	if err := r.at("before lease"); err != nil {
		return 0, 0, err
	}
	leases, err := r.lease(ctx, box, ids, eager)
	if err != nil {
		return 0, 0, err
	}
	if err := r.at("after lease"); err != nil {
		return 0, 0, err
	}
	page := r.turn(len(leases))
	for document, messages := range leases {
		r.serve(page, box.Name(), document, messages)
	}
	return len(leases), moved + page.finish(ctx), r.at("after page")
}

func (r *Relay) lease(ctx context.Context, box docstore.Outbox, ids []string, eager bool) (map[string][]docstore.Message, error) {
	now := r.config.Clock.Now()
	leases := make(map[string][]docstore.Message, len(ids))
	errs := box.TendMany(ctx, ids, func(doc *docstore.Doc) error {
		delete(leases, doc.ID) // the edit may run again on fresh state
		mine := !doc.Waiting.After(now) || eager && slices.ContainsFunc(doc.Outbox, r.untouched)
		if len(doc.Outbox) == 0 || !mine {
			return nil
		}
		leases[doc.ID] = slices.Clone(doc.Outbox)
		doc.Waiting = now.Add(r.config.Lease)
		return nil
	})
	var failures []error
	for i, err := range errs {
		if err == nil {
			continue
		}
		delete(leases, ids[i])
		switch {
		case errors.Is(err, docstore.ErrUnreadable):
			r.passOver(box.Name(), ids[i])
		case !errors.Is(err, docstore.ErrNotFound) && !errors.Is(err, docstore.ErrContended):
			failures = append(failures, err)
		}
	}
	if len(leases) == 0 && len(failures) > 0 {
		return nil, failures[0]
	}
	if len(failures) > 0 {
		r.config.Log.Warn("event lease", "collection", box.Name(), "failed", len(failures), "error", failures[0])
	}
	return leases, nil
}

func (r *Relay) untouched(m docstore.Message) bool {
	return m.Attempts == 0 && len(m.Tries) == 0 && !r.hall.holds(m.ID)
}
