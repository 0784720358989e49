package event

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

const replayPage = 500

// Replay feeds the history of a consumer's event since a moment to that consumer alone, oldest first, and
// returns how many it took. It ends at the first failure: call it again with the time the error names.
func (r *Relay) Replay(ctx context.Context, consumer string, since time.Time) (n int, err error) {
	return r.ReplayWith(ctx, Replaying{Consumer: consumer, Since: since})
}

// Replaying says what to replay.
type Replaying struct {
	Consumer string
	Since    time.Time
	Progress func(done int, at time.Time) // called after every page; may be nil
}

// ReplayWith is Replay with progress.
func (r *Relay) ReplayWith(ctx context.Context, what Replaying) (n int, err error) {
	consumer, ok := r.consumer(what.Consumer)
	if !ok {
		return 0, fmt.Errorf("event: replay: no consumer %q", what.Consumer)
	}
	var from any
	if !what.Since.IsZero() {
		from = what.Since
	}
	query := docstore.By("name_at", consumer.Event).Between(from, nil).First(replayPage)
	for {
		page, err := r.history.Find(ctx, query)
		if err != nil {
			return n, fmt.Errorf("event: replay: %w", err)
		}
		var at time.Time
		for _, p := range page.Items {
			if err := r.hand(ctx, consumer, r.pastEvent(p)); err != nil {
				return n, fmt.Errorf("event: replay %s at %s: %w", p.Event, p.At.Format(time.RFC3339Nano), err)
			}
			n, at = n+1, p.At
		}
		if what.Progress != nil && len(page.Items) > 0 {
			what.Progress(n, at)
		}
		if page.Next == "" {
			return n, nil
		}
		query = query.Continue(page.Next)
	}
}

func (r *Relay) consumer(name string) (Consumer, bool) {
	for _, row := range r.config.Consumers {
		if row.Name == name {
			return row, true
		}
	}
	return Consumer{}, false
}

func (r *Relay) pastEvent(p *past) Event {
	return r.eventOf(parcel{p.Collection, p.Document, docstore.Message{ID: p.Event, Name: p.Name, At: p.At, Body: p.Body}})
}
