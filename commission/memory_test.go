package commission

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

// memory is a docstore.Driver without a disk, for tests that need very many operations. Several stores may be opened on
// one memory, as processes on one database.
type memory struct {
	mu     sync.Mutex
	of     map[string]*memoryTable
	closed bool
	// seen, when set, is told every write that has happened, one after the other.
	seen func(op docstore.Op, before *docstore.Record)
}

type memoryTable struct {
	spec    docstore.Spec
	records map[string]memoryRecord
	ids     []memoryPlace
	indexes [][]memoryPlace // in Spec order
}

type memoryRecord struct {
	docstore.Record
	keys []docstore.IndexKey
}

type memoryPlace struct {
	key string
	id  string
}

func (p memoryPlace) compare(q memoryPlace) int {
	return cmp.Or(cmp.Compare(p.key, q.key), cmp.Compare(p.id, q.id))
}

func newMemory() *memory { return &memory{of: map[string]*memoryTable{}} }

// Ensure makes an empty table.
func (m *memory) Ensure(_ context.Context, spec docstore.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of[spec.Name] == nil {
		m.of[spec.Name] = &memoryTable{spec: spec, records: map[string]memoryRecord{}, indexes: make([][]memoryPlace, len(spec.Indexes))}
	}
	return nil
}

// table is one that was declared.
func (m *memory) table(ctx context.Context, collection string) (*memoryTable, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	if m.closed {
		return nil, fmt.Errorf("%w: closed", docstore.ErrUnavailable)
	}
	if t := m.of[collection]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: collection %s is not open", docstore.ErrInvalid, collection)
}

// Get gives what is there.
func (m *memory) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.table(ctx, collection)
	if err != nil {
		return nil, err
	}
	var found []docstore.Record
	for _, id := range ids {
		if r, ok := t.records[id]; ok {
			found = append(found, r.Record)
		}
	}
	return found, nil
}

// Write does one operation after the other.
func (m *memory) Write(ctx context.Context, ops []docstore.Op) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	answers := make([]error, len(ops))
	for i, op := range ops {
		t, err := m.table(ctx, op.Collection)
		if err != nil {
			answers[i] = err
			continue
		}
		before, there := t.records[op.ID]
		if answers[i] = t.write(op); answers[i] == nil && m.seen != nil {
			if there {
				m.seen(op, &before.Record)
			} else {
				m.seen(op, nil)
			}
		}
	}
	return answers
}

func (t *memoryTable) write(op docstore.Op) error {
	stored, there := t.records[op.ID]
	switch {
	case op.Kind == docstore.Insert && there:
		return &docstore.ExistsError{Collection: op.Collection, ID: op.ID}
	case op.Kind != docstore.Insert && (!there || stored.Version != op.Version):
		return docstore.ErrStale
	}
	if op.Kind != docstore.Delete {
		for n, key := range op.Keys {
			if !t.spec.Indexes[n].Unique || key.Absent {
				continue
			}
			at, _ := slices.BinarySearchFunc(t.indexes[n], memoryPlace{string(key.Bytes), ""}, memoryPlace.compare)
			if at < len(t.indexes[n]) && t.indexes[n][at].key == string(key.Bytes) && t.indexes[n][at].id != op.ID {
				return &docstore.ExistsError{Collection: op.Collection, ID: op.ID, Index: t.spec.Indexes[n].Name}
			}
		}
	}
	if there {
		t.ids = displaced(t.ids, memoryPlace{"", op.ID}, false)
		for n, key := range stored.keys {
			t.indexes[n] = displaced(t.indexes[n], memoryPlace{string(key.Bytes), op.ID}, key.Absent)
		}
		delete(t.records, op.ID)
	}
	if op.Kind == docstore.Delete {
		return nil
	}
	t.records[op.ID] = memoryRecord{docstore.Record{ID: op.ID, Version: op.Next, Body: bytes.Clone(op.Body)}, op.Keys}
	t.ids = placed(t.ids, memoryPlace{"", op.ID}, false)
	for n, key := range op.Keys {
		t.indexes[n] = placed(t.indexes[n], memoryPlace{string(key.Bytes), op.ID}, key.Absent)
	}
	return nil
}

func placed(in []memoryPlace, p memoryPlace, absent bool) []memoryPlace {
	if at, found := slices.BinarySearchFunc(in, p, memoryPlace.compare); !absent && !found {
		return slices.Insert(in, at, p)
	}
	return in
}

