package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/event"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

type thing struct {
	docstore.Doc `bson:",inline"`
	Units        int64 `bson:"units"`
}

type happened struct {
	Units int64 `bson:"units"`
}

// effect is what a consumer leaves behind: one document per event, keyed by the event's id.
type effect struct {
	docstore.Doc `bson:",inline"`
	Consumer     string `bson:"consumer"`
	Event        string `bson:"event"`
	Units        int64  `bson:"units"`
}

type room struct {
	t       testing.TB
	clock   *clock.Manual
	store   *docstore.Store
	things  *docstore.Collection[thing]
	effects *docstore.Collection[effect]
}

func newRoom(t testing.TB) *room {
	t.Helper()
	c := clock.NewManual(monday)
	return openRoom(t, c, docstoretest.NewStore(t, c))
}

func openRoom(t testing.TB, c *clock.Manual, store *docstore.Store) *room {
	t.Helper()
	ctx := t.Context()
	r := &room{t: t, clock: c, store: store}
	var err error
	if r.things, err = docstore.Open[thing](ctx, store, docstore.Spec{Name: "things", Emits: true}); err != nil {
		t.Fatal(err)
	}
	spec := docstore.Spec{Name: "effects", Indexes: []docstore.Index{{Name: "consumer", Fields: []string{"consumer", "event"}, Unique: true}}}
	if r.effects, err = docstore.Open[effect](ctx, store, spec); err != nil {
		t.Fatal(err)
	}
	return r
}

