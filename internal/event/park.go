package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Missing      []string  `bson:"missing,omitempty"` // consumers that were given up on
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

// Parked is a message that at least one consumer was given up on for.
type Parked struct {
	ID       string // to Unpark it
	Event    string // the event's id
	Name     string
	Source   string // collection/document
	At       time.Time
	Done     []string // consumers that have taken it
	Missing  []string // consumers that were given up on
	Attempts int
	Error    string
	ParkedAt time.Time
}

// park copies a message for the consumers that are given up on; the others go on with it.
func (r *Relay) park(ctx context.Context, d *delivery, tries []docstore.Try) error {
	if err := r.at("before parking"); err != nil {
		return err
	}
	m, now := d.message, r.config.Clock.Now()
	attempts, names, errs := 0, []string{}, []string{}
	for _, t := range tries {
		attempts, names = max(attempts, t.Attempts), append(names, t.Consumer)
		errs = append(errs, t.Consumer+": "+t.Error)
	}
	text := brief(errors.New(strings.Join(errs, "\n")))
	_, err := r.parked.Upsert(ctx, parkedID(m.ID), func(p *parked) error {
		p.Event, p.Name, p.At, p.Body = m.ID, m.Name, m.At, m.Body
		p.Collection, p.Document = d.collection, d.document
		p.Done, p.Missing = union(p.Done, d.taken), union(p.Missing, names)
		p.Attempts, p.Error, p.ParkedAt = attempts, text, now
		return nil
	})
	if err != nil {
		return err
	}
	r.counts.parked.Add(1)
	for _, name := range names {
		r.lanes.count(name, func(n *tally) { n.parked++ })
	}
	r.config.Log.Error("event parked", "event", m.ID, "name", m.Name, "consumers", names, "attempts", attempts, "error", text)
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
	names := slices.Clone(p.Missing)
	if len(names) > 0 {
		return names
	}
	for _, c := range r.consumers[p.Name] { // parked as a whole, by an older program
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
		ID: p.Event, Name: p.Name, At: p.At, Body: p.Body, Error: unparkedMark + p.Error,
	}
	missing := r.missing(p)
	for _, c := range r.consumers[p.Name] {
		if !slices.Contains(missing, c.Name) {
			m.Done = append(m.Done, c.Name) // taken, or still under way in the outbox
		}
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
	return box.TendMany(ctx, []string{p.Document}, func(doc *docstore.Doc) error {
		if i := slices.IndexFunc(doc.Outbox, func(one docstore.Message) bool { return one.ID == m.ID }); i >= 0 {
			for _, name := range r.missing(p) {
				dropTry(&doc.Outbox[i], name)
			}
			doc.Outbox[i].Error, doc.Waiting = m.Error, now
			return nil
		}
		doc.Outbox, doc.Waiting = append(doc.Outbox, m), now
		return nil
	})[0]
}

// sendOrphan delivers a message whose document has been deleted since: it has no outbox to go back to.
func (r *Relay) sendOrphan(ctx context.Context, p *parked, m docstore.Message) error {
	one := parcel{p.Collection, p.Document, m}
	if !r.hall.claim(m.ID) {
		return fmt.Errorf("event: unpark: %w", docstore.ErrContended)
	}
	defer r.hall.leave(one)
	for _, c := range r.consumers[m.Name] {
		if slices.Contains(m.Done, c.Name) {
			continue
		}
		if err := r.hand(ctx, c, r.eventOf(one)); err != nil {
			return fmt.Errorf("event: unpark %s: %s: %w", p.ID, c.Name, err)
		}
		r.counts.delivered.Add(1)
	}
	if len(r.remember(ctx, []parcel{one})) == 0 {
		return fmt.Errorf("event: unpark %s: history: %w", p.ID, docstore.ErrUnavailable)
	}
	if err := r.parked.Delete(ctx, p.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("event: unpark: %w", err)
	}
	return nil
}
