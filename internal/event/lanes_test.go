package event_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/event"
	"guanxi/internal/fault"
)

var errAway = fault.Define("PLT_AWAY", fault.Unavailable, "平台不在", "the platform is away")

// outside makes a consumer of thing.Refund that calls a platform.
func outside(name string, take func(ctx context.Context, e event.Event) error) event.Consumer {
	return event.Consumer{Event: "thing.Refund", Name: name, Effect: event.SameNumber, Platform: "bank", Take: take}
}

func (r *room) ask(id string) {
	r.t.Helper()
	_, err := r.things.Upsert(r.t.Context(), id, func(one *thing) error {
		one.Emit("thing.Refund", happened{1})
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// A platform that takes a second for each of 400 refunds: a seat that is paid meanwhile is taken at once, on the fast path
// and from the sweeper.
func TestASlowPlatformKeepsNothingInsideWaiting(t *testing.T) {
	t.Parallel()
	for _, swept := range []bool{false, true} {
		t.Run(fmt.Sprintf("swept %v", swept), func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			var calls, most, running atomic.Int64
			slow := outside("refund", func(ctx context.Context, _ event.Event) error {
				calls.Add(1)
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer running.Add(-1)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return ctx.Err()
			})
			took := make(chan struct{}, 400)
			seat := r.leaves("seat")
			take := seat.Take
			seat.Take = func(ctx context.Context, e event.Event) error {
				defer func() { took <- struct{}{} }()
				return take(ctx, e)
			}
			relay := r.relay(event.RelayConfig{SweepEvery: 10 * time.Millisecond, Consumers: []event.Consumer{slow, seat}})
			if swept { // everything is found by a sweep, as after a restart
				for n := range 400 {
					r.ask(fmt.Sprintf("o%d", n))
				}
				r.emit("before", 1)
				r.clock.Advance(time.Minute)
			}
			if err := relay.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				stop, cancel := context.WithCancel(context.Background())
				cancel()
				_ = relay.Stop(stop) // does not wait for the platform
				relay.WaitEnd()
			})
			begin := time.Now()
			if !swept {
				for n := range 400 {
					r.ask(fmt.Sprintf("o%d", n))
				}
				begin = time.Now()
				r.emit("x", 1)
			}
			<-took
			waited := time.Since(begin)
			t.Logf("a seat after %s; %d refunds asked for, at most %d at a time", waited, calls.Load(), most.Load())
			if waited > 900*time.Millisecond || most.Load() > 4 {
				t.Errorf("the seat waited %s; %d refunds at a time", waited, most.Load())
			}
		})
	}
}

// A slow consumer inside has a bounded number of places, too.
func TestASlowConsumerInsideLeavesRoomForTheOthers(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	gate, took := make(chan struct{}), make(chan struct{})
	relay := r.started(event.RelayConfig{Consumers: []event.Consumer{
		{Event: "thing.Refund", Name: "slow", Take: func(context.Context, event.Event) error { <-gate; return nil }},
		{Event: "thing.Happened", Name: "quick", Take: func(context.Context, event.Event) error { close(took); return nil }},
	}})
	for n := range 100 {
		r.ask(fmt.Sprintf("o%d", n))
	}
	r.emit("x", 1)
	<-took
	for _, c := range relay.Stats().Consumers {
		if c.Name == "slow" && (c.Running != 8 || c.Queued != 92 || c.OldestQueued.IsZero()) {
			t.Errorf("%+v", c)
		}
	}
	close(gate)
	r.drain(relay)
	equal(t, 100, len(r.history(relay, "thing.Refund")))
}

// A platform is away for ten hours: nothing is parked, it is asked seldom, and once it is back everything is done within
// the longest pause.
func TestAnOutageOfHoursParksNothingAndAsksSeldom(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var away atomic.Bool
	var asked, done atomic.Int64
	relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{outside("refund", func(context.Context, event.Event) error {
		asked.Add(1)
		if away.Load() {
			return fmt.Errorf("refund: %w", errAway)
		}
		done.Add(1)
		return nil
	})}})
	const refunds = 60
	for n := range refunds {
		r.ask(fmt.Sprintf("o%d", n))
	}
	away.Store(true)
	pass := func(total, step time.Duration) {
		for range total / step {
			r.drain(relay)
			r.clock.Advance(step)
		}
	}
	pass(10*time.Hour, time.Minute)
	list, err := relay.Parked(t.Context(), 10)
	if err != nil || len(list) > 0 {
		t.Fatalf("parked: %v %v", list, err)
	}
	t.Logf("asked %d times in ten hours, %d messages waiting", asked.Load(), refunds)
	if asked.Load() > 60*10*2 {
		t.Errorf("asked %d times", asked.Load())
	}
	away.Store(false)
	pass(20*time.Minute, 5*time.Second)
	equal(t, int64(refunds), done.Load())
	equal(t, refunds, len(r.history(relay, "thing.Refund")))
}

