package docstore

import (
	"context"

	"go.mongodb.org/mongo-driver/bson"
)

// Driver stores encoded documents. It knows nothing of Go types; it is what a new database has to implement,
// and docstoretest.Run is what it has to pass.
type Driver interface {
	// Ensure makes the collection and its indexes exist, on old data too, without stopping readers.
	Ensure(ctx context.Context, spec Spec) error
	// Get returns the found records in any order; missing ids are simply absent.
	Get(ctx context.Context, collection string, ids []string) ([]Record, error)
	// Write carries out each operation by itself and answers each by itself: nil (durable), *ExistsError,
	// ErrStale, ErrUnavailable, ErrUnclear or ErrInvalid. It is not a transaction. Two operations of one call
	// may touch one id only if they come from different callers; their order is then free.
	Write(ctx context.Context, ops []Op) []error
	// Find returns records in index order and the cursor after the last one ("" at the end).
	Find(ctx context.Context, collection string, q Query) ([]Record, string, error)
	// Count counts what Find would return without a limit, but stops at limit when limit > 0.
	Count(ctx context.Context, collection string, q Query, limit int) (int, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Close waits for running operations and releases everything.
	Close() error
}

// Record is one stored document as bytes.
type Record struct {
	ID      string
	Version int64
	Body    bson.Raw
}

// OpKind is what an Op does.
type OpKind int

// The three writes. Replace and Delete happen only while the stored version equals Op.Version.
const (
	Insert OpKind = iota + 1
	Replace
	Delete
)

// Op is one write.
type Op struct {
	Kind       OpKind
	Collection string
	ID         string
	Version    int64      // Replace, Delete: the version that must be stored now
	Next       int64      // Insert, Replace: the version inside Body
	Body       bson.Raw   // Insert, Replace
	Keys       []IndexKey // Insert, Replace: values for every declared index, in Spec order, waiting last
}

// IndexKey is what one index says about a document.
type IndexKey struct {
	Absent bool   // sparse index, fields not there
	Bytes  []byte // order-preserving encoding of the fields' values (EncodeKey)
}