func displaced(in []memoryPlace, p memoryPlace, absent bool) []memoryPlace {
	if at, found := slices.BinarySearchFunc(in, p, memoryPlace.compare); !absent && found {
		return slices.Delete(in, at, at+1)
	}
	return in
}

// span gives the places a query is about, in its order.
func (t *memoryTable) span(q docstore.Query) ([]memoryPlace, error) {
	places, byID := t.ids, q.Index == ""
	if !byID {
		n := slices.IndexFunc(t.spec.Indexes, func(i docstore.Index) bool { return i.Name == q.Index })
		if n < 0 {
			return nil, docstore.ErrInvalid
		}
		places = t.indexes[n]
	}
	from, to, bounded, err := bounds(q, byID)
	if err != nil {
		return nil, err
	}
	key := func(p memoryPlace) string {
		if byID {
			return p.id
		}
		return p.key
	}
	below := func(bound string) int {
		at, _ := slices.BinarySearchFunc(places, bound, func(p memoryPlace, bound string) int {
			if key(p) < bound {
				return -1
			}
			return 1
		})
		return at
	}
	first, last := below(from), len(places)
	if bounded {
		last = max(first, below(to))
	}
	return t.after(q, places[first:last], from, to, bounded, byID)
}

func bounds(q docstore.Query, byID bool) (from, to string, bounded bool, err error) {
	if byID {
		if len(q.Equal) > 0 {
			from = q.Equal[0].(string)
			return from, from + "\x00", true, nil
		}
		from, _ = q.From.(string)
		to, bounded = q.To.(string)
		return from, to, bounded, nil
	}
	prefix, err := docstore.EncodeKey(q.Equal...)
	if err != nil {
		return "", "", false, err
	}
	from = string(prefix)
	for i := len(prefix) - 1; i >= 0 && !bounded; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			to, bounded = string(next), true
		}
	}
	for _, side := range []struct {
		value any
		set   func(string)
	}{{q.From, func(s string) { from = s }}, {q.To, func(s string) { to, bounded = s, true }}} {
		if side.value == nil {
			continue
		}
		b, err := docstore.EncodeKey(append(slices.Clone(q.Equal), side.value)...)
		if err != nil {
			return "", "", false, err
		}
		side.set(string(b))
	}
	return from, to, bounded, nil
}

// after cuts off what stands before the cursor.
func (t *memoryTable) after(q docstore.Query, places []memoryPlace, from, to string, bounded, byID bool) ([]memoryPlace, error) {
	if q.After == "" {
		return places, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.After)
	n, size := binary.Uvarint(raw)
	if err != nil || size <= 0 || n > uint64(len(raw)-size) {
		return nil, docstore.ErrInvalid
	}
	p := memoryPlace{string(raw[size : size+int(n)]), string(raw[size+int(n):])}
	at := p.key
	if byID {
		at = p.id
	}
	if p.id == "" || (p.key == "") != byID || at < from || bounded && at >= to {
		return nil, docstore.ErrInvalid
	}
	i, found := slices.BinarySearchFunc(places, p, memoryPlace.compare)
	if q.Descending {
		return places[:i], nil
	}
	if found {
		i++
	}
	return places[i:], nil
}

// Find gives one page.
func (m *memory) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.table(ctx, collection)
	if err != nil {
		return nil, "", err
	}
	places, err := t.span(q)
	if err != nil {
		return nil, "", err
	}
	limit := cmp.Or(q.Limit, docstore.DefaultLimit)
	var found []docstore.Record
	for i := range min(limit, len(places)) {
		p := places[i]
		if q.Descending {
			p = places[len(places)-1-i]
		}
		found = append(found, t.records[p.id].Record)
		if i == limit-1 && len(places) > limit {
			raw := binary.AppendUvarint(nil, uint64(len(p.key)))
			return found, base64.RawURLEncoding.EncodeToString(append(append(raw, p.key...), p.id...)), nil
		}
	}
	return found, "", nil
}

// Count counts.
func (m *memory) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.table(ctx, collection)
	if err != nil {
		return 0, err
	}
	places, err := t.span(q)
	if limit > 0 {
		return min(limit, len(places)), err
	}
	return len(places), err
}

// Ping answers.
func (*memory) Ping(context.Context) error { return nil }

// Close ends it; what is in it is lost.
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func TestTheMemoryOfTheStormIsAStore(t *testing.T) {
	t.Parallel()
	docstoretest.Run(t, func(testing.TB) docstore.Driver { return newMemory() }, docstoretest.Caps{FixedIndexes: true, Slow: true})
}