func TestWhatDoesNotPassIsParkedSoonAndWhatIsTooOldIsParkedInTheEnd(t *testing.T) {
	t.Parallel()
	refused := fault.Define("PLT_NO", fault.Conflict, "平台拒绝", "the platform refuses")
	for name, c := range map[string]struct {
		err      error
		attempts int
		after    time.Duration
	}{
		"a refusal": {refused, 3, time.Minute},
		"permanent": {fmt.Errorf("x: %w", event.ErrPermanent), 3, time.Minute},
		"too old":   {errors.New("connection reset"), 0, 73 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{
				outside("refund", func(context.Context, event.Event) error { return c.err }),
			}})
			r.ask("x")
			step := c.after / 40
			for range 41 {
				r.drain(relay)
				r.clock.Advance(step)
			}
			list, err := relay.Parked(t.Context(), 10)
			if err != nil || len(list) != 1 || c.attempts > 0 && list[0].Attempts != c.attempts {
				t.Fatalf("parked: %+v %v", list, err)
			}
			equal(t, []string{"refund"}, list[0].Missing)
		})
	}
}

// The store being away is nobody's refusal: what is inside waits as well.
func TestAStoreThatIsAwayParksNothing(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{{
		Event: "thing.Refund", Name: "inside", Effect: event.Inside,
		Take: func(context.Context, event.Event) error { return fmt.Errorf("read: %w", docstore.ErrUnavailable) },
	}}})
	r.ask("x")
	for range 100 {
		r.drain(relay)
		r.clock.Advance(10 * time.Minute)
	}
	equal(t, 1, len(r.outbox("x")))
}

// One consumer is given up on; the other goes on with the message, and sending it again reaches the first alone.
func TestAConsumerThatIsGivenUpOnKeepsTheOthersGoing(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var broken, away atomic.Bool
	broken.Store(true)
	away.Store(true)
	var mended, told atomic.Int64
	relay := r.relay(event.RelayConfig{Attempts: 2, Consumers: []event.Consumer{
		{Event: "thing.Refund", Name: "inside", Take: func(context.Context, event.Event) error {
			if broken.Load() {
				return errors.New("no")
			}
			mended.Add(1)
			return nil
		}},
		outside("refund", func(context.Context, event.Event) error {
			if away.Load() {
				return errAway
			}
			told.Add(1)
			return nil
		}),
	}})
	r.ask("x")
	for range 3 {
		r.drain(relay)
		r.clock.Advance(time.Hour)
	}
	list, err := relay.Parked(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("parked: %v %v", list, err)
	}
	equal(t, []string{"inside"}, list[0].Missing)
	equal(t, 1, len(r.outbox("x")))
	broken.Store(false)
	for _, early := range []bool{true, false} {
		if early { // while the other consumer still waits
			if err := relay.Unpark(t.Context(), list[0].ID); err != nil {
				t.Fatal(err)
			}
		} else {
			away.Store(false)
			r.clock.Advance(time.Hour)
		}
		r.drain(relay)
	}
	equal(t, []int64{1, 1}, []int64{mended.Load(), told.Load()})
	equal(t, 0, len(r.outbox("x")))
	equal(t, 1, len(r.history(relay, "thing.Refund")))
}

