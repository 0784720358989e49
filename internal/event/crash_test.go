package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/event"
)

// death counts step boundaries and strikes at the nth.
type death struct {
	mu     sync.Mutex
	after  int
	points []string
	struck chan struct{}
	life   context.Context // ends at death: nobody waits for the dead
	strike context.CancelFunc
}

func dieAfter(t *testing.T, n int) *death {
	d := &death{after: n, struck: make(chan struct{})}
	d.life, d.strike = context.WithCancel(t.Context())
	t.Cleanup(d.strike)
	return d
}

func (d *death) now(point string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.points) > d.after {
		return true
	}
	d.points = append(d.points, point)
	if len(d.points) > d.after {
		close(d.struck)
		d.strike()
		return true
	}
	return false
}

func (d *death) dead() bool {
	select {
	case <-d.struck:
		return true
	default:
		return false
	}
}

// everyDeath runs live once for every step boundary it has, dying there, and calls after with what is left.
func everyDeath(t *testing.T, minimum int, live func(r *room, d *death), after func(r *room)) {
	t.Helper()
	var places []string
	for n := 0; ; n++ {
		if n > 200 {
			t.Fatal("no end of step boundaries")
		}
		d := dieAfter(t, n)
		died := true
		t.Run(fmt.Sprintf("death %d", n), func(t *testing.T) {
			r := newRoom(t)
			live(r, d)
			if died = d.dead(); died {
				places = append(places, d.points[n])
			}
			r.clock.Advance(time.Hour) // every lease and grace is over
			after(r)
		})
		if !died {
			break
		}
	}
	t.Logf("died at: %q", places)
	if len(places) < minimum {
		t.Errorf("only %d step boundaries", len(places))
	}
}

func threeLeaves(r *room) []event.Consumer {
	return []event.Consumer{r.leaves("a"), r.leaves("b"), r.leaves("c")}
}

// onceEach asserts that every consumer's effect of x's and y's event is there, once, and nothing is under way.
func onceEach(r *room, relay *event.Relay) {
	r.t.Helper()
	equal(r.t, []string{
		"a <- things/x/1/0: 1", "a <- things/y/1/0: 2",
		"b <- things/x/1/0: 1", "b <- things/y/1/0: 2",
		"c <- things/x/1/0: 1", "c <- things/y/1/0: 2",
	}, r.seen())
	history := r.history(relay, "thing.Happened")
	slices.Sort(history)
	equal(r.t, []string{"things/x/1/0", "things/y/1/0"}, history)
	equal(r.t, 0, len(r.outbox("x"))+len(r.outbox("y")))
	list, err := relay.Parked(r.t.Context(), 10)
	if err != nil || len(list) > 0 {
		r.t.Errorf("parked: %v, %v", list, err)
	}
}

func TestKilledBetweenAnyTwoStepsOfASweepEveryEffectIsThereOnce(t *testing.T) {
	t.Parallel()
	everyDeath(t, 15, func(r *room, d *death) {
		relay := r.relay(event.RelayConfig{Workers: 1, Consumers: threeLeaves(r)})
		relay.Die(d.now)
		r.emit("x", 1)
		r.emit("y", 2)
		_ = relay.Drain(d.life)
	}, func(r *room) {
		next := r.relay(event.RelayConfig{Consumers: threeLeaves(r)})
		r.drain(next)
		onceEach(r, next)
	})
}

