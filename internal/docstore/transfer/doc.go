// Package transfer carries whole stores: from one driver to another (Sync, Prove), into an encrypted archive (Write) and out of it
// (Check, Restore).
//
// What is carried are stored records, byte for byte: id, version and body. Personal data stays encrypted under the keys it was
// encrypted with, which the new place must have, too. Index keys are computed again from the bodies by the specs of the program.
//
// A source is read as a Snapshot: all of it as it was at one moment, while it goes on being written. A target is marked (Mark)
// while it is filled, so that nothing serves from half a store. Everything may be interrupted and begun again: what is there
// already and is the same is passed over.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"guanxi/internal/docstore"
)

// Passed are the collections that belong to a place, not to the store: they are not carried.
func passed(collection string) bool { return collection == marks || collection == "leases" }

// Progress is told about every thousand documents.
type Progress struct {
	Collection string
	Read       int64 // documents, of all collections so far
	Written    int64 // of them, those that were not there already
}

// Totals are what a collection holds. The hash is over id, version and body of every record in order of their ids.
type Totals struct {
	Collection string `bson:"collection"`
	Documents  int64  `bson:"documents"`
	Bytes      int64  `bson:"bytes"` // of bodies
	Hash       []byte `bson:"hash"`
}

type counting struct {
	Totals
	sum hash.Hash
}

func count(collection string) *counting {
	return &counting{Totals{Collection: collection}, sha256.New()}
}

func (c *counting) add(r docstore.Record) {
	var head [20]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(r.ID)))
	binary.BigEndian.PutUint64(head[4:], uint64(r.Version))
	binary.BigEndian.PutUint64(head[12:], uint64(len(r.Body)))
	c.sum.Write(head[:])
	c.sum.Write([]byte(r.ID))
	c.sum.Write(r.Body)
	c.Documents++
	c.Bytes += int64(len(r.Body))
}

func (c *counting) totals() Totals {
	c.Hash = c.sum.Sum(nil)
	return c.Totals
}

// page is how many records are read at once.
const page = 1000

// each gives the records of a collection in order of their ids.
func each(ctx context.Context, s docstore.Snapshot, collection string, visit func([]docstore.Record) error) error {
	for after := ""; ; {
		records, err := s.Page(ctx, collection, after, page)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			return nil
		}
		if err := visit(records); err != nil {
			return err
		}
		after = records[len(records)-1].ID
	}
}
