package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/docstore"
)

// Get returns the found records.
func (d *Driver) Get(ctx context.Context, name string, ids []string) ([]docstore.Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	c, err := d.collection(name)
	if err != nil {
		return nil, err
	}
	filter, limit := bson.D{{Key: "_id", Value: ids[0]}}, 1
	if len(ids) > 1 {
		limit = len(ids)
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	}
	var records []docstore.Record
	err = d.read(ctx, "get "+name, func(ctx context.Context) error {
		var err error
		records, err = collect(ctx, c, filter, c.reading().SetLimit(int64(limit)).SetBatchSize(int32(limit+1)))
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Find returns records in index order and the cursor after the last one.
func (d *Driver) Find(ctx context.Context, name string, q docstore.Query) ([]docstore.Record, string, error) {
	c, err := d.collection(name)
	if err != nil {
		return nil, "", err
	}
	w, err := newWalk(c, q)
	if err != nil {
		return nil, "", err
	}
	if q.Limit <= 0 || q.Limit > docstore.MaxLimit {
		return nil, "", fmt.Errorf("mongo: find %s: %w: limit %d", name, docstore.ErrInvalid, q.Limit)
	}
	var records []docstore.Record
	for _, filter := range w.steps {
		want := q.Limit + 1 - len(records) // one more than asked tells whether there is a next page
		err := d.find(ctx, c, "find", w.hint, func(ctx context.Context) error {
			found, err := collect(ctx, c, filter, w.options(c, want))
			if err == nil {
				records = append(records, found...)
			}
			return err
		})
		if err != nil {
			return nil, "", err
		}
		if len(records) > q.Limit {
			break
		}
	}
	if len(records) <= q.Limit {
		return records, "", nil
	}
	records = records[:q.Limit]
	next, err := cursorAfter(records[q.Limit-1].Body, w.rest)
	return records, next, err
}

// countStep is how many index entries one step of a count passes over; only the last step fetches anything.
const countStep = 20_000

// Count counts by walking the index in steps, each with a time of its own: the server's own count is wrong on a
// sharded cluster while chunks move, and a long one would outlast any time-out. A step that finds its end passes
// over countStep entries and fetches the one behind them; what is left is fetched as bare ids.
func (d *Driver) Count(ctx context.Context, name string, q docstore.Query, limit int) (int, error) {
	c, err := d.collection(name)
	if err != nil {
		return 0, err
	}
	n := 0
	for limit <= 0 || n < limit {
		w, err := newWalk(c, q)
		if err != nil {
			return 0, err
		}
		got, after, err := d.countOn(ctx, c, w, limit-n)
		if err != nil {
			return 0, err
		}
		n += got
		if after == "" {
			break
		}
		q.After = after
	}
	if limit > 0 {
		n = min(n, limit)
	}
	return n, nil
}

// countOn counts one step; after is the cursor behind it when there may be more.
func (d *Driver) countOn(ctx context.Context, c *collection, w *walk, limit int) (n int, after string, err error) {
	keys := bson.D{{Key: "_id", Value: int32(1)}}
	for _, field := range w.rest {
		if field != "_id" {
			keys = append(keys, bson.E{Key: field, Value: int32(1)})
		}
	}
	for _, filter := range w.steps {
		if len(w.rest) > 0 && (limit <= 0 || limit > countStep) {
			var behind []bson.Raw
			err := d.find(ctx, c, "count", w.hint, func(ctx context.Context) (err error) {
				behind, err = bodies(ctx, c, filter, w.options(c, 1).SetSkip(countStep).SetProjection(keys))
				return err
			})
			if err != nil {
				return 0, "", err
			}
			if len(behind) > 0 {
				after, err := cursorAfter(behind[0], w.rest)
				return n + countStep + 1, after, err
			}
		}
		o := c.reading().SetHint(w.hint).SetProjection(keys[:1]).SetBatchSize(10_000)
		if limit > 0 {
			o.SetLimit(int64(min(limit-n, countStep)))
		}
		err := d.find(ctx, c, "count", w.hint, func(ctx context.Context) error {
			got, err := tally(ctx, c, filter, o)
			n += got
			return err
		})
		if err != nil || limit > 0 && n >= limit {
			return n, "", err
		}
	}
	return n, "", nil
}

// find is read for one that names an index: when the server does not know it, the error says so.
func (d *Driver) find(ctx context.Context, c *collection, verb, hint string, run func(context.Context) error) error {
	err := d.read(ctx, verb+" "+c.Name(), run)
	if !hasCode(err, codeBadValue) {
		return err
	}
	var there map[string]bson.Raw
	if listErr := d.read(ctx, "list indexes of "+c.Name(), func(ctx context.Context) (err error) {
		there, err = c.stored(ctx)
		return err
	}); listErr != nil {
		return err
	}
	if _, ok := there[hint]; ok {
		return err
	}
	return fmt.Errorf("mongo: %s %s: %w: the database lacks the index %s; it was dropped by hand, and a restart makes it again: %v",
		verb, c.Name(), docstore.ErrUnavailable, hint, err)
}

func bodies(ctx context.Context, c *collection, filter bson.D, o *options.FindOptions) ([]bson.Raw, error) {
	found, err := c.Collection.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	defer closeCursor(ctx, found)
	var all []bson.Raw
	for found.Next(ctx) {
		all = append(all, slices.Clone(found.Current))
	}
	return all, found.Err()
}

func collect(ctx context.Context, c *collection, filter bson.D, o *options.FindOptions) ([]docstore.Record, error) {
	found, err := c.Collection.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	defer closeCursor(ctx, found)
	var records []docstore.Record
	for found.Next(ctx) {
		record, err := toRecord(found.Current)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, found.Err()
}

func tally(ctx context.Context, c *collection, filter bson.D, o *options.FindOptions) (n int, err error) {
	found, err := c.Collection.Find(ctx, filter, o)
	if err != nil {
		return 0, err
	}
	defer closeCursor(ctx, found)
	for found.Next(ctx) {
		n++
	}
	return n, found.Err()
}

// closeCursor frees the server's side; a cursor that was read to its end costs nothing.
func closeCursor(ctx context.Context, cursor *mongo.Cursor) { _ = cursor.Close(ctx) }

func toRecord(current bson.Raw) (docstore.Record, error) {
	id, okID := current.Lookup("_id").StringValueOK()
	version, okVersion := current.Lookup("version").AsInt64OK()
	if !okID || !okVersion {
		return docstore.Record{}, fmt.Errorf("mongo: %w: stored document without string _id or version", docstore.ErrInvalid)
	}
	return docstore.Record{ID: id, Version: version, Body: slices.Clone(current)}, nil
}

// walk is a query as a row of finds, each an equality prefix with one range, in the order in which their
// results follow each other. Without a cursor there is one.
type walk struct {
	hint  string
	rest  []string // fields behind the equality prefix: they are the order and the cursor
	sort  bson.D
	steps []bson.D
}

func newWalk(c *collection, q docstore.Query) (*walk, error) {
	s, err := c.index(q.Index)
	if err != nil {
		return nil, err
	}
	if len(q.Equal) > len(s.Fields) || (q.From != nil || q.To != nil) && len(q.Equal) == len(s.Fields) {
		return nil, fmt.Errorf("mongo: %s: %w: query on index %q has too many values", c.Name(), docstore.ErrInvalid, q.Index)
	}
	w := &walk{hint: s.native, rest: s.order[len(q.Equal):]}
	direction := int32(1)
	if q.Descending {
		direction = -1
	}
	for _, field := range w.rest {
		w.sort = append(w.sort, bson.E{Key: field, Value: direction})
	}
	base, err := bounds(s, q)
	if err != nil {
		return nil, err
	}
	if q.After == "" {
		w.steps = []bson.D{base.filter()}
		return w, nil
	}
	values, err := readCursor(q.After, len(w.rest))
	if err != nil {
		return nil, err
	}
	w.climb(base, values, q.Descending)
	return w, nil
}

// climb goes on after (v0, v1, …): first what shares all but the last value, and so on up to what lies beyond
// v0. A single "greater than the tuple" cannot be said to MongoDB without reading what was read before.
func (w *walk) climb(base conditions, values []any, descending bool) {
	beyond := "$gt"
	if descending {
		beyond = "$lt"
	}
	for depth := len(w.rest) - 1; depth >= 0; depth-- {
		step := base.clone()
		for i := range depth {
			step.add(w.rest[i], "$eq", values[i])
		}
		if !descending || !step.tighten(w.rest[depth], values[depth]) {
			step.add(w.rest[depth], beyond, values[depth])
		}
		w.steps = append(w.steps, step.filter())
	}
}

func (w *walk) options(c *collection, limit int) *options.FindOptions {
	o := c.reading().SetHint(w.hint).SetLimit(int64(limit)).SetBatchSize(int32(limit + 1))
	if len(w.sort) > 0 {
		o.SetSort(w.sort)
	}
	return o
}

// bounds are the conditions of the query itself.
func bounds(s *shape, q docstore.Query) (conditions, error) {
	var base conditions
	put := func(field, operator string, value any) error {
		v, err := plain(value)
		if err != nil {
			return err
		}
		base.add(field, operator, v)
		return nil
	}
	var errs []error
	for i, value := range q.Equal {
		errs = append(errs, put(s.Fields[i], "$eq", value))
	}
	if q.From != nil {
		errs = append(errs, put(s.Fields[len(q.Equal)], "$gte", q.From))
	}
	if q.To != nil {
		errs = append(errs, put(s.Fields[len(q.Equal)], "$lt", q.To))
	}
	if s.Sparse && len(base) == 0 {
		base.add(s.Fields[0], "$exists", true) // or the planner may not use an index that leaves documents out
	}
	return base, errors.Join(errs...)
}

// conditions is a filter under construction: operators by field.
type conditions []bson.E

func (c *conditions) add(field, operator string, value any) {
	for i := range *c {
		if (*c)[i].Key == field {
			have, _ := (*c)[i].Value.(bson.D)
			(*c)[i].Value = append(slices.Clone(have), bson.E{Key: operator, Value: value})
			return
		}
	}
	*c = append(*c, bson.E{Key: field, Value: bson.D{{Key: operator, Value: value}}})
}

// tighten lowers an upper bound that the query has set already; one operator may stand in a condition only once.
func (c *conditions) tighten(field string, value any) bool {
	for i := range *c {
		operators, _ := (*c)[i].Value.(bson.D)
		for n, one := range operators {
			if (*c)[i].Key != field || one.Key != "$lt" {
				continue
			}
			if less(value, one.Value) {
				operators = slices.Clone(operators)
				operators[n].Value = value
				(*c)[i].Value = operators
			}
			return true
		}
	}
	return false
}

func (c conditions) clone() conditions { return slices.Clone(c) }

func (c conditions) filter() bson.D {
	if len(c) == 0 {
		return bson.D{}
	}
	return bson.D(c)
}

// equalTo is the filter for the values that body has in the index's fields; nil when it has none of them.
func (s *shape) equalTo(body bson.Raw) bson.D {
	var filter bson.D
	for _, field := range s.Fields {
		value, ok := lookup(body, field)
		if !ok || value.Type == bson.TypeNull {
			return nil
		}
		filter = append(filter, bson.E{Key: field, Value: value})
	}
	return filter
}
