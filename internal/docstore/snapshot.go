package docstore

import "context"

// Snapshot is everything in a store as it was at one moment, while others go on writing: what is copied or backed up. It knows no
// Spec: collections that a newer program has made are in it, too. It serves one goroutine.
type Snapshot interface {
	// Collections names all collections, sorted.
	Collections(ctx context.Context) ([]string, error)
	// Page gives up to limit records in order of their ids, from the first one after an id; "" is the beginning.
	Page(ctx context.Context, collection, after string, limit int) ([]Record, error)
	// Close gives the snapshot back.
	Close() error
}
