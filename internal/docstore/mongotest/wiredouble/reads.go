package wiredouble

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"
)

// cursors hold what has not been fetched yet.
type cursors struct {
	mu   sync.Mutex
	next int64
	open map[int64][]bson.Raw
}

func (c *cursors) keep(rest []bson.Raw) int64 {
	if len(rest) == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[int64][]bson.Raw{}
	}
	c.next++
	c.open[c.next] = rest
	return c.next
}

func (c *cursors) claim(id int64) ([]bson.Raw, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest, ok := c.open[id]
	delete(c.open, id)
	return rest, ok
}

func (c *cursors) kill(r *request) {
	array, ok := r.body.Lookup("cursors").ArrayOK()
	if !ok {
		return
	}
	values, _ := array.Values()
	for _, v := range values {
		if id, ok := v.AsInt64OK(); ok {
			c.claim(id)
		}
	}
}

// OpenCursors counts cursors that nobody has finished or closed.
func (s *Server) OpenCursors() int {
	s.cursors.mu.Lock()
	defer s.cursors.mu.Unlock()
	return len(s.cursors.open)
}

func (s *Server) find(r *request) (bson.D, *failure) {
	level, _ := r.body.Lookup("readConcern", "level").StringValueOK()
	if level != "majority" && level != "snapshot" {
		return nil, fail(2, "BadValue", "reads here must ask for majority-committed data, or for one moment")
	}
	conditions, f := parseFilter(r.document("filter"))
	if f != nil {
		return nil, f
	}
	var c *collection
	var at primitive.Timestamp
	if level == "majority" {
		c = s.collection(r)
	} else if c, at, f = s.frozen(r); f != nil {
		return nil, f
	}
	c.mu.Lock()
	docs, examined, f := c.search(r, conditions)
	c.mu.Unlock()
	if f != nil {
		return nil, f
	}
	s.count(func(st *Stats) { st.Examined += examined; st.Returned += len(docs) })
	if projection := r.document("projection"); len(projection) > 0 {
		if f := project(docs, projection); f != nil {
			return nil, f
		}
	}
	reply := s.page(r, "firstBatch", docs, r.number("batchSize", 101))
	if level == "snapshot" {
		reply = stamped(reply, at)
	}
	return reply, nil
}

func (s *Server) getMore(r *request) (bson.D, *failure) {
	rest, ok := s.cursors.claim(r.number("getMore", 0))
	if !ok {
		return nil, fail(43, "CursorNotFound", "cursor not found")
	}
	return s.page(r, "nextBatch", rest, r.number("batchSize", int64(len(rest)))), nil
}

// page answers with as many documents as asked, and never more than fit a reply.
func (s *Server) page(r *request, name string, docs []bson.Raw, size int64) bson.D {
	batch, room := bson.A{}, maxDocument
	for len(docs) > 0 && int64(len(batch)) < size && (len(batch) == 0 || len(docs[0]) <= room) {
		batch, room, docs = append(batch, docs[0]), room-len(docs[0]), docs[1:]
	}
	ns := r.text("$db") + "." + r.text("find")
	if r.name == "getMore" {
		ns = r.text("$db") + "." + r.text("collection")
	}
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: s.cursors.keep(docs)}, {Key: "ns", Value: ns}, {Key: name, Value: batch}}}}
}

// project keeps whole fields, as inclusions name them.
func project(docs []bson.Raw, projection bson.Raw) *failure {
	elements, _ := projection.Elements()
	for _, e := range elements {
		if n, ok := e.Value().AsInt64OK(); !ok || n != 1 {
			return fail(2, "BadValue", "only inclusions in a projection here")
		}
	}
	for i, doc := range docs {
		kept := bson.D{}
		fields, _ := doc.Elements()
		for _, field := range fields {
			if name := field.Key(); name == "_id" || slices.ContainsFunc(elements, func(e bson.RawElement) bool {
				first, _, _ := strings.Cut(e.Key(), ".")
				return first == name
			}) {
				kept = append(kept, bson.E{Key: name, Value: field.Value()})
			}
		}
		docs[i], _ = bson.Marshal(kept)
	}
	return nil
}

