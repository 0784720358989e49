// Package event carries what one domain did to the others, exactly once in effect.
//
// A state change and its events are one write: a domain calls Doc.Emit inside the update that changes the
// document, and the store keeps the messages in the document's outbox. After the commit the Relay hands each
// message to every consumer at once in this process (the fast path); a message that every consumer has taken
// leaves the outbox for the history collection. What the fast path did not finish, because a consumer failed or the
// process died, the sweeper finds again by the documents' Waiting time: it takes a lease by moving Waiting into
// the future, calls the consumers that have not taken the message yet, and on failure backs off with jitter. After
// Config.Attempts rounds the consumer is given up on and the message is parked: copied to the parked collection, visible
// and countable, until somebody sends it again.
//
// Consumers run in lanes, one lane for each Effect, in lines of their own with a bounded number of calls (see lanes.go):
// a slow platform keeps nothing waiting that only writes our own store. An outside call is claimed in the message first,
// so that several processes do not make it side by side. A failure that may pass by itself (a platform or the store is
// away) is never counted: it is tried again, with growing pauses up to Config.BackoffMax, for as long as Config.GiveUp;
// meanwhile the platform's circuit keeps everybody from calling (see circuit.go).
//
// A consumer may see a message twice, late, or in another order than it was written. Its effects must be keyed
// by Event.ID or by an id derived from the payload.
//
// What is never done: a message is not dropped (full queue, failing consumer, dead process, store away: it stays in the
// outbox or is parked), a committer is never made to wait for a consumer, and a consumer is not retried because the
// relay was stopped in its middle. What is not promised: an order between messages, and that a process older than a
// consumer waits for it: a new consumer gets what went to the history before it by Replay.
//
//	relay, err := event.NewRelay(ctx, event.RelayConfig{Store: store, Clock: clock, Consumers: flow.Table(deps)})
//	if err := relay.Start(ctx); err != nil { … }
//	defer relay.Stop(stopCtx)
package event

import (
	"context"
	"time"
)

// Event is what a consumer gets.
type Event struct {
	ID     string    // derived from the change that emitted it; the same every time it is delivered
	Name   string    // order.Paid
	At     time.Time // when the change was stored
	Source string    // collection/document that emitted it

	decode func(into any) error
}

// Decode reads the payload into a struct with bson tags.
func (e Event) Decode(into any) error { return e.decode(into) }

// Effect says what repeating a consumer would do to the outside, so that a reader of the flow table knows.
type Effect string

// The kinds of effect.
const (
	Inside     Effect = "inside"       // writes only our own store, keyed by derived ids
	Repeatable Effect = "repeatable"   // outside, harmless to repeat (set a tag)
	AtMostOnce Effect = "at most once" // outside, marked before it is sent (a message)
	SameNumber Effect = "same number"  // outside, queried and repeated under one number until known (refund)
)

// Consumer is one row of the flow table.
type Consumer struct {
	Event  string // name of the event it takes
	Name   string // groupbuy.takeSeat: unique, stable: success is remembered under it
	Effect Effect
	// Platform names what an outside consumer calls; those of one platform share its circuit.
	Platform string
	// Take does it. An error that wraps ErrPermanent, or a fault of a kind that says no, will not pass by itself.
	Take func(ctx context.Context, e Event) error
}

// outside reports whether the consumer calls somebody else.
func (c Consumer) outside() bool { return c.Effect != Inside && c.Effect != "" }
