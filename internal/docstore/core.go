package docstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/id"
)

// core is what a collection does without knowing the type of its documents. It stands once in the program; what Collection
// does stands there once per type.
type core struct {
	store  *Store
	spec   Spec
	secret bool                                                                 // the documents have Encrypted fields
	bound  bool                                                                 // all of them are bound to their place
	busy   func(docID string) bool                                              // somebody is updating it in this process
	tend   func(ctx context.Context, docID string, edit func(*Doc) error) error // the ordinary way to change an envelope
}

// Name is the collection's name.
func (c *core) Name() string { return c.spec.Name }

// Count counts what a query matches, stopping at limit when limit > 0.
func (c *core) Count(ctx context.Context, q Query, limit int) (int, error) {
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

func (c *core) checkQuery(q Query) (Query, error) {
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

// prepare encodes doc, whose envelope is meta, as the successor of version and returns the write. The document is left as it
// will be stored.
func (c *core) prepare(doc any, meta *Doc, version int64) (Op, error) {
	if !id.Valid(meta.ID) {
		return Op{}, c.fail("write", meta.ID, fmt.Errorf("%w: id", ErrInvalid))
	}
	meta.Version, meta.Token, meta.Schema = version+1, int64(rand.Uint64()>>1), c.spec.Schema
	if err := c.seal(meta); err != nil {
		return Op{}, err
	}
	c.mark(meta)
	body, err := c.store.Marshal(doc)
	if err == nil {
		body, err = c.sealed(meta.ID, body)
	}
	if err != nil {
		return Op{}, c.fail("write", meta.ID, err)
	}
	return c.op(meta.ID, version, body)
}

func (c *core) op(docID string, version int64, body bson.Raw) (Op, error) {
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
func (c *core) seal(meta *Doc) error {
	if len(meta.emitted) == 0 {
		return nil
	}
	if !c.spec.Emits {
		return c.fail("emit "+meta.emitted[0].name, meta.ID, fmt.Errorf("%w: the collection does not declare that it emits", ErrInvalid))
	}
	now := c.store.clock.Now()
	for n, e := range meta.emitted {
		body, err := c.store.Marshal(e.body)
		if err == nil && clearInside(body) {
			err = errClear // an event goes from document to document: there is no place to bind it to
		}
		if err != nil {
			return c.fail("emit "+e.name, meta.ID, err)
		}
		meta.Outbox = append(meta.Outbox, Message{
			ID:   c.messagePrefix(meta) + strconv.Itoa(n),
			Name: e.name, At: now, Body: body,
		})
	}
	meta.emitted = nil
	if len(meta.Outbox) > MaxOutbox {
		return c.fail("emit", meta.ID, errFull)
	}
	// An older message may be waiting for hours: the new one does not wait with it.
	if soon := now.Add(c.store.grace); meta.Waiting.IsZero() || meta.Waiting.After(soon) {
		meta.Waiting = soon
	}
	return nil
}

// messagePrefix is what the ids of all messages emitted with this version of the document begin with.
func (c *core) messagePrefix(meta *Doc) string {
	return c.spec.Name + "/" + meta.ID + "/" + strconv.FormatInt(meta.Version, 10) + "/"
}

// resolve finds out what became of a write whose reply was lost: nil when the stored document carries our token.
func (c *core) resolve(ctx context.Context, op Op, token int64, cause error) error {
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
		if records[0].Version == op.Version || op.Kind == Replace && records[0].Version == op.Next {
			return ErrStale // nothing happened (so far, or ever: another write made that version): retry on fresh state
		}
		if op.Kind == Insert && records[0].Version == 1 {
			return &ExistsError{Collection: c.spec.Name, ID: op.ID}
		}
	}
	return cause
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

func (c *core) fail(operation, docID string, err error) error {
	return fmt.Errorf("%s %s %s: %w", c.spec.Name, operation, docID, err)
}
