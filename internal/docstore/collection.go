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
	c.combiner.queues = map[string]*queue[T]{}
	c.core.busy, c.core.tend = c.updating, c.tendOne
	store.mu.Lock()
	defer store.mu.Unlock()
	store.outboxes = append(store.outboxes, outbox{c.core})
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
	return c.decode(records[0].Body)
}

// GetMany loads the documents that exist, keyed by id.
func (c *Collection[T]) GetMany(ctx context.Context, ids []string) (map[string]*T, error) {
	found := make(map[string]*T, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		records, err := c.store.driver.Get(ctx, c.spec.Name, ids[:n])
		if err != nil {
			return nil, c.fail("get many", "", err)
		}
		for _, r := range records {
			if found[r.ID], err = c.decode(r.Body); err != nil {
				return nil, err
			}
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
// can refuse after seeing the stored document.
func (c *Collection[T]) Delete(ctx context.Context, docID string, check func(*T) error) error {
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

// Find returns one page.
func (c *Collection[T]) Find(ctx context.Context, q Query) (Page[T], error) {
	q, err := c.checkQuery(q)
	if err != nil {
		return Page[T]{}, err
	}
	records, next, err := c.store.driver.Find(ctx, c.spec.Name, q)
	if err != nil {
		return Page[T]{}, c.fail("find by "+q.Index, "", err)
	}
	page := Page[T]{Items: make([]*T, len(records)), Next: next}
	for i, r := range records {
		if page.Items[i], err = c.decode(r.Body); err != nil {
			return Page[T]{}, err
		}
	}
	return page, nil
}

// FindOne returns the first document of a query, or ErrNotFound.
func (c *Collection[T]) FindOne(ctx context.Context, q Query) (*T, error) {
	page, err := c.Find(ctx, q.First(1))
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, c.fail("find one by "+q.Index, "", ErrNotFound)
	}
	return page.Items[0], nil
}

// Each walks all documents a query matches, page by page, until visit fails.
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

func (c *Collection[T]) decode(body bson.Raw) (*T, error) {
	upgraded, err := upgrade(&c.spec, body)
	if err != nil {
		return nil, err
	}
	doc := new(T)
	if c.plan != nil {
		if c.plan.decode(upgraded, reflect.ValueOf(doc).Elem()) {
			return doc, nil
		}
		doc = new(T)
	}
	if err := c.store.Unmarshal(upgraded, doc); err != nil {
		return nil, fmt.Errorf("collection %s: %w", c.spec.Name, err)
	}
	return doc, nil
}
