package docstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/id"
)

const (
	maxRetries = 16  // optimistic retries of one write
	maxBatch   = 128 // callers answered by one write
)

// combiner queues concurrent callers of one document: the first becomes the leader and carries out the
// functions of all who wait, with one load and one write.
type combiner[T any] struct {
	mu     sync.Mutex
	queues map[string]*queue[T]
}

type queue[T any] struct{ waiting []*call[T] }

type call[T any] struct {
	apply  func(*T) error
	insert bool
	doc    *T
	err    error
	lead   chan bool // true: you lead now; false: you are answered
}

// Update applies fn to the document and stores the result. Fn may run more than once and must not keep or
// leave anything outside the document unless it can be overwritten by a later run. An error of fn is returned
// as it is and nothing is stored for it. A function that changes nothing costs no write.
// Errors: ErrNotFound, ErrContended, ErrUnavailable, ErrUnclear, *ExistsError.
func (c *Collection[T]) Update(ctx context.Context, docID string, fn func(*T) error) (*T, error) {
	return c.combine(ctx, docID, &call[T]{apply: fn})
}

// Upsert is Update, but a missing document is made: fn then sees a zero document with its id, and Doc.Fresh is
// true.
func (c *Collection[T]) Upsert(ctx context.Context, docID string, fn func(*T) error) (*T, error) {
	return c.combine(ctx, docID, &call[T]{apply: fn, insert: true})
}

func (c *Collection[T]) combine(ctx context.Context, docID string, mine *call[T]) (*T, error) {
	if !id.Valid(docID) {
		return nil, c.fail("update", docID, ErrNotFound)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.fail("update", docID, err)
	}
	q, leads := c.join(docID, mine)
	if !leads && !<-mine.lead {
		return mine.doc, mine.err
	}
	batch := c.take(q, mine)
	c.run(ctx, docID, batch)
	c.handOver(docID, q)
	for _, other := range batch[1:] {
		other.lead <- false
	}
	return mine.doc, mine.err
}

func (c *Collection[T]) join(docID string, mine *call[T]) (q *queue[T], leads bool) {
	c.combiner.mu.Lock()
	defer c.combiner.mu.Unlock()
	q = c.combiner.queues[docID]
	if q == nil {
		q = &queue[T]{}
		c.combiner.queues[docID] = q
		return q, true
	}
	mine.lead = make(chan bool, 1)
	q.waiting = append(q.waiting, mine)
	return q, false
}

// take claims the waiting calls, the leader's own first.
func (c *Collection[T]) take(q *queue[T], mine *call[T]) []*call[T] {
	c.combiner.mu.Lock()
	defer c.combiner.mu.Unlock()
	n := min(len(q.waiting), maxBatch-1)
	batch := append([]*call[T]{mine}, q.waiting[:n]...)
	q.waiting = q.waiting[n:]
	return batch
}

// handOver makes the first who still waits the leader, or closes the queue.
func (c *Collection[T]) handOver(docID string, q *queue[T]) {
	c.combiner.mu.Lock()
	defer c.combiner.mu.Unlock()
	if len(q.waiting) == 0 {
		delete(c.combiner.queues, docID)
		return
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	next.lead <- true
}

// run answers every call of the batch. It works for all of them, so the leader's own cancellation does not
// stop it.
func (c *Collection[T]) run(ctx context.Context, docID string, batch []*call[T]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.store.patience)
	defer cancel()
	var open doubt
	for try := range maxRetries {
		err := c.attempt(ctx, docID, batch, &open)
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrStale):
			pause(ctx, try)
			continue
		case len(batch) > 1 && oneIsToBlame(err):
			for _, one := range batch {
				c.run(ctx, docID, []*call[T]{one})
			}
			return
		}
		answerAll(batch, err)
		return
	}
	answerAll(batch, c.fail("update", docID, ErrContended))
}

// oneIsToBlame tells that a write was refused for what is in it, so that a single function of the batch may have
// spoiled it for the others: an index value that is taken, a document grown too big, a full outbox.
func oneIsToBlame(err error) bool {
	return Exists(err) || errors.Is(err, ErrInvalid) || errors.Is(err, errFull)
}

// answerAll tells everybody the same: refusals of this round were judged on a state that was never stored.
func answerAll[T any](batch []*call[T], err error) {
	for _, one := range batch {
		one.doc, one.err = nil, err
	}
}

