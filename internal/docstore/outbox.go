package docstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"
)

// outbox is the relay's view of a collection.
type outbox struct{ *core }

func (o outbox) Due(ctx context.Context, limit int) ([]string, error) {
	return o.Waiting(ctx, o.store.clock.Now().Add(time.Millisecond), limit)
}

func (o outbox) Waiting(ctx context.Context, until time.Time, limit int) ([]string, error) {
	q := By(WaitingIndex).Between(nil, until).First(limit)
	records, _, err := o.store.driver.Find(ctx, o.spec.Name, q)
	if err != nil {
		return nil, o.fail("find waiting", "", err)
	}
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	return ids, nil
}

func (o outbox) Depth(ctx context.Context, limit int) (int, error) {
	return o.Count(ctx, By(WaitingIndex), limit)
}

func (o outbox) Tend(ctx context.Context, docID string, edit func(*Doc) error) error {
	return o.tend(ctx, docID, edit)
}

// tendOne changes an envelope together with what callers do to the document.
func (c *Collection[T]) tendOne(ctx context.Context, docID string, edit func(*Doc) error) error {
	_, err := c.Update(ctx, docID, func(doc *T) error { return tended(c.meta(doc), edit) })
	return err
}

func (c *Collection[T]) updating(docID string) bool {
	c.combiner.mu.Lock()
	defer c.combiner.mu.Unlock()
	return c.combiner.queues[docID] != nil
}

func tended(meta *Doc, edit func(*Doc) error) error {
	if err := edit(meta); err != nil {
		return err
	}
	if len(meta.Outbox) == 0 {
		meta.Outbox, meta.Waiting = nil, time.Time{}
	}
	return nil
}

// TendMany rewrites the envelopes of stored documents without decoding the rest of them: this is the relay's hot path,
// and a document's own fields (encrypted ones above all) are none of its business.
func (o outbox) TendMany(ctx context.Context, ids []string, edit func(*Doc) error) []error {
	answers := make([]error, 0, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		answers = append(answers, o.tendChunk(ctx, ids[:n], edit)...)
		ids = ids[n:]
	}
	return answers
}

func (o outbox) tendChunk(ctx context.Context, ids []string, edit func(*Doc) error) []error {
	answers := make([]error, len(ids))
	records, err := o.store.driver.Get(ctx, o.spec.Name, ids)
	if err != nil {
		for i, docID := range ids {
			answers[i] = o.fail("tend", docID, err)
		}
		return answers
	}
	stored := make(map[string]bson.Raw, len(records))
	for _, r := range records {
		stored[r.ID] = r.Body
	}
	// What callers are updating at this moment goes through their combiner: writing past it would only make
	// both of us lose versions.
	var slow, at []int
	ops, tokens := make([]Op, 0, len(ids)), make([]int64, 0, len(ids))
	for i, docID := range ids {
		body := stored[docID]
		if body == nil {
			answers[i] = o.fail("tend", docID, ErrNotFound)
			continue
		}
		op, token, err := o.envelope(docID, body, edit)
		switch {
		case errors.Is(err, ErrStale):
			slow = append(slow, i)
		case err != nil:
			answers[i] = err
		case op.Kind == Replace:
			ops, tokens, at = append(ops, op), append(tokens, token), append(at, i)
		}
	}
	if len(ops) > 0 {
		for n, err := range o.store.driver.Write(ctx, ops) {
			if errors.Is(err, ErrUnclear) {
				err = o.resolve(ctx, ops[n], tokens[n], err)
			}
			if errors.Is(err, ErrStale) {
				slow = append(slow, at[n])
			} else if err != nil {
				answers[at[n]] = o.fail("tend", ops[n].ID, err)
			}
		}
	}
	o.tendSlow(ctx, ids, slow, answers, edit)
	return answers
}

// tendSlow takes the ordinary way, side by side, so that the driver can group the writes.
func (o outbox) tendSlow(ctx context.Context, ids []string, slow []int, answers []error, edit func(*Doc) error) {
	var all sync.WaitGroup
	var mu sync.Mutex // edits of one TendMany never run at the same time
	for _, i := range slow {
		all.Go(func() {
			answers[i] = o.Tend(ctx, ids[i], func(doc *Doc) error {
				mu.Lock()
				defer mu.Unlock()
				return edit(doc)
			})
		})
	}
	all.Wait()
}

// envelope makes the write that edit asks for; a zero Op when it changes nothing, ErrStale when the document
// must take the ordinary way.
func (o outbox) envelope(docID string, body bson.Raw, edit func(*Doc) error) (Op, int64, error) {
	if o.busy(docID) {
		return Op{}, 0, ErrStale
	}
	var meta Doc
	if err := o.store.Unmarshal(body, &meta); err != nil {
		err = &unreadable{o.spec.Name, docID, err}
		o.store.note(o.spec.Name, docID, err)
		return Op{}, 0, err
	}
	if meta.Schema != o.spec.Schema {
		return Op{}, 0, ErrStale // to be upgraded first: its index fields may not be there yet
	}
	version := meta.Version
	if err := guard(func(doc *Doc) error { return tended(doc, edit) }, &meta); err != nil {
		return Op{}, 0, err
	}
	meta.ID, meta.Version, meta.Token = docID, version+1, int64(rand.Uint64()>>1)
	next, changed, err := o.reshape(body, &meta)
	if err != nil {
		return Op{}, 0, o.fail("tend", docID, err)
	}
	if !changed {
		return Op{}, 0, nil
	}
	op, err := o.op(docID, version, next)
	return op, meta.Token, err
}

// reshape returns body with the envelope of meta; every other byte stays.
func (o outbox) reshape(body bson.Raw, meta *Doc) (next bson.Raw, changed bool, err error) {
	elements, err := body.Elements()
	if err != nil {
		return nil, false, fmt.Errorf("read envelope: %w", err)
	}
	fresh, err := o.store.Marshal(struct {
		Outbox   []Message `bson:"outbox,omitempty"`
		Waiting  time.Time `bson:"waiting,omitempty"`
		Unproven time.Time `bson:"unproven,omitempty"`
		Proven   int64     `bson:"proven,omitempty"`
	}{meta.Outbox, meta.Waiting, meta.Unproven, meta.Proven})
	if err != nil {
		return nil, false, err
	}
	mail := fresh[4 : len(fresh)-1]
	var before []byte
	next = make(bson.Raw, 4, len(body)+len(mail))
	placed := false
	for _, element := range elements {
		switch element.Key() {
		case "outbox", "waiting", "unproven", "proven":
			before = append(before, element...)
			continue
		case "schema":
			next, placed = append(append(next, element...), mail...), true
			continue
		}
		next = append(next, element...)
	}
	if !placed {
		return nil, false, fmt.Errorf("%w: no schema field", ErrInvalid)
	}
	next = append(next, 0)
	binary.LittleEndian.PutUint32(next, uint32(len(next)))
	if err := errors.Join(stamp(next, "version", meta.Version), stamp(next, "token", meta.Token)); err != nil {
		return nil, false, err
	}
	return next, !bytes.Equal(before, mail), nil
}
