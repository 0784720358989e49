package withdrawal

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"

	"guanxi/internal/docstore"
)

// memory is a docstore.Driver in a map: the random tests make too many writes for a disk.
type memory struct {
	mu    sync.Mutex
	specs map[string]docstore.Spec
	docs  map[string]map[string]stored
}

type stored struct {
	docstore.Record
	keys []docstore.IndexKey
}

func newMemory() *memory {
	return &memory{specs: map[string]docstore.Spec{}, docs: map[string]map[string]stored{}}
}

func (m *memory) Ensure(_ context.Context, spec docstore.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.specs[spec.Name] = spec
	if m.docs[spec.Name] == nil {
		m.docs[spec.Name] = map[string]stored{}
	}
	return nil
}

func (m *memory) Get(_ context.Context, collection string, ids []string) ([]docstore.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []docstore.Record
	for _, id := range ids {
		if s, ok := m.docs[collection][id]; ok {
			found = append(found, s.Record)
		}
	}
	return found, nil
}

func (m *memory) Write(_ context.Context, ops []docstore.Op) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	answers := make([]error, len(ops))
	for i, op := range ops {
		old, there := m.docs[op.Collection][op.ID]
		switch {
		case op.Kind == docstore.Insert && there:
			answers[i] = &docstore.ExistsError{Collection: op.Collection, ID: op.ID}
		case op.Kind != docstore.Insert && (!there || old.Version != op.Version):
			answers[i] = docstore.ErrStale
		case op.Kind == docstore.Delete:
			delete(m.docs[op.Collection], op.ID)
		default:
			m.docs[op.Collection][op.ID] = stored{docstore.Record{ID: op.ID, Version: op.Next, Body: op.Body}, op.Keys}
		}
	}
	return answers
}

// Find knows no cursors but its own: the place in the order.
func (m *memory) Find(_ context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	type row struct {
		at string
		r  docstore.Record
	}
	var rows []row
	at := slices.IndexFunc(m.specs[collection].Indexes, func(i docstore.Index) bool { return i.Name == q.Index })
	from, err := docstore.EncodeKey(q.Equal...)
	if err != nil {
		return nil, "", err
	}
	low, high := bound(from, q.From), bound(from, q.To)
	for _, s := range m.docs[collection] {
		key := []byte(s.ID)
		if at >= 0 {
			if s.keys[at].Absent || !bytes.HasPrefix(s.keys[at].Bytes, from) {
				continue
			}
			key = s.keys[at].Bytes
		}
		if low != nil && bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
			continue
		}
		rows = append(rows, row{string(key) + "\x00" + s.ID, s.Record})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.at, b.at) })
	if q.Descending {
		slices.Reverse(rows)
	}
	if q.After != "" {
		after, err := base64.StdEncoding.DecodeString(q.After)
		if err != nil {
			return nil, "", fmt.Errorf("%w: cursor", docstore.ErrInvalid)
		}
		i := slices.IndexFunc(rows, func(r row) bool { return (r.at > string(after)) != q.Descending && r.at != string(after) })
		if i < 0 {
			i = len(rows)
		}
		rows = rows[i:]
	}
	var found []docstore.Record
	for i, r := range rows {
		if i == q.Limit {
			return found, base64.StdEncoding.EncodeToString([]byte(rows[i-1].at)), nil
		}
		found = append(found, r.r)
	}
	return found, "", nil
}

func bound(prefix []byte, value any) []byte {
	if value == nil {
		return nil
	}
	key, err := docstore.EncodeKey(value)
	if err != nil {
		panic(err)
	}
	return append(slices.Clone(prefix), key...)
}

func (m *memory) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	q.Limit = docstore.MaxLimit
	found, _, err := m.Find(ctx, collection, q)
	if limit > 0 {
		return min(limit, len(found)), err
	}
	return len(found), err
}

func (m *memory) Ping(context.Context) error { return nil }
func (m *memory) Close() error               { return nil }
