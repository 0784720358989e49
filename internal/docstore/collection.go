package docstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/id"
)

// Collection is a typed collection. Its methods are safe for concurrent use. Documents they return belong to
// the caller.
type Collection[T any] struct {
	*core
	meta     func(*T) *Doc
	plan     plan // nil for types that are not plain
	combiner combiner[T]
}

// Open declares a collection and makes sure it and its indexes exist.
func Open[T any, P Document[T]](ctx context.Context, store *Store, spec Spec) (*Collection[T], error) {
	if err := checkSpec(&spec); err != nil {
		return nil, err
	}
	if err := store.driver.Ensure(ctx, spec); err != nil {
		return nil, fmt.Errorf("collection %s: %w", spec.Name, err)
	}
	c := &Collection[T]{core: &core{store: store, spec: spec}, meta: func(doc *T) *Doc { return P(doc).meta() }}
	c.plan = planOf(reflect.TypeFor[T]())
	c.secret = holdsSecret(reflect.TypeFor[T](), map[reflect.Type]bool{})
	if err := c.core.learnBound(ctx); err != nil {
		return nil, err
	}
	c.combiner.queues = map[string]*queue[T]{}
	c.core.busy, c.core.tend = c.updating, c.tendOne
	store.mu.Lock()
	defer store.mu.Unlock()
	if spec.Name != RekeyCollection {
		store.outboxes = append(store.outboxes, outbox{c.core})
	}
	if c.secret {
		store.rekeyers[spec.Name] = c
	}
	if spec.Chained {
		store.chained = append(store.chained, Chained{outbox{c.core}})
	}
	return c, nil
}

// Get loads one document, or ErrNotFound.
func (c *Collection[T]) Get(ctx context.Context, docID string) (*T, error) {
	if !id.Valid(docID) {
		return nil, c.fail("get", docID, ErrNotFound)
	}
	records, err := c.store.driver.Get(ctx, c.spec.Name, []string{docID})
	if err != nil {
		return nil, c.fail("get", docID, err)
	}
	if len(records) == 0 {
		return nil, c.fail("get", docID, ErrNotFound)
	}
	return c.decode(docID, records[0].Body)
}

// GetMany loads the documents that exist, keyed by id. Those that cannot be read are left out and noted (Store.Unreadable).
func (c *Collection[T]) GetMany(ctx context.Context, ids []string) (map[string]*T, error) {
	return c.getMany(ctx, ids, false)
}

// GetWhole is GetMany for who decides by absence: a document that is there and cannot be read is ErrUnreadable.
func (c *Collection[T]) GetWhole(ctx context.Context, ids []string) (map[string]*T, error) {
	return c.getMany(ctx, ids, true)
}

func (c *Collection[T]) getMany(ctx context.Context, ids []string, whole bool) (map[string]*T, error) {
	found := make(map[string]*T, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		records, err := c.store.driver.Get(ctx, c.spec.Name, ids[:n])
		if err != nil {
			return nil, c.fail("get many", "", err)
		}
		for _, r := range records {
			doc, err := c.decode(r.ID, r.Body)
			if err != nil {
				c.store.note(c.spec.Name, r.ID, err)
				if whole {
					return nil, c.fail("get many", r.ID, err)
				}
				continue
			}
			found[r.ID] = doc
		}
		ids = ids[n:]
	}
	return found, nil
}

// Insert stores a new document. Exists(err) tells that its id or a unique index value is taken.
func (c *Collection[T]) Insert(ctx context.Context, doc *T) error {
	return c.InsertMany(ctx, []*T{doc})[0]
}

// InsertMany stores new documents, each by itself, and answers each by itself.
func (c *Collection[T]) InsertMany(ctx context.Context, docs []*T) []error {
	results, ops, at := make([]error, len(docs)), make([]Op, 0, len(docs)), make([]int, 0, len(docs))
	for i, doc := range docs {
		op, err := c.prepare(doc, c.meta(doc), 0)
		if err != nil {
			results[i] = err
			continue
		}
		ops, at = append(ops, op), append(at, i)
	}
	for n, err := range c.store.driver.Write(ctx, ops) {
		doc := docs[at[n]]
		meta := c.meta(doc)
		if errors.Is(err, ErrUnclear) {
			err = c.resolve(ctx, ops[n], meta.Token, err)
		}
		if err != nil {
			meta.Version = 0
			results[at[n]] = c.fail("insert", ops[n].ID, err)
			continue
		}
		c.store.announce(c.spec.Name, meta.ID, meta.Outbox)
	}
	return results
}

