package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/docstore"
)

// collection is a declared collection with the shapes of its indexes.
type collection struct {
	*mongo.Collection
	indexes []shape // the _id first
}

// shape is a declared index as MongoDB has it.
type shape struct {
	docstore.Index
	native string   // its name in the database
	order  []string // the fields that put documents into one total order
}

// newShape names the native index after its fields too, so that a declaration that changes gets a new index
// beside the old one, which older instances go on using. The _id ends every index that does not already order
// its documents totally: no find has to sort.
func newShape(index docstore.Index) shape {
	s := shape{Index: index, native: index.Name + "(" + strings.Join(index.Fields, ",") + ")", order: slices.Clone(index.Fields)}
	if !index.Unique {
		s.order = append(s.order, "_id")
	}
	return s
}

func (s *shape) model(partial bool) mongo.IndexModel {
	keys := make(bson.D, len(s.order))
	for i, field := range s.order {
		keys[i] = bson.E{Key: field, Value: int32(1)}
	}
	o := options.Index().SetName(s.native)
	switch {
	case s.Unique:
		o.SetUnique(true)
		if s.Sparse {
			o.SetSparse(true)
		}
	case s.Sparse && partial:
		// A native sparse index that ends in _id would hold every document.
		o.SetPartialFilterExpression(bson.D{{Key: s.Fields[0], Value: bson.D{{Key: "$exists", Value: true}}}})
	}
	return mongo.IndexModel{Keys: keys, Options: o}
}

func newCollection(native *mongo.Collection, spec *docstore.Spec) *collection {
	c := &collection{Collection: native}
	c.indexes = append(c.indexes, shape{
		Index:  docstore.Index{Fields: []string{"_id"}, Unique: true},
		native: "_id_", order: []string{"_id"},
	})
	for _, index := range spec.Indexes {
		c.indexes = append(c.indexes, newShape(index))
	}
	return c
}

func (c *collection) index(name string) (*shape, error) {
	for i := range c.indexes {
		if c.indexes[i].Name == name {
			return &c.indexes[i], nil
		}
	}
	return nil, fmt.Errorf("mongo: %s: %w: no index %q", c.Name(), docstore.ErrInvalid, name)
}

// Ensure makes the collection and its indexes exist. MongoDB builds an index without stopping readers or
// writers; Ensure returns when it is ready, so ctx, not Options.Timeout, bounds it.
// Errors: ErrUnavailable, and ErrInvalid when stored documents already break a unique index.
func (d *Driver) Ensure(ctx context.Context, spec docstore.Spec) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	c := newCollection(d.database.Collection(spec.Name), &spec)
	err = c.build(ctx, true)
	if hasCode(err, codeNotImplemented) {
		err = c.build(ctx, false) // no partial indexes there: bigger ones, the same answers
	}
	if hasCode(err, codeDuplicate) {
		return fmt.Errorf("mongo: ensure %s: %w: stored documents share a unique value: %w", spec.Name, docstore.ErrInvalid, err)
	}
	if err := readError("ensure "+spec.Name, err); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shapes[spec.Name] = c
	return nil
}

func (c *collection) build(ctx context.Context, partial bool) error {
	models := make([]mongo.IndexModel, 0, len(c.indexes))
	for i := range c.indexes[1:] {
		models = append(models, c.indexes[i+1].model(partial))
	}
	if len(models) == 0 {
		return errors.New("no index declared")
	}
	_, err := c.Indexes().CreateMany(ctx, models)
	return err
}
