package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/mongo/writeconcern"

	"guanxi/internal/docstore"
)

// collection is a declared collection with the shapes of its indexes.
type collection struct {
	*mongo.Collection
	indexes  []shape       // the _id first
	patience time.Duration // after which the server may give up one of our reads
}

// reading are the options every read has.
func (c *collection) reading() *options.FindOptions { return options.Find().SetMaxTime(c.patience) }

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
// writers; Ensure returns when it is ready, also when another process is building it, so ctx, not
// Options.Timeout, bounds it. Within one driver a later Ensure only adds indexes. The first one also drops what
// Spec.Retired names; any other index it does not know may belong to a newer program, and stays.
// Errors: ErrUnavailable; ErrInvalid when stored documents lack an index's fields or share a unique value, when an
// index of that name stands there with other options, when the server cannot make it, and when the collection is
// none of ours (a view, capped, with a collation).
func (d *Driver) Ensure(ctx context.Context, spec docstore.Spec) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	d.building.Lock()
	defer d.building.Unlock()
	c := newCollection(d.database.Collection(spec.Name), &spec)
	c.patience = d.timeout
	known, _ := d.collection(spec.Name)
	if known != nil {
		c.keep(known)
	}
	if d.reads {
		err = c.check(ctx)
	} else {
		err = c.prepare(ctx, &spec, known == nil)
	}
	if err != nil {
		return ensureError(&spec, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shapes[spec.Name] = c
	return nil
}

func ensureError(spec *docstore.Spec, err error) error {
	why := ""
	switch {
	case hasCode(err, codeDuplicate):
		why = "stored documents share a unique value"
	case hasCode(err, codeOptionsConflict, codeKeysConflict):
		why = "an index stands there under this name, or over these fields, with other options; drop it by hand if nobody needs it"
	case hasCode(err, codeCannotCreate):
		why = fmt.Sprintf("the server cannot make the index; in a sharded collection a unique one must begin with the shard key (declared: %q)", spec.ShardKey)
	case hasCode(err, forbidden...):
		return fmt.Errorf("mongo: ensure %s: %w: this user may not list or make indexes: %w", spec.Name, docstore.ErrUnavailable, err)
	default:
		return readError("ensure "+spec.Name, err)
	}
	return fmt.Errorf("mongo: ensure %s: %w: %s: %w", spec.Name, docstore.ErrInvalid, why, err)
}

// keep takes over what an earlier declaration has and this one has not.
func (c *collection) keep(earlier *collection) {
	for i := range earlier.indexes {
		if _, err := c.index(earlier.indexes[i].Name); err != nil {
			c.indexes = append(c.indexes, earlier.indexes[i])
		}
	}
}

// check leaves out the indexes that are not there: a query by one of them is refused, all others are answered.
func (c *collection) check(ctx context.Context) error {
	stored, err := c.stored(ctx)
	if err != nil || len(stored) == 0 { // none: there is nothing to find
		return err
	}
	c.indexes = append(c.indexes[:1:1], slices.DeleteFunc(c.indexes[1:], func(s shape) bool {
		return stored[s.native] == nil
	})...)
	return nil
}

func (c *collection) prepare(ctx context.Context, spec *docstore.Spec, first bool) error {
	if err := c.plain(ctx); err != nil {
		return err
	}
	stored, err := c.stored(ctx)
	if err != nil {
		return err
	}
	var missing, whole, partial []*shape
	for i := range c.indexes[1:] {
		s := &c.indexes[i+1]
		switch spec, ok := stored[s.native]; {
		case !ok:
			missing = append(missing, s)
		case spec.Lookup("partialFilterExpression").Type == bson.TypeEmbeddedDocument:
			partial = append(partial, s)
		default:
			whole = append(whole, s)
		}
	}
	if len(missing) > 0 {
		if err := c.add(ctx, spec, missing); err != nil {
			return err
		}
	}
	// A listed index may still be being built: to ask for it again waits for it, and tells when it is another.
	// One command each: FerretDB 1 loses its connection over a command that names several indexes it has.
	for _, s := range whole {
		if err := c.build(ctx, []*shape{s}, false); err != nil {
			return err
		}
	}
	for _, s := range partial {
		if err := c.build(ctx, []*shape{s}, true); err != nil {
			return err
		}
	}
	if !first {
		return nil
	}
	for _, index := range spec.Retired {
		s := newShape(index)
		if _, ok := stored[s.native]; !ok || c.declares(s.native) {
			continue
		}
		if _, err := c.Indexes().DropOne(ctx, s.native); err != nil && !hasCode(err, codeNoIndex) {
			return err
		}
	}
	return nil
}

// plain refuses a collection that somebody has made with properties that change what our operations mean.
func (c *collection) plain(ctx context.Context) error {
	found, err := c.Database().ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: c.Name()}})
	if err != nil || len(found) == 0 {
		return err
	}
	one := found[0]
	locale, collated := one.Options.Lookup("collation", "locale").StringValueOK()
	capped, _ := one.Options.Lookup("capped").BooleanOK()
	switch {
	case one.Type != "" && one.Type != "collection":
		return fmt.Errorf("%w: it is there already, as a %s", docstore.ErrInvalid, one.Type)
	case capped:
		return fmt.Errorf("%w: it is capped: documents would vanish from it", docstore.ErrInvalid)
	case collated && locale != "simple":
		return fmt.Errorf("%w: it has the collation %q: ids that differ would be taken for the same, and orders differ", docstore.ErrInvalid, locale)
	}
	return nil
}

// stored gives the indexes of the database by name.
func (c *collection) stored(ctx context.Context) (map[string]bson.Raw, error) {
	cursor, err := c.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	defer closeCursor(ctx, cursor)
	found := map[string]bson.Raw{}
	for cursor.Next(ctx) {
		name, _ := cursor.Current.Lookup("name").StringValueOK()
		found[name] = slices.Clone(cursor.Current)
	}
	return found, cursor.Err()
}

func (c *collection) declares(native string) bool {
	return slices.ContainsFunc(c.indexes, func(s shape) bool { return s.native == native })
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

// build asks for indexes and waits for them as long as ctx allows: the time-out of ordinary writes is no measure.
func (c *collection) build(ctx context.Context, wanted []*shape, partial bool) error {
	if len(wanted) == 0 {
		return nil
	}
	models := make([]mongo.IndexModel, len(wanted))
	for i, s := range wanted {
		models[i] = s.model(partial)
	}
	patient, err := c.Clone(options.Collection().SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return err
	}
	_, err = patient.Indexes().CreateMany(ctx, models)
	return err
}