func pause(ctx context.Context, try int) {
	timer := time.NewTimer(time.Duration(rand.IntN(1+min(1<<try, 64))) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// attempt makes one round: load, apply, write. A returned error concerns all calls that have no error of
// their own.
func (c *Collection[T]) attempt(ctx context.Context, docID string, batch []*call[T], open *doubt) error {
	records, err := c.store.driver.Get(ctx, c.spec.Name, []string{docID})
	if err != nil {
		return c.fail("update", docID, err)
	}
	state := draft[T]{collection: c, id: docID}
	stored := int64(0)
	if len(records) == 1 {
		state.before, stored = records[0].Body, records[0].Version
	}
	happened, err := open.judge(state.before, stored)
	if err != nil {
		return c.fail("update", docID, err)
	}
	if err := state.load(); err != nil {
		return err
	}
	if happened {
		return state.finish(batch)
	}
	for n, one := range batch {
		one.doc, one.err = nil, state.apply(one, n < len(batch)-1)
	}
	if err := state.store(ctx, open); err != nil {
		return err
	}
	return state.hand(batch)
}

// draft is the document between its load and its write.
type draft[T any] struct {
	collection *Collection[T]
	id         string
	before     bson.Raw // as stored; nil when missing
	good       bson.Raw // after the last function that succeeded, when another follows
	doc        *T
	changed    bool
}

func (d *draft[T]) load() error {
	if d.before == nil {
		d.doc = new(T)
		d.collection.meta(d.doc).ID = d.id
		return nil
	}
	doc, err := d.collection.decode(d.id, d.before)
	if err != nil {
		return err
	}
	d.doc = doc
	return nil
}

// apply runs one function; what a failing one did to the document is undone.
func (d *draft[T]) apply(one *call[T], more bool) error {
	if d.before == nil && !d.changed && !one.insert {
		return d.collection.fail("update", d.id, ErrNotFound)
	}
	meta := d.collection.meta(d.doc)
	version, emitted := meta.Version, meta.emitted
	err := guard(one.apply, d.doc)
	if err == nil && (meta.ID != d.id || meta.Version != version) {
		err = d.collection.fail("update changed id or version", d.id, ErrInvalid)
	}
	if err != nil {
		d.undo(emitted)
		return err
	}
	d.changed = true
	if more {
		if d.good, err = d.collection.store.Marshal(d.doc); err != nil {
			d.undo(emitted)
			return err
		}
	}
	return nil
}

func (d *draft[T]) undo(emitted []emission) {
	from := d.good
	if from == nil {
		from = d.before
	}
	d.doc = new(T)
	if from == nil {
		d.collection.meta(d.doc).ID = d.id
		return
	}
	if doc, err := d.collection.decode(d.id, from); err == nil { // it was decoded or encoded a moment ago
		d.doc = doc
	}
	d.collection.meta(d.doc).emitted = emitted
}

func guard[T any](fn func(*T) error, doc *T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("docstore: update function panicked: %v", p)
		}
	}()
	return fn(doc)
}

// store writes the draft if it differs from what was loaded.
func (d *draft[T]) store(ctx context.Context, open *doubt) error {
	if !d.changed {
		return nil
	}
	c, meta := d.collection, d.collection.meta(d.doc)
	body, same, err := d.unchanged(meta)
	if err != nil {
		return c.fail("update", d.id, err)
	}
	if same {
		d.good = d.before
		return nil
	}
	emitted := len(meta.emitted)
	op, err := c.successor(d.doc, meta, body)
	if err != nil {
		return err
	}
	err = c.store.driver.Write(ctx, []Op{op})[0]
	if errors.Is(err, ErrUnclear) {
		*open = doubt{token: meta.Token, version: meta.Version}
		err = c.resolve(ctx, op, meta.Token, err)
	}
	if op.Kind == Insert {
		if index, ok := ExistsIn(err); ok && index == "" {
			err = ErrStale // somebody made it in between: load that one
		}
	}
	if err != nil {
		return c.fail("update", d.id, err)
	}
	d.good = op.Body
	// Not "longer than before": one of the combined callers may have removed messages from the outbox.
	c.store.announce(c.spec.Name, d.id, meta.Outbox[len(meta.Outbox)-emitted:])
	return nil
}

// hand gives every successful call its own copy of the final document.
func (d *draft[T]) hand(batch []*call[T]) error {
	own := d.doc
	for _, one := range batch {
		if one.err != nil {
			continue
		}
		if own == nil {
			copied, err := d.collection.decode(d.id, d.good)
			if err != nil {
				return err
			}
			own = copied
		}
		one.doc, own = own, nil
	}
	return nil
}
