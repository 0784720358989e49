// Package event carries what one domain did to the others, exactly once in effect.
//
// A state change and its events are one write: a domain calls Doc.Emit inside the update that changes the
// document, and the store keeps the messages in the document's outbox. After the commit the Relay hands each
// message to every consumer at once in this process (the fast path); a message that every consumer has taken
// leaves the outbox for the history collection. What the fast path did not finish, because a consumer failed or the
// process died, the sweeper finds again by the documents' Waiting time: it takes a lease by moving Waiting into
// the future, calls the consumers that have not taken the message yet, and on failure backs off with jitter. After
// Config.Attempts rounds the message is parked: moved to the parked collection, visible and countable, until
// somebody sends it again.
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
	Take   func(ctx context.Context, e Event) error
}
