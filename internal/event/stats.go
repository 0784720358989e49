package event

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"guanxi/internal/docstore"
)

// depthLimit bounds the counting of waiting documents per collection.
const depthLimit = 1000

type counts struct {
	delivered, failed, retired, unretired, parked, overflow atomic.Int64
}

// looked is how many waiting documents of a collection are looked into, the longest waiting first.
const looked = 200

type backlog struct {
	documents, parked int
	oldest            time.Time
	consumers         map[string]waitingFor
}

// waitingFor is what the outboxes hold for one consumer.
type waitingFor struct {
	messages int
	oldest   time.Time
}

// ConsumerStats is one consumer's part of a Stats.
type ConsumerStats struct {
	Name      string
	Effect    Effect
	Platform  string
	Delivered int64 // since the start of the process, like the next three
	Failed    int64
	PutOff    int64 // not called: its line was full or its platform away
	Parked    int64

	Queued       int       // waiting for a call in this process
	Running      int       // calls at this moment
	OldestQueued time.Time // when the first of the queued was emitted; zero when none waits
	CircuitOpen  bool      // its platform is left alone for now

	Waiting int           // messages in the outboxes that it has not taken, as of the last sweep; a bounded look
	Oldest  time.Duration // age of the oldest of them
}

// Stats is a snapshot for metrics. The first six count since the start of the process; the backlog is as of the last
// sweep.
type Stats struct {
	Delivered int64 // successful calls of consumers
	Failed    int64 // failed calls
	Retired   int64 // messages that went to the history
	Unretired int64 // messages taken by all whose retirement failed; they come round again
	Parked    int64
	Overflow  int64 // messages the fast path had no room for

	Queue  int // calls waiting for their turn
	Inside int // queued, in delivery or in retirement

	Waiting   int           // documents with a waiting outbox, counted up to 1000 per collection
	ParkedNow int           // counted up to 1000
	Oldest    time.Duration // age of the oldest message of the document that has been waiting longest

	Consumers []ConsumerStats // by name
}

// Stats returns a snapshot; it does no I/O.
func (r *Relay) Stats() Stats {
	s := Stats{
		Delivered: r.counts.delivered.Load(), Failed: r.counts.failed.Load(),
		Retired: r.counts.retired.Load(), Unretired: r.counts.unretired.Load(),
		Parked: r.counts.parked.Load(), Overflow: r.counts.overflow.Load(),
		Queue: r.lanes.queued(), Inside: r.hall.count(),
	}
	if last := r.backlog.Load(); last != nil {
		s.Waiting, s.ParkedNow = last.documents, last.parked
		if !last.oldest.IsZero() {
			s.Oldest = r.config.Clock.Now().Sub(last.oldest)
		}
	}
	s.Consumers = r.consumerStats()
	return s
}

func (r *Relay) consumerStats() (list []ConsumerStats) {
	now, last := r.config.Clock.Now(), r.backlog.Load()
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	for _, one := range r.lanes.lines {
		c := ConsumerStats{
			Name: one.consumer.Name, Effect: one.consumer.Effect, Platform: one.consumer.Platform,
			Delivered: one.tally.delivered, Failed: one.tally.failed, PutOff: one.tally.putOff, Parked: one.tally.parked,
			Queued: len(one.queue), Running: one.running, CircuitOpen: one.circuit.open(now),
		}
		if len(one.queue) > 0 {
			c.OldestQueued = one.queue[0].at
		}
		if last != nil {
			if w := last.consumers[c.Name]; w.messages > 0 {
				c.Waiting, c.Oldest = w.messages, now.Sub(w.oldest)
			}
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b ConsumerStats) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// waits adds a waiting message to the consumers that have not taken it.
func (b *backlog) waits(r *Relay, m *docstore.Message) {
	if b.oldest.IsZero() || m.At.Before(b.oldest) {
		b.oldest = m.At
	}
	for _, c := range r.consumers[m.Name] {
		if slices.Contains(m.Done, c.Name) || tryOf(m, c.Name).Parked {
			continue
		}
		w := b.consumers[c.Name]
		if w.messages++; w.oldest.IsZero() || m.At.Before(w.oldest) {
			w.oldest = m.At
		}
		b.consumers[c.Name] = w
	}
}

// measure refreshes the backlog and gives the boxes in which something waits. Collections that are not among the boxes
// hold nothing as far as is known.
func (r *Relay) measure(ctx context.Context, boxes map[string]docstore.Outbox) (waiting map[string]docstore.Outbox, err error) {
	waiting = map[string]docstore.Outbox{}
	now := backlog{consumers: map[string]waitingFor{}}
	if len(boxes) == 0 {
		return waiting, nil
	}
	if now.parked, err = r.parked.Count(ctx, docstore.By("parked_at"), depthLimit); err != nil {
		return waiting, fmt.Errorf("event: measure: %w", err)
	}
	for name, box := range boxes {
		first, err := box.Waiting(ctx, r.config.Clock.Now().Add(farForward), looked)
		if err != nil {
			return waiting, fmt.Errorf("event: measure: %w", err)
		}
		if len(first) == 0 {
			continue
		}
		r.lively.emitted(name)
		waiting[name] = box
		depth := len(first)
		if depth == looked {
			if depth, err = box.Depth(ctx, depthLimit); err != nil {
				return waiting, fmt.Errorf("event: measure: %w", err)
			}
		}
		now.documents += depth
		// Only looks: an edit that changes nothing costs no write.
		box.TendMany(ctx, first, func(doc *docstore.Doc) error {
			for i := range doc.Outbox {
				now.waits(r, &doc.Outbox[i])
			}
			return nil
		})
	}
	r.backlog.Store(&now)
	return waiting, nil
}
