package event

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// errAbandoned stands for the death of the process at a step boundary (tests).
var errAbandoned = errors.New("event: abandoned")

// committed hears of stored messages. It runs inside the committer's call and must cost next to nothing.
func (r *Relay) committed(collection, document string, messages []docstore.Message) {
	for _, m := range messages {
		if !r.hall.enter(parcel{collection, document, m}) {
			r.counts.overflow.Add(1)
			r.behind.Store(true)
		}
	}
}

// work serves the queue until it is closed.
func (r *Relay) work() {
	for p := range r.hall.queue {
		if r.hall.isShut() {
			r.hall.leave(p)
			continue
		}
		r.carry(p)
		if len(r.hall.queue) == 0 && r.behind.Load() {
			r.Nudge() // there is room again for what was turned away
		}
	}
}

// carry delivers one message of the fast path and passes it on.
func (r *Relay) carry(p parcel) {
	ctx := r.life
	taken, err := r.deliver(ctx, p)
	switch {
	case errors.Is(err, errAbandoned):
	case err == nil:
		r.retiring <- []parcel{p}
	case ctx.Err() != nil: // stopped in the middle: that is nobody's failed attempt
		r.hall.leave(p)
	default:
		r.setBack(ctx, p.collection, p.document, []setback{{p.message, taken, err}})
		r.hall.leave(p)
	}
}

// deliver gives a message to every consumer that has not taken it, and goes on after one that fails. It
// returns the consumers that have taken it by now.
func (r *Relay) deliver(ctx context.Context, p parcel) (taken []string, err error) {
	taken = slices.Clone(p.message.Done)
	var failures []error
	for _, c := range r.consumers[p.message.Name] {
		if slices.Contains(p.message.Done, c.Name) {
			continue
		}
		if err := r.at("before consumer " + c.Name); err != nil {
			return nil, err
		}
		if err := r.hand(ctx, c, r.eventOf(p)); err != nil {
			r.counts.failed.Add(1)
			failures = append(failures, fmt.Errorf("%s: %w", c.Name, err))
			continue
		}
		r.counts.delivered.Add(1)
		taken = append(taken, c.Name)
		if err := r.at("after consumer " + c.Name); err != nil {
			return nil, err
		}
	}
	return taken, errors.Join(failures...)
}

func (r *Relay) eventOf(p parcel) Event {
	m := p.message
	return Event{
		ID: m.ID, Name: m.Name, At: m.At, Source: p.collection + "/" + p.document,
		decode: func(into any) error { return r.config.Store.Unmarshal(m.Body, into) },
	}
}

// hand calls one consumer; its panic is its failure.
func (r *Relay) hand(ctx context.Context, c Consumer, e Event) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
			r.config.Log.Error("event consumer panicked", "consumer", c.Name, "event", e.ID, "stack", string(debug.Stack()))
		}
	}()
	return c.Take(ctx, e)
}

// setback is a message that not every consumer took.
type setback struct {
	message docstore.Message
	taken   []string
	cause   error
}

// setBack remembers in one write what succeeded and when to try the failed messages of a document again;
// messages out of attempts are parked.
func (r *Relay) setBack(ctx context.Context, collection, document string, setbacks []setback) {
	ctx = context.WithoutCancel(ctx) // the failure may be the cancellation itself
	if err := r.at("before setback"); err != nil {
		return
	}
	again, gone := make([]setback, 0, len(setbacks)), make([]setback, 0, len(setbacks))
	for _, s := range setbacks {
		s.message.Attempts++
		s.message.Done, s.message.Error = s.taken, brief(s.cause)
		if s.message.Attempts < r.config.Attempts {
			again = append(again, s)
			continue
		}
		if err := r.park(ctx, collection, document, s.message); err != nil {
			r.config.Log.Error("event could not be parked", "event", s.message.ID, "error", err)
			again = append(again, s) // it stays where it is and is parked after the next round
			continue
		}
		gone = append(gone, s)
	}
	if err := r.at("before setback is stored"); err != nil {
		return
	}
	waits := make([]time.Duration, len(again))
	for i, s := range again {
		waits[i] = r.backoff(s.message.Attempts)
	}
	err := r.outboxes()[collection].Tend(ctx, document, func(doc *docstore.Doc) error {
		r.noteSetbacks(doc, again, gone, waits)
		return nil
	})
	if err != nil {
		// Nothing is lost: the message is still in the outbox and due after its lease.
		r.config.Log.Warn("event setback not stored", "collection", collection, "document", document, "error", err)
	}
	_ = r.at("after setback")
}

func (r *Relay) noteSetbacks(doc *docstore.Doc, again, gone []setback, waits []time.Duration) {
	now := r.config.Clock.Now()
	var next time.Time
	others := false // another message of the document waits for a retry of its own
	kept := doc.Outbox[:0]
	for _, m := range doc.Outbox {
		same := func(s setback) bool { return s.message.ID == m.ID }
		if slices.ContainsFunc(gone, same) {
			continue
		}
		if i := slices.IndexFunc(again, same); i >= 0 {
			m.Attempts = max(m.Attempts, again[i].message.Attempts)
			m.Error = again[i].message.Error
			m.Done = union(m.Done, again[i].message.Done)
			if at := now.Add(waits[i]); next.IsZero() || at.Before(next) {
				next = at
			}
		} else if m.Attempts > 0 {
			others = true
		}
		kept = append(kept, m)
	}
	doc.Outbox = kept
	if next.IsZero() || others && doc.Waiting.After(now) && doc.Waiting.Before(next) {
		return
	}
	doc.Waiting = next
}

// backoff doubles with each failed round up to the ceiling; half of it is drawn, so that what failed together
// does not come back together.
func (r *Relay) backoff(attempts int) time.Duration {
	wait := r.config.BackoffMax
	if shift := attempts - 1; shift < 30 && r.config.Backoff<<shift < wait {
		wait = r.config.Backoff << shift
	}
	return wait/2 + time.Duration(r.config.Random(int64(wait/2)+1))
}

func union(a, b []string) []string {
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(a, name)
		}
	}
	return a
}

// brief cuts an error to what a person reads in a list.
func brief(err error) string {
	text := []rune(err.Error())
	return string(text[:min(len(text), 300)])
}
