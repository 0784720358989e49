package mongo

import (
	"context"
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
	if index.Unique {
		s.native += "_unique"
	} else {
		s.order = append(s.order, "_id")
	}
	if index.Sparse {
		s.native += "_sparse"
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
// writers; Ensure returns when it is ready, so ctx, not Options.Timeout, bounds it. Within one driver a later
// Ensure only adds indexes. The first one also drops unique indexes of ours that are no longer declared, for
// they would go on refusing writes; other old indexes are left to the operator, older instances may be asking them.
// Errors: ErrUnavailable, and ErrInvalid when stored documents lack an index's fields or share a unique value.
func (d *Driver) Ensure(ctx context.Context, spec docstore.Spec) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	d.building.Lock()
	defer d.building.Unlock()
	c := newCollection(d.database.Collection(spec.Name), &spec)
	known, _ := d.collection(spec.Name)
	if known != nil {
		c.keep(known)
	}
	if err := c.prepare(ctx, &spec, known == nil); err != nil {
		return ensureError(spec.Name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shapes[spec.Name] = c
	return nil
}

func ensureError(name string, err error) error {
	if hasCode(err, codeDuplicate) {
		return fmt.Errorf("mongo: ensure %s: %w: stored documents share a unique value: %w", name, docstore.ErrInvalid, err)
	}
	return readError("ensure "+name, err)
}

// keep takes over what an earlier declaration has and this one has not.
func (c *collection) keep(earlier *collection) {
	for i := range earlier.indexes {
		if _, err := c.index(earlier.indexes[i].Name); err != nil {
			c.indexes = append(c.indexes, earlier.indexes[i])
		}
	}
}

func (c *collection) prepare(ctx context.Context, spec *docstore.Spec, first bool) error {
	stored, err := c.Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	var missing []*shape
	for i := range c.indexes[1:] {
		s := &c.indexes[i+1]
		if !slices.ContainsFunc(stored, func(one *mongo.IndexSpecification) bool { return one.Name == s.native }) {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		if err := c.add(ctx, spec, missing); err != nil {
			return err
		}
	}
	if !first {
		return nil
	}
	for _, one := range stored {
		if c.outlived(one) {
			if _, err := c.Indexes().DropOne(ctx, one.Name); err != nil && !hasCode(err, codeNoIndex) {
				return err
			}
		}
	}
	return nil
}

// outlived tells whether a stored index is a unique one of ours that no declaration names any more.
func (c *collection) outlived(stored *mongo.IndexSpecification) bool {
	ours := strings.Contains(stored.Name, "(") && stored.Unique != nil && *stored.Unique
	return ours && !slices.ContainsFunc(c.indexes, func(s shape) bool { return s.native == stored.Name })
}

// add makes old documents fit the new indexes, then builds them.
func (c *collection) add(ctx context.Context, spec *docstore.Spec, missing []*shape) error {
	if err := c.lift(ctx, spec); err != nil {
		return err
	}
	for _, s := range missing {
		if err := c.checkFields(ctx, s); err != nil {
			return err
		}
	}
	err := c.build(ctx, missing, true)
	if hasCode(err, codeNotImplemented) {
		err = c.build(ctx, missing, false) // no partial indexes there: bigger ones, the same answers
	}
	return err
}

func (c *collection) build(ctx context.Context, missing []*shape, partial bool) error {
	models := make([]mongo.IndexModel, len(missing))
	for i, s := range missing {
		models[i] = s.model(partial)
	}
	_, err := c.Indexes().CreateMany(ctx, models)
	return err
}
