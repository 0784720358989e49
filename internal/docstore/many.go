package docstore

import (
	"context"
	"errors"
)

// UpsertMany applies fn to every named document, missing ones included, with one read and one grouped write.
// Fn must be repeatable; documents somebody else wrote in between are redone one by one. The first error ends
// it; documents already written stay written, so fn must also be idempotent.
func (c *Collection[T]) UpsertMany(ctx context.Context, ids []string, fn func(*T) error) error {
	ids = unique(ids)
	for len(ids) > 0 {
		n := min(len(ids), 500)
		if err := c.upsertChunk(ctx, ids[:n], fn); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (c *Collection[T]) upsertChunk(ctx context.Context, ids []string, fn func(*T) error) error {
	found, err := c.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	ops, docs, emitted := make([]Op, 0, len(ids)), make([]*T, 0, len(ids)), make([]int, 0, len(ids))
	for _, docID := range ids {
		doc := found[docID]
		if doc == nil {
			doc = new(T)
			c.meta(doc).ID = docID
		}
		if err := guard(fn, doc); err != nil {
			return err
		}
		emitted = append(emitted, len(c.meta(doc).emitted))
		op, err := c.prepare(doc, c.meta(doc), c.meta(doc).Version)
		if err != nil {
			return err
		}
		ops, docs = append(ops, op), append(docs, doc)
	}
	for i, err := range c.store.driver.Write(ctx, ops) {
		if err := c.settleMany(ctx, ops[i], docs[i], emitted[i], err, fn); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collection[T]) settleMany(ctx context.Context, op Op, doc *T, emitted int, err error, fn func(*T) error) error {
	meta := c.meta(doc)
	if errors.Is(err, ErrUnclear) {
		err = c.resolve(ctx, op, meta.Token, err)
	}
	index, taken := ExistsIn(err)
	switch {
	case err == nil:
		c.store.announce(c.spec.Name, meta.ID, meta.Outbox[len(meta.Outbox)-emitted:])
		return nil
	case errors.Is(err, ErrStale), taken && index == "":
		_, err := c.Upsert(ctx, op.ID, fn)
		return err
	}
	return c.fail("upsert many", op.ID, err)
}

// unique drops repeated ids and keeps the order.
func unique(ids []string) []string {
	seen, out := make(map[string]bool, len(ids)), make([]string, 0, len(ids))
	for _, docID := range ids {
		if !seen[docID] {
			seen[docID] = true
			out = append(out, docID)
		}
	}
	return out
}

// ReplaceMany stores documents that were loaded or stored before, each only if nobody wrote it in between (ErrStale), with one
// grouped write and no reading. It answers each by itself.
func (c *Collection[T]) ReplaceMany(ctx context.Context, docs []*T) []error {
	answers, ops, at := make([]error, len(docs)), make([]Op, 0, len(docs)), make([]int, 0, len(docs))
	for i, doc := range docs {
		op, err := c.prepare(doc, c.meta(doc), c.meta(doc).Version)
		if answers[i] = err; err == nil {
			ops, at = append(ops, op), append(at, i)
		}
	}
	if len(ops) == 0 {
		return answers
	}
	for n, err := range c.store.driver.Write(ctx, ops) {
		meta := c.meta(docs[at[n]])
		if errors.Is(err, ErrUnclear) {
			err = c.resolve(ctx, ops[n], meta.Token, err)
		}
		if err != nil {
			answers[at[n]] = c.fail("replace", ops[n].ID, err)
		}
	}
	return answers
}
