package event

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"guanxi/internal/docstore"
)

// depthLimit bounds the counting of waiting documents per collection.
const depthLimit = 1000

type counts struct {
	delivered, failed, retired, unretired, parked, overflow atomic.Int64
}

type backlog struct {
	documents, parked int
	oldest            time.Time
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

	Queue  int // messages waiting for a worker
	Inside int // queued, in delivery or in retirement

	Waiting   int           // documents with a waiting outbox, counted up to 1000 per collection
	ParkedNow int           // counted up to 1000
	Oldest    time.Duration // age of the oldest message of the document that has been waiting longest
}

// Stats returns a snapshot; it does no I/O.
func (r *Relay) Stats() Stats {
	queued, inside := r.hall.depth()
	s := Stats{
		Delivered: r.counts.delivered.Load(), Failed: r.counts.failed.Load(),
		Retired: r.counts.retired.Load(), Unretired: r.counts.unretired.Load(),
		Parked: r.counts.parked.Load(), Overflow: r.counts.overflow.Load(),
		Queue: queued, Inside: inside,
	}
	if last := r.backlog.Load(); last != nil {
		s.Waiting, s.ParkedNow = last.documents, last.parked
		if !last.oldest.IsZero() {
			s.Oldest = r.config.Clock.Now().Sub(last.oldest)
		}
	}
	return s
}

// measure refreshes the backlog.
func (r *Relay) measure(ctx context.Context) error {
	var now backlog
	var err error
	if now.parked, err = r.parked.Count(ctx, docstore.By("parked_at"), depthLimit); err != nil {
		return fmt.Errorf("event: measure: %w", err)
	}
	for _, box := range r.outboxes() {
		depth, err := box.Depth(ctx, depthLimit)
		if err != nil {
			return fmt.Errorf("event: measure: %w", err)
		}
		if depth == 0 {
			continue
		}
		now.documents += depth
		first, err := box.Waiting(ctx, r.config.Clock.Now().Add(farForward), 1)
		if err != nil {
			return fmt.Errorf("event: measure: %w", err)
		}
		// Only looks: an edit that changes nothing costs no write.
		box.TendMany(ctx, first, func(doc *docstore.Doc) error {
			for _, m := range doc.Outbox {
				if now.oldest.IsZero() || m.At.Before(now.oldest) {
					now.oldest = m.At
				}
			}
			return nil
		})
	}
	r.backlog.Store(&now)
	return nil
}