// search walks the hinted index in the asked direction.
func (c *collection) search(r *request, conditions []condition) (docs []bson.Raw, examined int, f *failure) {
	if docs, ok := c.byIDs(conditions); ok {
		docs = docs[min(len(docs), int(r.number("skip", 0))):]
		return docs, len(docs), nil
	}
	x := c.byName(r.text("hint"))
	if x == nil {
		return nil, 0, fail(2, "BadValue", "hint provided does not correspond to an existing index: "+r.text("hint"))
	}
	if f := x.serves(conditions); f != nil {
		return nil, 0, f
	}
	descending, f := x.gives(r.document("sort"), conditions)
	if f != nil {
		return nil, 0, f
	}
	from, to := x.bounds(conditions)
	limit, skip := int(r.number("limit", 0)), int(r.number("skip", 0))
	for i := range x.entries[from:to] {
		at := from + i
		if descending {
			at = to - 1 - i
		}
		examined++
		if !matches(x.entries[at].doc, conditions) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		docs = append(docs, x.entries[at].doc)
		if limit > 0 && len(docs) == limit {
			break
		}
	}
	return docs, examined, nil
}

// byIDs answers _id equality and $in without a hint.
func (c *collection) byIDs(conditions []condition) ([]bson.Raw, bool) {
	if len(conditions) != 1 || conditions[0].field != "_id" {
		return nil, false
	}
	keys := conditions[0].among
	switch conditions[0].operator {
	case "$eq":
		keys = [][]byte{conditions[0].key}
	case "$in":
	default:
		return nil, false
	}
	var docs []bson.Raw
	seen := map[string]bool{}
	for _, key := range keys {
		at, _ := slices.BinarySearchFunc(c.indexes[0].entries, entry{key: key, record: -1}, compare)
		if at < len(c.indexes[0].entries) && bytes.Equal(c.indexes[0].entries[at].key, key) && !seen[string(key)] {
			seen[string(key)] = true
			docs = append(docs, c.indexes[0].entries[at].doc)
		}
	}
	return docs, true
}

// serves refuses a hint at an index that leaves out documents the filter does not leave out.
func (x *index) serves(conditions []condition) *failure {
	if !x.sparse && x.partial == nil {
		return nil
	}
	for _, c := range conditions {
		if c.field == x.fields[0] && (c.operator != "$exists" || c.value.Boolean()) && c.operator != "$ne" {
			return nil
		}
	}
	return fail(2, "BadValue", "the hinted index "+x.name+" leaves out documents the filter asks for")
}

// gives checks that walking the index yields the asked order: the equality prefix, then the sort's fields.
func (x *index) gives(order bson.Raw, conditions []condition) (descending bool, f *failure) {
	if len(order) == 0 {
		return false, nil
	}
	at := 0
	for at < len(x.fields) {
		if _, fixed := equal(conditions, x.fields[at]); !fixed {
			break
		}
		at++
	}
	elements, _ := order.Elements()
	for i, e := range elements {
		direction, _ := e.Value().AsInt64OK()
		if i == 0 {
			descending = direction < 0
		}
		if _, fixed := equal(conditions, e.Key()); fixed {
			continue // a constant sorts anyhow
		}
		if at >= len(x.fields) || x.fields[at] != e.Key() || (direction < 0) != descending {
			return false, fail(292, "QueryExceededMemoryLimitNoDiskUseAllowed", "index "+x.name+" does not give the order "+order.String())
		}
		at++
	}
	return descending, nil
}

// bounds are the entries between the equality prefix and the range on the field after it.
func (x *index) bounds(conditions []condition) (from, to int) {
	var prefix []byte
	at := 0
	for ; at < len(x.fields); at++ {
		key, fixed := equal(conditions, x.fields[at])
		if !fixed {
			break
		}
		prefix = append(prefix, key...)
	}
	low, high := prefix, append(slices.Clone(prefix), 0xff)
	for _, c := range conditions {
		if at >= len(x.fields) || c.field != x.fields[at] {
			continue
		}
		switch bound := append(slices.Clone(prefix), c.key...); c.operator {
		case "$gt":
			low = later(low, append(bound, 0xff))
		case "$gte":
			low = later(low, bound)
		case "$lt":
			high = earlier(high, bound)
		case "$lte":
			high = earlier(high, append(bound, 0xff))
		}
	}
	from = sort.Search(len(x.entries), func(i int) bool { return bytes.Compare(x.entries[i].key, low) >= 0 })
	to = sort.Search(len(x.entries), func(i int) bool { return bytes.Compare(x.entries[i].key, high) >= 0 })
	return from, max(from, to)
}

func later(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

func earlier(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}
