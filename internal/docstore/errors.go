package docstore

import (
	"errors"
	"fmt"
)

// The errors of the contract. Drivers return exactly these, wrapped with the operation.
var (
	// ErrNotFound: no document with this _id.
	ErrNotFound = errors.New("docstore: not found")
	// ErrUnavailable: the store did not accept the operation (server away, disk full, shutting down). Nothing
	// happened; try again later.
	ErrUnavailable = errors.New("docstore: store unavailable")
	// ErrUnclear: the operation may or may not have happened. Repeat it with the same ids.
	ErrUnclear = errors.New("docstore: outcome unclear")
	// ErrContended: too many writers, the bounded retries are used up; nothing happened.
	ErrContended = errors.New("docstore: too much contention")
	// ErrInvalid: a bad id, query, index field or an oversized document; our mistake, not the caller's.
	ErrInvalid = errors.New("docstore: invalid")
	// ErrUnreadable: the document is there, but cannot be read: its key is not in the ring, its bytes are damaged, or a
	// sealed value was put in another's place.
	ErrUnreadable = errors.New("docstore: unreadable document")
	// ErrLocked: another process has this embedded store open.
	ErrLocked = errors.New("docstore: store is open in another process")
	// ErrAbsent: there is no store to read.
	ErrAbsent = errors.New("docstore: there is no store")
	// ErrStale: the version did not match. Drivers answer it; Collection never lets it out.
	ErrStale = errors.New("docstore: version is stale")
)

// ExistsError says that an insert (or an update of an indexed field) met a document that is there already.
type ExistsError struct {
	Collection string
	Index      string // "" = the _id itself; otherwise the name of the unique index
	ID         string // the id that was being written
}

// Error names the collision.
func (e *ExistsError) Error() string {
	what := "_id"
	if e.Index != "" {
		what = "index " + e.Index
	}
	return fmt.Sprintf("docstore: %s %s: %s already taken", e.Collection, e.ID, what)
}

// Exists reports whether err says that a document with this id, or a unique index value, is there already.
func Exists(err error) bool {
	var e *ExistsError
	return errors.As(err, &e)
}

// ExistsIn tells which unique index refused a write: "" for the _id. ok is false for any other error.
func ExistsIn(err error) (index string, ok bool) {
	var e *ExistsError
	if errors.As(err, &e) {
		return e.Index, true
	}
	return "", false
}
