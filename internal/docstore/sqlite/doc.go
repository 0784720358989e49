// Package sqlite keeps documents in one SQLite file: the store that needs no server.
//
// What it promises beyond the contract of package docstore:
//
//   - A write that returned nil was committed with fsync (WAL, synchronous=FULL).
//   - Writes that wait at the same time are committed together: one writer goroutine takes whatever waits, at once,
//     and answers each operation by itself. A refused operation does not disturb its neighbours.
//   - Reads run beside the writer on their own connections and see every write that was answered before they began.
//   - A full disk or a failing file is docstore.ErrUnavailable (or ErrUnclear when the commit itself broke); the
//     driver goes on by itself when the disk does.
//   - One process at a time: a lock file beside the database; a second Open is docstore.ErrLocked.
//
// A collection is one table "c_<name>" with the id, the version, the encoded body and one nullable key column per
// declared index, holding docstore.IndexKey.Bytes; every declared index is one partial SQLite index over (key, id),
// or over the key alone when it is unique. A new index on old data is filled in batches beside the running
// readers and writers; its progress is stored, so a killed process goes on where it was. Creating the empty index
// makes SQLite walk the table once (about a second per million documents); only then are writers held up.
//
// Long reads map the file into memory (Options.MapMiB): they then cost at a million documents what they cost at a
// thousand, but a disk that cannot be read ends the process instead of answering an error. Writes are never mapped, nor are
// short reads while documents are being written: every commit makes a reader map the file anew.
//
// It never spans documents with a transaction that a caller could see, and never deletes or rewrites the file on its
// own account.
//
//	driver, err := sqlite.Open(ctx, sqlite.Options{Dir: "/var/lib/guanxi"})
package sqlite