// emit changes a thing and tells it.
func (r *room) emit(id string, units int64) {
	r.t.Helper()
	_, err := r.things.Upsert(r.t.Context(), id, func(one *thing) error {
		one.Units += units
		one.Emit("thing.Happened", happened{units})
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// leaves makes a consumer with one effect per event.
func (r *room) leaves(name string) event.Consumer {
	return event.Consumer{Event: "thing.Happened", Name: name, Effect: event.Inside, Take: func(ctx context.Context, e event.Event) error {
		var body happened
		if err := e.Decode(&body); err != nil {
			return err
		}
		err := r.effects.Insert(ctx, &effect{Doc: docstore.Doc{ID: name + "/" + e.ID}, Consumer: name, Event: e.ID, Units: body.Units})
		if docstore.Exists(err) {
			return nil
		}
		return err
	}}
}

func (r *room) relay(c event.RelayConfig) *event.Relay {
	r.t.Helper()
	c.Store, c.Clock = r.store, r.clock
	if c.Random == nil {
		c.Random = func(n int64) int64 { return n - 1 }
	}
	relay, err := event.NewRelay(r.t.Context(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	return relay
}

func (r *room) started(c event.RelayConfig) *event.Relay {
	r.t.Helper()
	relay := r.relay(c)
	if err := relay.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := relay.Stop(context.Background()); err != nil {
			r.t.Error(err)
		}
	})
	return relay
}

func (r *room) drain(relay *event.Relay) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	if err := relay.Drain(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// seen lists the effects as consumer ← event.
func (r *room) seen() []string {
	r.t.Helper()
	list := []string{}
	err := r.effects.Each(r.t.Context(), docstore.All(), func(e *effect) error {
		list = append(list, fmt.Sprintf("%s <- %s: %d", e.Consumer, e.Event, e.Units))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *room) outbox(id string) []docstore.Message {
	r.t.Helper()
	one, err := r.things.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range one.Outbox {
		one.Outbox[i].Body = nil
	}
	return one.Outbox
}

// history lists what the history holds, oldest first.
func (r *room) history(_ *event.Relay, name string) []string {
	r.t.Helper()
	return r.historySince(time.Time{}, name)
}

func (r *room) historySince(since time.Time, name string) []string {
	r.t.Helper()
	list := []string{}
	probe := r.relay(event.RelayConfig{Consumers: []event.Consumer{{Event: name, Name: "probe", Take: func(_ context.Context, e event.Event) error {
		list = append(list, e.ID)
		return nil
	}}}})
	if _, err := probe.Replay(r.t.Context(), "probe", since); err != nil {
		r.t.Fatal(err)
	}
	return list
}

func equal(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEveryConsumerTakesACommittedEventAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.started(event.RelayConfig{Consumers: []event.Consumer{r.leaves("a.one"), r.leaves("b.two")}})
	r.emit("x", 3)
	r.drain(relay)
	equal(t, []string{"a.one <- things/x/1/0: 3", "b.two <- things/x/1/0: 3"}, r.seen())
	equal(t, []docstore.Message(nil), r.outbox("x"))
	equal(t, []string{"things/x/1/0"}, r.history(relay, "thing.Happened"))
	got := relay.Stats()
	got.Waiting, got.Oldest, got.Consumers = 0, 0, nil // as of the last sweep, which may have been in the middle
	equal(t, event.Stats{Delivered: 2, Retired: 1}, got)
}

func TestEventsWithoutConsumersGoToTheHistory(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.started(event.RelayConfig{})
	r.emit("x", 1)
	r.drain(relay)
	equal(t, []docstore.Message(nil), r.outbox("x"))
	equal(t, []string{"things/x/1/0"}, r.history(relay, "thing.Happened"))
}

func TestAnEventEmittedByAConsumerIsDrainedToo(t *testing.T) {
	t.Parallel()
	for _, start := range []bool{true, false} {
		r := newRoom(t)
		config := event.RelayConfig{Consumers: []event.Consumer{r.leaves("leaf"), {
			Event: "thing.Happened", Name: "chain", Take: func(ctx context.Context, e event.Event) error {
				var body happened
				if err := e.Decode(&body); err != nil || body.Units == 0 {
					return err
				}
				next := fmt.Sprintf("chain%d", body.Units-1)
				_, err := r.things.Upsert(ctx, next, func(one *thing) error {
					if one.Fresh() {
						one.Emit("thing.Happened", happened{body.Units - 1})
					}
					return nil
				})
				return err
			},
		}}}
		var relay *event.Relay
		if start {
			relay = r.started(config)
		} else {
			relay = r.relay(config)
		}
		r.emit("chain5", 5)
		r.drain(relay)
		if got := len(r.seen()); got != 6 {
			t.Errorf("start %v: %d effects, want 6", start, got)
		}
	}
}

func TestWhatSucceededIsRememberedWhenAnotherConsumerFails(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var calls, broken atomic.Int64
	broken.Store(1)
	relay := r.started(event.RelayConfig{Consumers: []event.Consumer{
		{Event: "thing.Happened", Name: "fails", Take: func(context.Context, event.Event) error {
			if broken.Load() == 1 {
				return errors.New("the platform is away")
			}
			return nil
		}},
		{Event: "thing.Happened", Name: "counts", Take: func(context.Context, event.Event) error { calls.Add(1); return nil }},
	}})
	r.emit("x", 1)
	r.drain(relay)
	equal(t, []docstore.Message{{
		ID: "things/x/1/0", Name: "thing.Happened", At: monday,
		Done: []string{"counts"}, Attempts: 1, Error: "fails: the platform is away", Tries: []docstore.Try{{
			Consumer: "fails", Attempts: 1, Refused: 1, Since: monday, Next: monday.Add(2 * time.Second), Error: "the platform is away",
		}},
	}}, r.outbox("x"))
	one, _ := r.things.Get(t.Context(), "x")
	equal(t, monday.Add(2*time.Second), one.Waiting)

	broken.Store(0)
	r.drain(relay) // not due yet
	equal(t, 1, len(r.outbox("x")))
	r.clock.Advance(2 * time.Second)
	r.drain(relay)
	equal(t, 0, len(r.outbox("x")))
	equal(t, int64(1), calls.Load())
}

func TestAPanicIsAFailureAndLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.started(event.RelayConfig{Workers: 1, Consumers: []event.Consumer{
		{Event: "thing.Happened", Name: "panics", Take: func(context.Context, event.Event) error { panic("oops") }},
		r.leaves("well"),
	}})
	r.emit("x", 1)
	r.emit("y", 1)
	r.drain(relay)
	equal(t, 2, len(r.seen()))
	equal(t, "panics: panicked: oops", r.outbox("y")[0].Error)
}

func TestAConsumerThatHangsIsTimedOut(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.started(event.RelayConfig{Timeout: time.Millisecond, Consumers: []event.Consumer{
		{Event: "thing.Happened", Name: "hangs", Take: func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() }},
	}})
	r.emit("x", 1)
	r.drain(relay)
	equal(t, "hangs: context deadline exceeded", r.outbox("x")[0].Error)
}

func TestAMessageOutOfAttemptsIsParkedAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var broken atomic.Bool
	var taken atomic.Int64
	broken.Store(true)
	relay := r.relay(event.RelayConfig{Attempts: 3, Consumers: []event.Consumer{
		r.leaves("well"),
		{Event: "thing.Happened", Name: "fails", Take: func(context.Context, event.Event) error {
			if broken.Load() {
				return errors.New("no")
			}
			taken.Add(1)
			return nil
		}},
	}})
	r.emit("x", 7)
	for range 3 {
		r.drain(relay)
		r.clock.Advance(time.Hour)
	}
	equal(t, 0, len(r.outbox("x")))
	list, err := relay.Parked(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("parked: %v, %v", list, err)
	}
	id := list[0].ID
	equal(t, []event.Parked{{
		ID: id, Event: "things/x/1/0", Name: "thing.Happened", Source: "things/x", At: monday,
		Done: []string{"well"}, Missing: []string{"fails"}, Attempts: 3, Error: "fails: no", ParkedAt: monday.Add(2 * time.Hour),
	}}, list)
	equal(t, int64(1), relay.Stats().Parked)
	equal(t, 0, len(r.history(relay, "thing.Happened")))

	broken.Store(false)
	if err := relay.Unpark(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.drain(relay)
	equal(t, int64(1), taken.Load())
	equal(t, []string{"well <- things/x/1/0: 7"}, r.seen())
	equal(t, []string{"things/x/1/0"}, r.history(relay, "thing.Happened"))
	list, err = relay.Parked(t.Context(), 10)
	if err != nil || len(list) != 0 {
		t.Fatalf("parked: %v, %v", list, err)
	}
	if err := relay.Unpark(t.Context(), id); !errors.Is(err, docstore.ErrNotFound) {
		t.Errorf("unpark twice: %v", err)
	}
}

func TestAParkedMessageOfADeletedDocumentCanStillBeSent(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var broken atomic.Bool
	broken.Store(true)
	leaf := r.leaves("leaf")
	relay := r.relay(event.RelayConfig{Attempts: 1, Consumers: []event.Consumer{{
		Event: leaf.Event, Name: leaf.Name, Take: func(ctx context.Context, e event.Event) error {
			if broken.Load() {
				return errors.New("no")
			}
			return leaf.Take(ctx, e)
		},
	}}})
	r.emit("x", 7)
	r.drain(relay)
	if err := r.things.Delete(t.Context(), "x", nil); err != nil {
		t.Fatal(err)
	}
	list, err := relay.Parked(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := relay.Unpark(t.Context(), list[0].ID); err == nil {
		t.Fatal("a failing consumer must be told")
	}
	broken.Store(false)
	if err := relay.Unpark(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	equal(t, []string{"leaf <- things/x/1/0: 7"}, r.seen())
	equal(t, []string{"things/x/1/0"}, r.history(relay, "thing.Happened"))
}

func TestOverflowIsLeftToTheSweeperAndNothingIsLost(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	gate := make(chan struct{})
	leaf := r.leaves("slow")
	relay := r.started(event.RelayConfig{Workers: 1, Queue: 2, SweepEvery: time.Hour, Consumers: []event.Consumer{{
		Event: leaf.Event, Name: leaf.Name, Take: func(ctx context.Context, e event.Event) error {
			<-gate
			return leaf.Take(ctx, e)
		},
	}}})
	for n := range 20 {
		r.emit(fmt.Sprintf("x%d", n), 1) // never blocks
	}
	if got := relay.Stats().Overflow; got < 17 {
		t.Errorf("overflow %d, want at least 17", got)
	}
	close(gate)
	r.drain(relay)
	equal(t, 20, len(r.seen()))
	equal(t, 20, len(r.history(relay, "thing.Happened")))
}

func TestReplayFeedsTheHistoryToOneConsumer(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	first := r.relay(event.RelayConfig{Consumers: []event.Consumer{r.leaves("old")}})
	for n := range 5 {
		r.emit(fmt.Sprintf("x%d", n), int64(n))
		r.clock.Advance(time.Minute)
	}
	r.drain(first)
	late := r.relay(event.RelayConfig{Consumers: []event.Consumer{r.leaves("late")}})
	var progress []int
	for range 2 { // twice is harmless
		n, err := late.ReplayWith(t.Context(), event.Replaying{
			Consumer: "late", Since: monday.Add(2 * time.Minute), Progress: func(n int, _ time.Time) { progress = append(progress, n) },
		})
		if n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	equal(t, []int{3, 3}, progress)
	equal(t, []string{
		"late <- things/x2/1/0: 2", "late <- things/x3/1/0: 3", "late <- things/x4/1/0: 4",
		"old <- things/x0/1/0: 0", "old <- things/x1/1/0: 1", "old <- things/x2/1/0: 2", "old <- things/x3/1/0: 3", "old <- things/x4/1/0: 4",
	}, r.seen())
	if _, err := late.Replay(t.Context(), "nobody", time.Time{}); err == nil {
		t.Error("an unknown consumer must be refused")
	}
}

func TestTheTableOfConsumersIsChecked(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good := r.leaves("one")
	for name, rows := range map[string][]event.Consumer{
		"twice":   {good, good},
		"no name": {{Event: "e", Take: good.Take}},
		"no take": {{Event: "e", Name: "n"}},
	} {
		_, err := event.NewRelay(t.Context(), event.RelayConfig{Store: r.store, Clock: r.clock, Consumers: rows})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTheFlowTableIsPrintedSorted(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	err := event.WriteTable(&text, []event.Consumer{
		{Event: "order.Paid", Name: "groupbuy.takeSeat", Effect: event.Inside},
		{Event: "order.Paid", Name: "catalog.commit", Effect: event.Inside},
		{Event: "campaign.Formed", Name: "order.confirm", Effect: event.Inside},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, `| event | consumer | effect |
|---|---|---|
| campaign.Formed | order.confirm | inside |
| order.Paid | catalog.commit | inside |
| order.Paid | groupbuy.takeSeat | inside |
`, text.String())
}

func TestALongDocumentIDStillHasAHistory(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	relay := r.started(event.RelayConfig{})
	long := strings.Repeat("x", 200)
	r.emit(long, 1)
	r.drain(relay)
	equal(t, []string{"things/" + long + "/1/0"}, r.history(relay, "thing.Happened"))
}
