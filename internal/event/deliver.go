package event

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"guanxi/internal/docstore"
)

// errAbandoned stands for the death of the process at a step boundary (tests).
var errAbandoned = errors.New("event: abandoned")

// committed hears of stored messages. It runs inside the committer's call and must cost next to nothing.
func (r *Relay) committed(collection, document string, messages []docstore.Message) {
	if r.lively.emitted(collection) {
		r.Nudge() // to look often from now on
	}
	for _, m := range messages {
		p := parcel{collection, document, m}
		entered, full := r.hall.enter(m.ID)
		if !entered {
			if full {
				r.overflow()
			}
			continue
		}
		d := r.deliveryOf(p)
		d.end = r.ended
		if !d.begin() {
			r.overflow()
			r.leave(p)
		}
	}
}

// overflow leaves a message to the sweeper.
func (r *Relay) overflow() {
	r.counts.overflow.Add(1)
	r.behind.Store(true)
}

// leave lets a message out of the hall, and calls the sweeper when there is room again for what was turned away.
func (r *Relay) leave(parcels ...parcel) {
	if left := r.hall.leave(parcels...); left <= r.config.Queue/2 && r.behind.Load() {
		r.Nudge()
	}
}

// ended passes a delivery on: to the history, or back to its outbox.
func (r *Relay) ended(d *delivery) {
	switch r.outcome(d) {
	case toHistory:
		r.retiring <- []parcel{d.parcel}
	case toOutbox:
		r.setBack(r.life, d)
		r.leave(d.parcel)
	case letGo:
		r.leave(d.parcel)
	}
}

// fate is where an ended delivery goes.
type fate int

const (
	nowhere   fate = iota // it died
	toHistory             // everybody has taken it
	toOutbox              // something is to be remembered
	letGo                 // nothing has changed
)

func (r *Relay) outcome(d *delivery) fate {
	d.message.Done = d.taken
	all, parked := r.settled(&d.message)
	switch {
	case d.dead:
		return nowhere
	case d.elsewhere && len(d.troubles) == 0:
		return letGo
	case len(d.troubles) > 0 || parked && all:
		return toOutbox
	case all:
		return toHistory
	}
	return letGo
}

func (r *Relay) eventOf(p parcel) Event {
	m := p.message
	return Event{
		ID: m.ID, Name: m.Name, At: m.At, Source: p.collection + "/" + p.document,
		decode: func(into any) error {
			if err := r.config.Store.Unmarshal(m.Body, into); err != nil {
				return fmt.Errorf("%w: %w", ErrPermanent, err)
			}
			return nil
		},
	}
}

// hand calls one consumer; its panic is its failure.
func (r *Relay) hand(ctx context.Context, c Consumer, e Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
			if c.outside() {
				err = fmt.Errorf("%w: %w", ErrPermanent, err)
			}
			r.config.Log.Error("event consumer panicked", "consumer", c.Name, "event", e.ID, "stack", string(debug.Stack()))
		}
	}()
	return c.Take(ctx, e)
}