// Delete removes a document whose outbox is empty; a missing one is ErrNotFound. Check, which may be nil,
// can refuse after seeing the stored document. Nothing is deleted from a chained collection: ErrInvalid.
func (c *Collection[T]) Delete(ctx context.Context, docID string, check func(*T) error) error {
	if c.spec.Chained {
		return c.fail("delete from a chained collection", docID, ErrInvalid)
	}
	doubted := error(nil) // what an earlier round of ours came back with, when it may have deleted
	for range maxRetries {
		doc, err := c.Get(ctx, docID)
		switch {
		case doubted != nil && errors.Is(err, ErrNotFound):
			return nil
		case doubted != nil && err != nil:
			return c.fail("delete", docID, doubted)
		case err != nil:
			return err
		}
		meta := c.meta(doc)
		if len(meta.Outbox) > 0 {
			return c.fail("delete with a waiting outbox", docID, ErrContended)
		}
		if check != nil {
			if err := check(doc); err != nil {
				return err
			}
		}
		op := Op{Kind: Delete, Collection: c.spec.Name, ID: docID, Version: meta.Version}
		err = c.store.driver.Write(ctx, []Op{op})[0]
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrUnclear):
			doubted = err
		case !errors.Is(err, ErrStale):
			return c.fail("delete", docID, err)
		}
	}
	return c.fail("delete", docID, cmp.Or(doubted, ErrContended))
}

// Find returns one page. Documents that cannot be read are left out, named in Page.Unreadable and noted (Store.Unreadable), so
// that one of them does not stop a list or a sweep; a Whole query fails instead, with ErrUnreadable.
func (c *Collection[T]) Find(ctx context.Context, q Query) (Page[T], error) {
	q, err := c.checkQuery(q)
	if err != nil {
		return Page[T]{}, err
	}
	records, next, err := c.store.driver.Find(ctx, c.spec.Name, q)
	if err != nil {
		return Page[T]{}, c.fail("find by "+q.Index, "", err)
	}
	page := Page[T]{Items: make([]*T, 0, len(records)), Next: next}
	for _, r := range records {
		doc, err := c.decode(r.ID, r.Body)
		switch {
		case err == nil:
			page.Items = append(page.Items, doc)
		case q.Complete:
			return Page[T]{}, err
		default:
			c.store.note(c.spec.Name, r.ID, err)
			page.Unreadable = append(page.Unreadable, r.ID)
		}
	}
	return page, nil
}

// FindOne returns the first document of a query, ErrNotFound, or ErrUnreadable.
func (c *Collection[T]) FindOne(ctx context.Context, q Query) (*T, error) {
	page, err := c.Find(ctx, q.First(1).Whole())
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, c.fail("find one by "+q.Index, "", ErrNotFound)
	}
	return page.Items[0], nil
}

// Each walks all documents a query matches, page by page, until visit fails. What cannot be read is passed over like in
// Find: whoever proves something by a walk asks Store.Unreadable at its end.
func (c *Collection[T]) Each(ctx context.Context, q Query, visit func(*T) error) error {
	if q.Limit == 0 {
		q.Limit = 500
	}
	for {
		page, err := c.Find(ctx, q)
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			if err := visit(doc); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// decode reads the document that is stored under docID. Errors: ErrUnreadable.
func (c *Collection[T]) decode(docID string, body bson.Raw) (doc *T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
		if err == nil && c.meta(doc).ID != docID {
			err = errors.New("the document carries another's id")
		}
		if err != nil {
			doc, err = nil, &unreadable{c.spec.Name, docID, err}
		}
	}()
	doc = new(T)
	clear, err := c.opened(docID, body)
	if err != nil {
		return doc, err
	}
	upgraded, err := upgrade(&c.spec, clear)
	if err != nil {
		return doc, err
	}
	if c.plan != nil {
		if c.plan.decode(upgraded, reflect.ValueOf(doc).Elem()) {
			return doc, nil
		}
		doc = new(T)
	}
	return doc, bson.UnmarshalWithRegistry(c.registry(), upgraded, doc)
}
