package wiredouble

import (
	"bytes"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
)

// collection is documents and their indexes. One lock, held for one document's change at a time: atomic per
// document and nothing more, as the real thing.
type collection struct {
	mu       sync.Mutex
	next     int64 // record number of the next document
	indexes  []*index
	building []*index
	options  bson.D // as listCollections tells them
}

// entry is one document in one index.
type entry struct {
	key    []byte // the indexed fields' values
	record int64  // breaks ties by order of arrival, as record ids do: never by _id
	doc    bson.Raw
}

// index keeps entries sorted.
type index struct {
	name    string
	fields  []string
	unique  bool
	sparse  bool
	partial []condition
	spec    bson.Raw
	entries []entry
	ready   chan struct{} // while it is being built: closed when that ends
}

func newDataCollection() *collection {
	spec, _ := bson.Marshal(bson.D{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "name", Value: "_id_"}})
	return &collection{indexes: []*index{{name: "_id_", fields: []string{"_id"}, unique: true, spec: spec}}}
}

func (x *index) keyOf(doc bson.Raw) (key []byte, in bool) {
	present := 0
	for _, field := range x.fields {
		v, ok := find(doc, field)
		if ok {
			present++
		}
		key = appendKey(key, v)
	}
	if x.sparse && present == 0 || !matches(doc, x.partial) {
		return nil, false
	}
	return key, true
}

func compare(a, b entry) int {
	if order := bytes.Compare(a.key, b.key); order != 0 {
		return order
	}
	return int(a.record - b.record)
}

func (x *index) add(e entry) {
	at, _ := slices.BinarySearchFunc(x.entries, e, compare)
	x.entries = slices.Insert(x.entries, at, e)
}

func (x *index) remove(key []byte, record int64) {
	at, ok := slices.BinarySearchFunc(x.entries, entry{key: key, record: record}, compare)
	if ok {
		x.entries = slices.Delete(x.entries, at, at+1)
	}
}

// taken tells whether another record holds the key.
func (x *index) taken(key []byte, record int64) bool {
	at, _ := slices.BinarySearchFunc(x.entries, entry{key: key, record: -1}, compare)
	for ; at < len(x.entries) && bytes.Equal(x.entries[at].key, key); at++ {
		if x.entries[at].record != record {
			return true
		}
	}
	return false
}

// conflict is the unique index that doc would break, the _id first.
func (c *collection) conflict(doc bson.Raw, record int64) *index {
	for _, x := range c.indexes {
		if key, in := x.keyOf(doc); in && x.unique && x.taken(key, record) {
			return x
		}
	}
	return nil
}

func (c *collection) put(doc bson.Raw, record int64) {
	for _, x := range c.indexes {
		if key, in := x.keyOf(doc); in {
			x.add(entry{key: key, record: record, doc: doc})
		}
	}
}

func (c *collection) take(doc bson.Raw, record int64) {
	for _, x := range c.indexes {
		if key, in := x.keyOf(doc); in {
			x.remove(key, record)
		}
	}
}

func (c *collection) byName(name string) *index {
	for _, x := range c.indexes {
		if x.name == name {
			return x
		}
	}
	return nil
}

// one finds the document a conditional write means. Such a filter names the _id.
func (c *collection) one(conditions []condition) (entry, bool, *failure) {
	id, ok := equal(conditions, "_id")
	if !ok {
		return entry{}, false, fail(2, "BadValue", "a write here must name the _id")
	}
	byID := c.indexes[0]
	at, _ := slices.BinarySearchFunc(byID.entries, entry{key: id, record: -1}, compare)
	if at < len(byID.entries) && bytes.Equal(byID.entries[at].key, id) && matches(byID.entries[at].doc, conditions) {
		return byID.entries[at], true, nil
	}
	return entry{}, false, nil
}

// build adds an index over what is stored.
func (c *collection) build(x *index) *failure {
	for _, e := range c.indexes[0].entries {
		key, in := x.keyOf(e.doc)
		if !in {
			continue
		}
		if x.unique && x.taken(key, e.record) {
			return fail(11000, "DuplicateKey", "E11000 duplicate key error index: "+x.name)
		}
		x.add(entry{key: key, record: e.record, doc: e.doc})
	}
	c.indexes = append(c.indexes, x)
	return nil
}
