package event

import (
	"context"
	"slices"
	"sync"

	"guanxi/internal/docstore"
)

// turn is what the sweeper has sent out together. It waits until everything inside is over, so that a sweep takes no more
// than it can carry; outside calls of a running relay go on without it.
type turn struct {
	relay   *Relay
	running bool
	all     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ended  []*delivery
}

func (r *Relay) turn(size int) *turn {
	return &turn{relay: r, running: r.state.Load() == stateRunning, ended: make([]*delivery, 0, size)}
}

// serve sends out the messages of one leased document that are due.
func (r *Relay) serve(t *turn, collection, document string, messages []docstore.Message) {
	for _, m := range messages {
		if !r.hall.claim(m.ID) {
			continue
		}
		d := r.deliveryOf(parcel{collection, document, m})
		if all, _ := r.settled(&m); len(d.inside)+len(d.outside) == 0 && !all {
			r.leave(d.parcel) // waits for its time, or is somebody else's
			continue
		}
		t.all.Add(1)
		d.end = t.end
		if t.running {
			d.inner = t.all.Done
		}
		switch {
		case len(d.inside) == 0:
			d.next()
		case !d.begin(): // the line is full: the message keeps its lease, and is taken when there is room
			t.all.Done()
			r.overflow()
			r.leave(d.parcel)
		}
	}
}

func (t *turn) end(d *delivery) {
	t.mu.Lock()
	late := t.closed
	if !late {
		t.ended = append(t.ended, d)
	}
	t.mu.Unlock()
	if late {
		t.relay.ended(d)
	}
	if !t.running {
		t.all.Done()
	}
}

// finish waits, and passes on what has ended; it returns how many messages moved on.
func (t *turn) finish(ctx context.Context) (moved int) {
	r := t.relay
	t.all.Wait()
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	var finished []parcel
	for _, d := range t.ended {
		switch r.outcome(d) {
		case toHistory:
			finished = append(finished, d.parcel)
		case toOutbox:
			if r.setBack(ctx, d) {
				moved++
			}
			r.leave(d.parcel)
		case letGo:
			r.leave(d.parcel)
		}
	}
	for batch := range slices.Chunk(finished, r.config.Retire) {
		moved += r.retire(ctx, batch)
	}
	return moved
}