func TestKilledBetweenAnyTwoStepsOfTheFastPathEveryEffectIsThereOnce(t *testing.T) {
	t.Parallel()
	everyDeath(t, 10, func(r *room, d *death) {
		relay := r.relay(event.RelayConfig{Workers: 2, SweepEvery: time.Hour, Consumers: threeLeaves(r)})
		relay.Die(d.now)
		if err := relay.Start(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		r.emit("x", 1)
		r.emit("y", 2)
		_ = relay.Drain(d.life)
		_ = relay.Stop(r.t.Context())
	}, func(r *room) {
		next := r.relay(event.RelayConfig{Consumers: threeLeaves(r)})
		r.drain(next)
		onceEach(r, next)
	})
}

// failing wraps a consumer that fails while ill.
func failing(c event.Consumer, ill *atomic.Bool) event.Consumer {
	take := c.Take
	c.Take = func(ctx context.Context, e event.Event) error {
		if ill.Load() {
			return errors.New("ill")
		}
		return take(ctx, e)
	}
	return c
}

func TestKilledBetweenAnyTwoStepsOfFailingAndParkingEveryEffectIsThereOnce(t *testing.T) {
	t.Parallel()
	consumers := func(r *room, ill *atomic.Bool) []event.Consumer {
		return []event.Consumer{r.leaves("a"), failing(r.leaves("b"), ill), r.leaves("c")}
	}
	everyDeath(t, 25, func(r *room, d *death) {
		var ill atomic.Bool
		ill.Store(true)
		relay := r.relay(event.RelayConfig{Workers: 1, Attempts: 2, Consumers: consumers(r, &ill)})
		relay.Die(d.now)
		r.emit("x", 1)
		r.emit("y", 2)
		for range 2 {
			_ = relay.Drain(d.life)
			r.clock.Advance(time.Hour)
		}
		ill.Store(false)
		if !d.dead() {
			unparkAll(r, relay)
		}
		_ = relay.Drain(d.life)
	}, func(r *room) {
		var ill atomic.Bool
		next := r.relay(event.RelayConfig{Attempts: 2, Consumers: consumers(r, &ill)})
		r.drain(next)
		unparkAll(r, next)
		r.drain(next)
		onceEach(r, next)
	})
}

func unparkAll(r *room, relay *event.Relay) {
	r.t.Helper()
	list, err := relay.Parked(r.t.Context(), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range list {
		_ = relay.Unpark(r.t.Context(), p.ID)
	}
}

func TestTwoProcessesShareTheSweepWithoutDeliveringTwice(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var calls atomic.Int64
	count := event.Consumer{Event: "thing.Happened", Name: "count", Take: func(context.Context, event.Event) error {
		calls.Add(1)
		return nil
	}}
	const events = 300
	for n := range events {
		r.emit(fmt.Sprintf("x%d", n), 1)
	}
	r.clock.Advance(time.Minute)
	var all sync.WaitGroup
	for range 3 {
		relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{count}})
		all.Go(func() {
			if _, err := relay.SweepOnce(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	last := r.relay(event.RelayConfig{Consumers: []event.Consumer{count}})
	r.drain(last)
	equal(t, int64(events), calls.Load())
	equal(t, events, len(r.history(last, "thing.Happened")))
}

func TestDeliveredTwiceAndInReverseOrderTheEffectsAreTheSame(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var mu sync.Mutex
	var events []event.Event
	leaf := r.leaves("leaf")
	relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{{
		Event: leaf.Event, Name: leaf.Name, Take: func(_ context.Context, e event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
			return nil
		},
	}}})
	for n := range 4 {
		r.emit("x", int64(n))
	}
	r.drain(relay)
	slices.Reverse(events)
	for _, e := range slices.Concat(events, events) {
		if err := leaf.Take(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, []string{
		"leaf <- things/x/1/0: 0", "leaf <- things/x/2/0: 1", "leaf <- things/x/3/0: 2", "leaf <- things/x/4/0: 3",
	}, r.seen())
}

func TestStopFinishesWhatIsInDeliveryAndLeavesTheRestForTheNextStart(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	entered, gate := make(chan struct{}, 1), make(chan struct{})
	leaf := r.leaves("leaf")
	relay := r.relay(event.RelayConfig{Workers: 1, SweepEvery: time.Hour, Consumers: []event.Consumer{{
		Event: leaf.Event, Name: leaf.Name, Take: func(ctx context.Context, e event.Event) error {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-gate
			return leaf.Take(ctx, e)
		},
	}}})
	if err := relay.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		r.emit(fmt.Sprintf("x%d", n), 1)
	}
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- relay.Stop(t.Context()) }()
	relay.WaitShut()
	close(gate)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	equal(t, 1, len(r.seen()))
	equal(t, 1, len(r.history(relay, "thing.Happened")))
	next := r.relay(event.RelayConfig{Consumers: []event.Consumer{leaf}})
	r.drain(next)
	equal(t, 3, len(r.seen()))
}

func TestStopDoesNotWaitForeverForAConsumer(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	entered := make(chan struct{})
	relay := r.relay(event.RelayConfig{SweepEvery: time.Hour, Consumers: []event.Consumer{{
		Event: "thing.Happened", Name: "hangs", Take: func(ctx context.Context, _ event.Event) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		},
	}}})
	if err := relay.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.emit("x", 1)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := relay.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	relay.WaitEnd()
	equal(t, []docstore.Message{{ID: "things/x/1/0", Name: "thing.Happened", At: monday}}, r.outbox("x"))
}
