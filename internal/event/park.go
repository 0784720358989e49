package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// unparkedMark begins the Error of a message that somebody sent again.
const unparkedMark = "sent again after: "

// parked is a message that was given up on until a person looks at it.
type parked struct {
	docstore.Doc `bson:",inline"`
	Event        string    `bson:"event"`
	Name         string    `bson:"name"`
	At           time.Time `bson:"at"`
	Collection   string    `bson:"collection"`
	Document     string    `bson:"document"`
	Body         bson.Raw  `bson:"body"`
	Done         []string  `bson:"done,omitempty"`
	Attempts     int       `bson:"attempts"`
	Error        string    `bson:"error"`
	ParkedAt     time.Time `bson:"parked_at"`
}

func parkedSpec() docstore.Spec {
	return docstore.Spec{
		Name:    ParkedCollection,
		Indexes: []docstore.Index{{Name: "parked_at", Fields: []string{"parked_at"}}},
	}
}

func parkedID(event string) string { return id.Derive("parked", event) }

// Parked is a message that failed Config.Attempts rounds.
type Parked struct {
	ID       string // to Unpark it
	Event    string // the event's id
	Name     string
	Source   string // collection/document
	At       time.Time
	Done     []string // consumers that have taken it
	Missing  []string // consumers that have not
	Attempts int
	Error    string
	ParkedAt time.Time
}

func (r *Relay) park(ctx context.Context, collection, document string, m docstore.Message) error {
	if err := r.at("before parking"); err != nil {
		return err
	}
	now := r.config.Clock.Now()
	_, err := r.parked.Upsert(ctx, parkedID(m.ID), func(p *parked) error {
		p.Event, p.Name, p.At, p.Body = m.ID, m.Name, m.At, m.Body
		p.Collection, p.Document = collection, document
		p.Done, p.Attempts, p.Error, p.ParkedAt = union(p.Done, m.Done), m.Attempts, m.Error, now
		return nil
	})
	if err != nil {
		return err
	}
	r.counts.parked.Add(1)
	r.config.Log.Error("event parked", "event", m.ID, "name", m.Name, "attempts", m.Attempts, "error", m.Error)
	return r.at("after parking")
}

// Parked lists parked messages, the longest waiting first.
func (r *Relay) Parked(ctx context.Context, limit int) ([]Parked, error) {
	page, err := r.parked.Find(ctx, docstore.By("parked_at").First(limit))
	if err != nil {
		return nil, fmt.Errorf("event: parked: %w", err)
	}
	list := make([]Parked, len(page.Items))
	for i, p := range page.Items {
		list[i] = Parked{
			ID: p.ID, Event: p.Event, Name: p.Name, Source: p.Collection + "/" + p.Document, At: p.At,
			Done: p.Done, Missing: r.missing(p), Attempts: p.Attempts, Error: p.Error, ParkedAt: p.ParkedAt,
		}
	}
	return list, nil
}

func (r *Relay) missing(p *parked) []string {
	var names []string
	for _, c := range r.consumers[p.Name] {
		if !slices.Contains(p.Done, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Unpark sends a parked message again, with fresh attempts, to the consumers that have not taken it. Errors:
// docstore.ErrNotFound when nothing is parked under this id.
func (r *Relay) Unpark(ctx context.Context, parkedID string) error {
	p, err := r.parked.Get(ctx, parkedID)
	if err != nil {
		return fmt.Errorf("event: unpark: %w", err)
	}
	m := docstore.Message{
		ID: p.Event, Name: p.Name, At: p.At, Body: p.Body, Done: p.Done, Error: unparkedMark + p.Error,
	}
	err = r.putBack(ctx, p, m)
	if errors.Is(err, docstore.ErrNotFound) {
		return r.sendOrphan(ctx, p, m)
	}
	if err != nil {
		return fmt.Errorf("event: unpark: %w", err)
	}
	if err := r.at("between outbox and unpark"); err != nil {
		return err
	}
	if err := r.parked.Delete(ctx, parkedID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("event: unpark: %w", err)
	}
	r.Nudge()
	return nil
}

func (r *Relay) putBack(ctx context.Context, p *parked, m docstore.Message) error {
	box := r.outboxes()[p.Collection]
	if box == nil {
		return docstore.ErrNotFound
	}
	now := r.config.Clock.Now()
	return box.Tend(ctx, p.Document, func(doc *docstore.Doc) error {
		if slices.ContainsFunc(doc.Outbox, func(one docstore.Message) bool { return one.ID == m.ID }) {
			return nil
		}
		doc.Outbox, doc.Waiting = append(doc.Outbox, m), now
		return nil
	})
}

// sendOrphan delivers a message whose document has been deleted since: it has no outbox to go back to.
func (r *Relay) sendOrphan(ctx context.Context, p *parked, m docstore.Message) error {
	one := parcel{p.Collection, p.Document, m}
	if !r.hall.claim(m.ID) {
		return fmt.Errorf("event: unpark: %w", docstore.ErrContended)
	}
	defer r.hall.leave(one)
	if _, err := r.deliver(ctx, one); err != nil {
		return fmt.Errorf("event: unpark %s: %w", p.ID, err)
	}
	if len(r.remember(ctx, []parcel{one})) == 0 {
		return fmt.Errorf("event: unpark %s: history: %w", p.ID, docstore.ErrUnavailable)
	}
	if err := r.parked.Delete(ctx, p.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("event: unpark: %w", err)
	}
	return nil
}
