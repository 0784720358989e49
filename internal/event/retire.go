package event

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// past is an event that every consumer has taken.
type past struct {
	docstore.Doc `bson:",inline"`
	Event        string    `bson:"event"` // its id; the document's own id is derived when this one is too long
	Name         string    `bson:"name"`
	At           time.Time `bson:"at"`
	Collection   string    `bson:"collection"`
	Document     string    `bson:"document"`
	Body         bson.Raw  `bson:"body"`
	Consumers    []string  `bson:"consumers,omitempty"`
}

func historySpec() docstore.Spec {
	return docstore.Spec{
		Name: HistoryCollection,
		Indexes: []docstore.Index{
			{Name: "name_at", Fields: []string{"name", "at"}},
			{Name: "at", Fields: []string{"at"}},
		},
	}
}

// historyID is the document id of an event in the history: its own id, unless that is longer than a document
// id may be.
func historyID(event string) string {
	if id.Valid(event) {
		return event
	}
	return id.Derive("event", event)
}

// retireLoop gathers finished messages and lets them leave together.
func (r *Relay) retireLoop() {
	for first := range r.retiring {
		batch := first
		timer := time.NewTimer(r.config.RetireWait)
		for open := true; open && len(batch) < r.config.Retire; {
			var more []parcel
			select {
			case more, open = <-r.retiring:
				batch = append(batch, more...)
			case <-timer.C:
				open = false
			}
		}
		timer.Stop()
		r.retire(r.life, batch)
	}
}

// retire writes finished messages to the history and then takes them out of their outboxes. What fails here
// stays in the outbox; the sweeper brings it round again.
func (r *Relay) retire(ctx context.Context, batch []parcel) (retired int) {
	ctx = context.WithoutCancel(ctx)
	defer func() { r.leave(batch...) }()
	if err := r.at("before history"); err != nil {
		return 0
	}
	written := r.remember(ctx, batch)
	if err := r.at("between history and outbox"); err != nil {
		return 0
	}
	retired = r.remove(ctx, written)
	_ = r.at("after outbox")
	r.counts.retired.Add(int64(retired))
	return retired
}

func (r *Relay) remember(ctx context.Context, batch []parcel) (written []parcel) {
	docs := make([]*past, len(batch))
	for i, p := range batch {
		m := p.message
		docs[i] = &past{
			Doc: docstore.Doc{ID: historyID(m.ID)}, Event: m.ID, Name: m.Name, At: m.At,
			Collection: p.collection, Document: p.document, Body: m.Body, Consumers: r.namesFor(m),
		}
	}
	written = make([]parcel, 0, len(batch))
	for i, err := range r.history.InsertMany(ctx, docs) {
		if err != nil && !docstore.Exists(err) {
			r.counts.unretired.Add(1)
			r.config.Log.Warn("event not written to the history", "event", batch[i].message.ID, "error", err)
			continue
		}
		written = append(written, batch[i])
	}
	return written
}

func (r *Relay) namesFor(m docstore.Message) []string {
	names := slices.Clone(m.Done)
	for _, c := range r.consumers[m.Name] {
		names = union(names, []string{c.Name})
	}
	return names
}

// remove takes messages out of their outboxes, all of one collection with one grouped write.
func (r *Relay) remove(ctx context.Context, written []parcel) (removed int) {
	if len(written) == 0 {
		return 0
	}
	gone := make(map[string]bool, len(written))
	documents := map[string][]string{}
	for _, p := range written {
		gone[p.message.ID] = true
		if !slices.Contains(documents[p.collection], p.document) {
			documents[p.collection] = append(documents[p.collection], p.document)
		}
		r.unparkLeftover(ctx, p)
	}
	edit := func(doc *docstore.Doc) error { //nolint:unparam // the shape TendMany wants
		doc.Outbox = slices.DeleteFunc(doc.Outbox, func(m docstore.Message) bool { return gone[m.ID] })
		doc.Waiting = r.due(doc, r.config.Clock.Now())
		return nil
	}
	boxes := r.outboxes()
	var mu sync.Mutex
	stuck := map[string]bool{}
	var all sync.WaitGroup
	for collection, ids := range documents {
		all.Go(func() {
			for i, err := range boxes[collection].TendMany(ctx, ids, edit) {
				if err == nil || errors.Is(err, docstore.ErrNotFound) {
					continue
				}
				r.config.Log.Warn("event not taken out of its outbox", "collection", collection, "document", ids[i], "error", err)
				mu.Lock()
				stuck[collection+"/"+ids[i]] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, p := range written {
		if stuck[p.collection+"/"+p.document] {
			r.counts.unretired.Add(1)
			continue
		}
		removed++
	}
	return removed
}

// unparkLeftover deletes the parked copy that a crash left behind of a message that succeeded after all.
func (r *Relay) unparkLeftover(ctx context.Context, p parcel) {
	m := p.message
	may := m.Attempts >= min(r.config.Attempts, r.config.Refusals)-1 || strings.HasPrefix(m.Error, unparkedMark)
	if !may {
		return
	}
	err := r.parked.Delete(ctx, parkedID(m.ID), nil)
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		r.config.Log.Warn("parked copy not deleted", "event", m.ID, "error", err)
	}
}
