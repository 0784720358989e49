package event_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"guanxi/internal/event"
)

// Emitting is part of what is measured: each event is a durable insert, then a delivery, a line in the history and
// a removal from the outbox.
func BenchmarkEvents(b *testing.B) {
	nothing := event.Consumer{Event: "thing.Happened", Name: "nothing", Take: func(context.Context, event.Event) error { return nil }}
	for _, bench := range []struct {
		name      string
		consumers func(r *room) []event.Consumer
		target    func(n int) string
	}{
		{"spread/no-op", func(*room) []event.Consumer { return []event.Consumer{nothing} }, strconv.Itoa},
		{"spread/insert", func(r *room) []event.Consumer { return []event.Consumer{r.leaves("leaf")} }, strconv.Itoa},
		{"hot/no-op", func(*room) []event.Consumer { return []event.Consumer{nothing} }, func(n int) string { return strconv.Itoa(n % 4) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRoom(b)
			relay := r.started(event.RelayConfig{Consumers: bench.consumers(r), Queue: 1 << 16})
			b.ReportAllocs()
			b.ResetTimer()
			const callers = 64
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					for n := caller; n < b.N; n += callers {
						r.emit(bench.target(n), 1)
					}
				})
			}
			all.Wait()
			emitted := b.Elapsed()
			r.drain(relay)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/emitted.Seconds(), "emitted/s")
		})
	}
}

// The way back after a crash: everything waits in the outboxes and the sweeper has to carry it.
func BenchmarkSweep(b *testing.B) {
	r := newRoom(b)
	var all sync.WaitGroup
	for caller := range 64 {
		all.Go(func() {
			for n := caller; n < b.N; n += 64 {
				r.emit(strconv.Itoa(n), 1)
			}
		})
	}
	all.Wait()
	relay := r.relay(event.RelayConfig{})
	b.ResetTimer()
	r.drain(relay)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
