package mongo

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"

	"guanxi/internal/docstore"
)

// maxRivals bounds how often a write is repeated because the document that stood in its way has gone.
const maxRivals = 3

var errRivalGone = errors.New("a duplicate was reported, but its rival is gone")

// named reads which declared index a duplicate-key error speaks of: servers since 4.4 say the key pattern.
func (c *collection) named(e mongo.WriteError) (index string, ok bool) {
	pattern, ok := e.Raw.Lookup("keyPattern").DocumentOK()
	if !ok {
		return "", false
	}
	elements, err := pattern.Elements()
	if err != nil {
		return "", false
	}
	for i := range c.indexes {
		if c.indexes[i].Unique && c.indexes[i].has(elements) {
			return c.indexes[i].Name, true
		}
	}
	return "", false
}

// foreign reports whether a duplicate-key error names an index, by its key pattern.
func foreign(e mongo.WriteError) bool {
	_, ok := e.Raw.Lookup("keyPattern").DocumentOK()
	return ok
}

func (s *shape) has(pattern []bson.RawElement) bool {
	if len(pattern) != len(s.Fields) {
		return false
	}
	for i, field := range s.Fields {
		if pattern[i].Key() != field {
			return false
		}
	}
	return true
}

// rival looks for the stored document that op collides with, _id first. Nil means that there is none (any
// more).
func (d *Driver) rival(ctx context.Context, c *collection, op *docstore.Op) (*docstore.ExistsError, error) {
	for i := range c.indexes {
		s := &c.indexes[i]
		if !s.Unique || s.Name == "" && op.Kind == docstore.Replace {
			continue
		}
		filter := s.equalTo(op.Body)
		if filter == nil {
			continue
		}
		if s.Name != "" {
			filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$ne", Value: op.ID}}})
		}
		n := 0
		err := d.peek(ctx, "look for a duplicate in "+c.Name(), func(ctx context.Context) error {
			var err error
			n, err = tally(ctx, c, filter, c.reading().SetLimit(1).SetHint(s.native).
				SetProjection(bson.D{{Key: "_id", Value: int32(1)}}))
			return err
		})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return &docstore.ExistsError{Collection: c.Name(), Index: s.Name, ID: op.ID}, nil
		}
	}
	return nil, nil
}
