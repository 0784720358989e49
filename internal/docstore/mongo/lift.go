package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/docstore"
)

// liftBatch is the number of old documents held in memory at a time.
const liftBatch = 200

// lift rewrites documents of older schemas into the newest, so that a new index finds its fields in them. The
// version stays: whoever has loaded the old shape has upgraded it on reading and may write it all the same.
func (c *collection) lift(ctx context.Context, spec *docstore.Spec) error {
	if spec.Schema <= 1 {
		return nil
	}
	filter := bson.D{{Key: "schema", Value: bson.D{{Key: "$lt", Value: int32(spec.Schema)}}}}
	found, err := c.Collection.Find(ctx, filter, options.Find().SetHint("_id_").SetBatchSize(liftBatch))
	if err != nil {
		return err
	}
	defer closeCursor(ctx, found)
	for found.Next(ctx) {
		record, err := toRecord(found.Current)
		if err != nil {
			return err
		}
		lifted, err := upgraded(spec, record.Body)
		if err != nil {
			return fmt.Errorf("document %s: %w", record.ID, err)
		}
		op := docstore.Op{ID: record.ID, Version: record.Version}
		if _, err := c.ReplaceOne(ctx, at(&op), lifted); err != nil {
			return err
		}
	}
	return found.Err()
}

func upgraded(spec *docstore.Spec, body bson.Raw) (bson.Raw, error) {
	schema, ok := body.Lookup("schema").AsInt64OK()
	if !ok || schema < 1 || schema > int64(len(spec.Upgrades)) {
		return nil, fmt.Errorf("%w: schema %d", docstore.ErrInvalid, schema)
	}
	var fields bson.M
	if err := bson.Unmarshal(body, &fields); err != nil {
		return nil, err
	}
	for _, upgrade := range spec.Upgrades[schema-1:] {
		if err := upgrade(fields); err != nil {
			return nil, fmt.Errorf("upgrade from schema %d: %w", schema, err)
		}
		schema++
	}
	fields["schema"] = int32(spec.Schema)
	return bson.Marshal(fields)
}

// checkFields refuses a new index whose fields some stored document lacks: MongoDB would index a null there, and
// finds would pass the document over.
func (c *collection) checkFields(ctx context.Context, s *shape) error {
	lacks := func(field string) bson.E { return bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: false}}} }
	has := func(field string) bson.E { return bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: true}}} }
	var wrong []bson.D
	for i, field := range s.Fields {
		switch {
		case !s.Sparse:
			wrong = append(wrong, bson.D{lacks(field)})
		case i > 0:
			wrong = append(wrong, bson.D{lacks(field), has(s.Fields[0])}, bson.D{has(field), lacks(s.Fields[0])})
		}
	}
	for _, filter := range wrong {
		n, err := tally(ctx, c, filter, options.Find().SetHint("_id_").SetLimit(1))
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: index %s: a stored document lacks some of its fields", docstore.ErrInvalid, s.Name)
		}
	}
	return nil
}
