package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/docstore"
	"guanxi/internal/event"
)

// dice decides, under a lock, whether the next step fails or kills.
type dice struct {
	mu         sync.Mutex
	state      uint64
	ill, fatal uint64 // in 256
	dead       bool
}

func (d *dice) roll() uint64 {
	d.state = d.state*6364136223846793005 + 1442695040888963407
	return d.state >> 33 % 256
}

func (d *dice) fails() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.roll() < d.ill
}

func (d *dice) dies(string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = d.dead || d.roll() < d.fatal
	return d.dead
}

func TestWhateverFailsAndDiesNoEventIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	shared := newRoom(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		one := &trial{room: shared, prefix: fmt.Sprintf("run%d-", runs), dice: &dice{state: rapid.Uint64().Draw(rt, "seed")}}
		shared.clock.Advance(time.Hour)
		one.began = shared.clock.Now()
		one.life(t, rt)
		one.heal(t, rt)
	})
}

type trial struct {
	*room
	prefix string
	dice   *dice
	relay  *event.Relay
	events []string
	began  time.Time
}

func (o *trial) consumers() []event.Consumer {
	rows := []event.Consumer{o.leaves("a"), o.leaves("b")}
	for i, row := range rows {
		rows[i].Take = func(ctx context.Context, e event.Event) error {
			if o.dice.fails() {
				return errors.New("before")
			}
			if err := row.Take(ctx, e); err != nil {
				return err
			}
			if o.dice.fails() {
				return errors.New("after") // its effect is there, but the relay is told otherwise
			}
			return nil
		}
	}
	return rows
}

func (o *trial) reborn() {
	o.dice.mu.Lock()
	o.dice.dead = false
	o.dice.mu.Unlock()
	o.relay = o.room.relay(event.RelayConfig{Workers: 2, Attempts: 3, Page: 3, Retire: 2, Consumers: o.consumers()})
	o.relay.Die(o.dice.dies)
}

func (o *trial) life(t *testing.T, rt *rapid.T) {
	o.dice.ill = rapid.Uint64Range(0, 160).Draw(rt, "ill")
	o.dice.fatal = rapid.Uint64Range(0, 30).Draw(rt, "fatal")
	o.reborn()
	for range rapid.IntRange(1, 12).Draw(rt, "steps") {
		switch rapid.SampledFrom([]string{"emit", "emit", "sweep", "time", "unpark"}).Draw(rt, "step") {
		case "emit":
			id := o.prefix + rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "thing")
			o.emit(id, 1)
			stored, err := o.things.Get(t.Context(), id)
			if err != nil {
				rt.Fatal(err)
			}
			o.events = append(o.events, stored.Outbox[len(stored.Outbox)-1].ID)
		case "sweep":
			_, _ = o.relay.SweepOnce(t.Context())
		case "time":
			o.clock.Advance(time.Duration(rapid.IntRange(1, 100).Draw(rt, "seconds")) * time.Second)
		case "unpark":
			list, err := o.relay.Parked(t.Context(), 5)
			if err != nil {
				rt.Fatal(err)
			}
			for _, p := range list {
				_ = o.relay.Unpark(t.Context(), p.ID)
			}
		}
		if o.dice.dead {
			o.reborn()
		}
	}
}

func (o *trial) heal(t *testing.T, rt *rapid.T) {
	o.dice.ill, o.dice.fatal = 0, 0
	o.reborn()
	for range 2 {
		o.clock.Advance(time.Hour)
		o.drain(o.relay)
		unparkAll(o.room, o.relay)
	}
	o.drain(o.relay)
	list, err := o.relay.Parked(t.Context(), 5)
	if err != nil || len(list) > 0 {
		rt.Fatalf("parked: %v, %v", list, err)
	}
	for _, consumer := range []string{"a", "b"} {
		for _, e := range o.events {
			n, err := o.effects.Count(t.Context(), docstore.By("consumer", consumer, e), 0)
			if err != nil || n != 1 {
				rt.Fatalf("%s: %d effects of %s: %v", consumer, n, e, err)
			}
		}
	}
	history := o.historySince(o.began, "thing.Happened")
	equal(t, len(o.events), len(history))
	for _, e := range o.events {
		if !slices.Contains(history, e) {
			rt.Fatalf("%s is not in the history", e)
		}
	}
	for _, id := range []string{"x", "y", "z"} {
		stored, err := o.things.Get(t.Context(), o.prefix+id)
		if err == nil && (len(stored.Outbox) > 0 || !stored.Waiting.IsZero()) {
			rt.Fatalf("%s still has an outbox: %v", id, stored.Outbox)
		}
	}
}
