package docstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/id"
)

// Collection is a typed collection. Its methods are safe for concurrent use. Documents they return belong to
// the caller.
type Collection[T any] struct {
	store    *Store
	spec     Spec
	meta     func(*T) *Doc
	secret   bool // T has Encrypted fields
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
	c := &Collection[T]{store: store, spec: spec, meta: func(doc *T) *Doc { return P(doc).meta() }}
	c.plan = planOf(reflect.TypeFor[T]())
	c.secret = holdsSecret(reflect.TypeFor[T](), map[reflect.Type]bool{})
	c.combiner.queues = map[string]*queue[T]{}
	store.mu.Lock()
	defer store.mu.Unlock()
	store.outboxes = append(store.outboxes, outbox[T]{c})
	return c, nil
}

// Name is the collection's name.
func (c *Collection[T]) Name() string { return c.spec.Name }

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
		op, err := c.prepare(doc, 0)
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
	for range maxRetries {
		doc, err := c.Get(ctx, docID)
		if err != nil {
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
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrStale) {
			return c.fail("delete", docID, err)
		}
	}
	return c.fail("delete", docID, ErrContended)
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

// Count counts what a query matches, stopping at limit when limit > 0.
func (c *Collection[T]) Count(ctx context.Context, q Query, limit int) (int, error) {
	q, err := c.checkQuery(q)
	if err != nil {
		return 0, err
	}
	n, err := c.store.driver.Count(ctx, c.spec.Name, q, limit)
	if err != nil {
		return 0, c.fail("count by "+q.Index, "", err)
	}
	return n, nil
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

func (c *Collection[T]) checkQuery(q Query) (Query, error) {
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit < 0 || q.Limit > MaxLimit {
		return q, c.fail("query limit "+strconv.Itoa(q.Limit), "", ErrInvalid)
	}
	fields := 1
	if q.Index != "" {
		fields = 0
		for _, index := range c.spec.Indexes {
			if index.Name == q.Index {
				fields = len(index.Fields)
			}
		}
	}
	ranged := 0
	if q.From != nil || q.To != nil {
		ranged = 1
	}
	if fields == 0 || len(q.Equal)+ranged > fields {
		return q, c.fail("query on index "+q.Index, "", ErrInvalid)
	}
	for _, value := range append(slices.Clone(q.Equal), q.From, q.To) {
		if value == nil {
			continue
		}
		if _, text := value.(string); !text && q.Index == "" {
			return q, c.fail(fmt.Sprintf("query ids with a %T", value), "", ErrInvalid)
		}
		if _, err := EncodeKey(value); err != nil {
			return q, c.fail("query on index "+q.Index, "", err)
		}
	}
	return q, nil
}

// prepare encodes doc as the successor of version and returns the write. The document is left as it will be
// stored.
func (c *Collection[T]) prepare(doc *T, version int64) (Op, error) {
	meta := c.meta(doc)
	if !id.Valid(meta.ID) {
		return Op{}, c.fail("write", meta.ID, fmt.Errorf("%w: id", ErrInvalid))
	}
	meta.Version, meta.Token, meta.Schema = version+1, int64(rand.Uint64()>>1), c.spec.Schema
	if err := c.seal(meta); err != nil {
		return Op{}, err
	}
	body, err := c.store.Marshal(doc)
	if err != nil {
		return Op{}, c.fail("write", meta.ID, err)
	}
	return c.op(meta.ID, version, body)
}

func (c *Collection[T]) op(docID string, version int64, body bson.Raw) (Op, error) {
	if len(body) > MaxDocument {
		return Op{}, c.fail("write", docID, fmt.Errorf("%w: %d bytes", ErrInvalid, len(body)))
	}
	keys, err := indexKeys(&c.spec, body)
	if err != nil {
		return Op{}, c.fail("write", docID, err)
	}
	op := Op{Kind: Replace, Collection: c.spec.Name, ID: docID, Version: version, Next: version + 1, Body: body, Keys: keys}
	if version == 0 {
		op.Kind = Insert
	}
	return op, nil
}

// seal turns what was emitted into stored messages with derived ids.
func (c *Collection[T]) seal(meta *Doc) error {
	if len(meta.emitted) == 0 {
		return nil
	}
	now := c.store.clock.Now()
	for n, e := range meta.emitted {
		body, err := c.store.Marshal(e.body)
		if err != nil {
			return c.fail("emit "+e.name, meta.ID, err)
		}
		meta.Outbox = append(meta.Outbox, Message{
			ID:   c.messagePrefix(meta) + strconv.Itoa(n),
			Name: e.name, At: now, Body: body,
		})
	}
	meta.emitted = nil
	if meta.Waiting.IsZero() {
		meta.Waiting = now.Add(c.store.grace)
	}
	return nil
}

// messagePrefix is what the ids of all messages emitted with this version of the document begin with.
func (c *Collection[T]) messagePrefix(meta *Doc) string {
	return c.spec.Name + "/" + meta.ID + "/" + strconv.FormatInt(meta.Version, 10) + "/"
}

// resolve finds out what became of a write whose reply was lost: nil when the stored document carries our token.
func (c *Collection[T]) resolve(ctx context.Context, op Op, token int64, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.store.patience)
	defer cancel()
	records, err := c.store.driver.Get(ctx, c.spec.Name, []string{op.ID})
	if err != nil {
		return cause
	}
	if len(records) == 1 {
		if tokenOf(records[0].Body) == token {
			return nil
		}
		if records[0].Version == op.Version {
			return ErrStale // nothing happened, or not yet: the caller retries on fresh state
		}
		if op.Kind == Insert && records[0].Version == 1 {
			return &ExistsError{Collection: c.spec.Name, ID: op.ID}
		}
	}
	return cause
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

// upgrade turns a body of an older schema into one of the spec's.
func upgrade(spec *Spec, body bson.Raw) (bson.Raw, error) {
	schema, ok := body.Lookup("schema").AsInt64OK()
	if !ok || schema == int64(spec.Schema) {
		return body, nil
	}
	if schema > int64(spec.Schema) || schema < 1 {
		return nil, fmt.Errorf("%w: collection %s: document of schema %d", ErrInvalid, spec.Name, schema)
	}
	var fields bson.M
	if err := bson.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("collection %s: upgrade: %w", spec.Name, err)
	}
	for ; schema < int64(spec.Schema); schema++ {
		if err := spec.Upgrades[schema-1](fields); err != nil {
			return nil, fmt.Errorf("collection %s: upgrade from schema %d: %w", spec.Name, schema, err)
		}
	}
	fields["schema"] = int32(spec.Schema)
	return bson.Marshal(fields)
}

func (c *Collection[T]) fail(operation, docID string, err error) error {
	return fmt.Errorf("%s %s %s: %w", c.spec.Name, operation, docID, err)
}
