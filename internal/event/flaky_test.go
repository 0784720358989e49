package event_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/event"
)

// The store refuses, loses replies and goes away altogether while the fast path and the sweeper run.
func TestABadStoreLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	flaky := docstoretest.NewFlaky(docstoretest.Embedded(t))
	var bad atomic.Bool
	flaky.Next = func(op docstore.Op) docstoretest.Mishap {
		if !bad.Load() || op.Collection == "things" && op.Kind == docstore.Insert {
			return docstoretest.Fine
		}
		switch rand.IntN(12) {
		case 0:
			return docstoretest.Refused
		case 1:
			return docstoretest.ReplyLost
		case 2:
			return docstoretest.AskedLost
		}
		return docstoretest.Fine
	}
	c := clock.NewManual(monday)
	r := openRoom(t, c, docstoretest.StoreOn(t, flaky, c))
	relay := r.started(event.RelayConfig{
		Attempts: 4, SweepEvery: time.Millisecond, Consumers: []event.Consumer{r.leaves("a"), r.leaves("b")},
	})
	bad.Store(true)
	const events = 200
	for n := range events {
		r.emit(fmt.Sprintf("x%d", n), 1)
		switch n % 50 {
		case 10:
			c.Advance(30 * time.Second)
		case 20:
			flaky.Away.Store(true)
			_, _ = relay.SweepOnce(t.Context())
			flaky.Away.Store(false)
		}
	}
	bad.Store(false)
	for range 3 {
		c.Advance(time.Hour)
		r.drain(relay)
		unparkAll(r, relay)
	}
	r.drain(relay)
	equal(t, 2*events, len(r.seen()))
	equal(t, events, len(r.history(relay, "thing.Happened")))
	err := r.things.Each(t.Context(), docstore.All(), func(one *thing) error {
		if len(one.Outbox) > 0 || !one.Waiting.IsZero() {
			t.Errorf("%s still waits: %v", one.ID, one.Outbox)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := relay.Parked(t.Context(), 10)
	if err != nil || len(list) > 0 {
		t.Errorf("parked: %v, %v", list, err)
	}
	t.Logf("%+v", relay.Stats())
}