// Several processes find the same messages while the first call of each is still running: each platform call is made once.
func TestSeveralProcessesMakeAnOutsideCallOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var mu sync.Mutex
	calls := map[string]int{}
	var relays []*event.Relay
	for range 3 {
		relays = append(relays, r.started(event.RelayConfig{Queue: 4096, SweepEvery: time.Hour, Consumers: []event.Consumer{
			outside("refund", func(_ context.Context, e event.Event) error {
				time.Sleep(3 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				calls[e.ID]++
				return nil
			}),
		}}))
	}
	const events = 100
	for n := range events {
		r.ask(fmt.Sprintf("o%d", n))
	}
	r.clock.Advance(7 * time.Second) // the time for the fast path is over, and many still wait for the platform
	var all sync.WaitGroup
	for _, relay := range relays {
		all.Go(func() { r.drain(relay) })
	}
	all.Wait()
	for _, relay := range relays {
		r.drain(relay)
	}
	twice := 0
	for _, n := range calls {
		if n > 1 {
			twice++
		}
	}
	equal(t, events, len(calls))
	equal(t, 0, twice)
}

func TestANewMessageDoesNotWaitForAnOldOneOfItsDocument(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	first := r.relay(event.RelayConfig{Consumers: []event.Consumer{
		outside("refund", func(context.Context, event.Event) error { return errAway }), r.leaves("seat"),
	}})
	r.ask("x")
	for range 30 {
		r.drain(first)
		r.clock.Advance(16 * time.Minute)
	}
	r.drain(first)
	r.emit("x", 1) // and the process dies before it delivers
	r.clock.Advance(6 * time.Second)
	if _, err := first.SweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, 1, len(r.seen()))
}

func TestKilledBetweenAnyTwoStepsWithOutsideConsumersEveryEffectIsThereOnce(t *testing.T) {
	t.Parallel()
	consumers := func(r *room, ill *atomic.Bool) []event.Consumer {
		a, b, c := r.leaves("a"), failing(r.leaves("b"), ill), r.leaves("c")
		b.Effect, b.Platform, c.Effect, c.Platform = event.SameNumber, "bank", event.Repeatable, "bank"
		return []event.Consumer{a, b, c}
	}
	for _, start := range []bool{false, true} {
		everyDeath(t, 25, func(r *room, d *death) {
			var ill atomic.Bool
			ill.Store(true)
			relay := r.relay(event.RelayConfig{Workers: 1, SweepEvery: time.Hour, Consumers: consumers(r, &ill)})
			relay.Die(d.now)
			if start {
				if err := relay.Start(r.t.Context()); err != nil {
					r.t.Fatal(err)
				}
			}
			r.emit("x", 1)
			r.emit("y", 2)
			_ = relay.Drain(d.life)
			ill.Store(false)
			r.clock.Advance(time.Hour)
			_ = relay.Drain(d.life)
			if start {
				_ = relay.Stop(r.t.Context())
			}
		}, func(r *room) {
			var ill atomic.Bool
			next := r.relay(event.RelayConfig{Consumers: consumers(r, &ill)})
			r.drain(next)
			onceEach(r, next)
		})
	}
}

// Envelopes that cannot be read, more of them than a page, stop nobody else's messages.
func TestUnreadableDocumentsDoNotStopTheSweep(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	c := clock.NewManual(monday)
	r := openRoom(t, c, docstoretest.StoreOn(t, driver, c))
	const bad = 10
	for n := range bad {
		r.emit(fmt.Sprintf("a%d", n), 1)
	}
	records, err := driver.Get(t.Context(), "things", []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"})
	if err != nil || len(records) != bad {
		t.Fatal(err)
	}
	for _, one := range records {
		var m bson.M
		if err := bson.Unmarshal(one.Body, &m); err != nil {
			t.Fatal(err)
		}
		m["version"], m["outbox"] = one.Version+1, "damaged"
		body, err := bson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := docstore.EncodeKey(monday)
		if err != nil {
			t.Fatal(err)
		}
		op := docstore.Op{Kind: docstore.Replace, Collection: "things", ID: one.ID, Version: one.Version, Next: one.Version + 1, Body: body, Keys: []docstore.IndexKey{{Bytes: waiting}}}
		if err := driver.Write(t.Context(), []docstore.Op{op})[0]; err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(time.Second)
	r.emit("z", 7)
	c.Advance(time.Minute)
	relay := r.relay(event.RelayConfig{Page: 4, Consumers: []event.Consumer{r.leaves("seat")}})
	for range 4 {
		if _, err := relay.SweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, []string{"seat <- things/z/1/0: 7"}, r.seen())
	if lost, _ := r.store.Unreadable(); len(lost) != bad {
		t.Errorf("%d noted", len(lost))
	}
}
