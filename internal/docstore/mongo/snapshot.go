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

// snapshot is a session whose readings are all of one moment.
type snapshot struct {
	client   *mongo.Client
	session  mongo.Session
	database *mongo.Database
}

// OpenSnapshot looks at a database as it is at this moment (read concern "snapshot", MongoDB 5.0 and newer on a replica set or a
// sharded cluster). The server keeps the moment for minSnapshotHistoryWindowInSeconds, five minutes by default: who needs
// longer sets it higher.
// Errors: ErrInvalid when the server cannot, ErrUnavailable.
func OpenSnapshot(ctx context.Context, o Options) (docstore.Snapshot, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	settings := clientOptions(&o)
	settings.Monitor, settings.ReadConcern = nil, nil // a snapshot session says it itself
	client, err := mongo.Connect(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("mongo: connect: %w: %w", docstore.ErrInvalid, err)
	}
	session, err := client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("mongo: snapshot: %w: %w", docstore.ErrUnavailable, err)
	}
	s := &snapshot{client, session, client.Database(o.Database)}
	if _, err := s.Page(ctx, "books", "", 1); err != nil { // the first reading fixes the moment, and tells whether the server can
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *snapshot) Collections(ctx context.Context) ([]string, error) {
	names, err := s.database.ListCollectionNames(ctx, bson.D{{Key: "type", Value: "collection"}})
	if err != nil {
		return nil, readError("list collections", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "system.") })
	slices.Sort(names)
	return names, nil
}

func (s *snapshot) Page(ctx context.Context, name, after string, limit int) (records []docstore.Record, err error) {
	filter := bson.D{}
	if after != "" {
		filter = bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}
	}
	o := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetHint("_id_").SetLimit(int64(limit)).SetBatchSize(int32(limit + 1))
	err = mongo.WithSession(ctx, s.session, func(ctx mongo.SessionContext) error {
		records, err = collect(ctx, &collection{Collection: s.database.Collection(name)}, filter, o)
		return err
	})
	if err != nil {
		if hasCode(err, codeNotImplemented, 246, 72, 20, 9) { // SnapshotUnavailable, InvalidOptions, IllegalOperation, FailedToParse
			return nil, fmt.Errorf("mongo: snapshot: %w: the server cannot show one moment: %w", docstore.ErrInvalid, err)
		}
		return nil, readError("snapshot "+name, err)
	}
	return records, nil
}

func (s *snapshot) Close() error {
	ctx := context.Background()
	s.session.EndSession(ctx)
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongo: close: %w", err)
	}
	return nil
}
