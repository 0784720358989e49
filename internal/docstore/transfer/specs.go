package transfer

import (
	"context"
	"sync"

	"guanxi/internal/docstore"
)

// Specs is a driver that stores nothing and remembers what is declared: a program opened on it tells all its collections.
type Specs struct {
	mu  sync.Mutex
	all map[string]docstore.Spec
}

// All gives the declarations by collection; the one with the most indexes where several were made.
func (s *Specs) All() map[string]docstore.Spec { return s.all }

// Ensure implements docstore.Driver.
func (s *Specs) Ensure(_ context.Context, spec docstore.Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]docstore.Spec{}
	}
	if known, ok := s.all[spec.Name]; !ok || len(spec.Indexes) > len(known.Indexes) {
		s.all[spec.Name] = spec
	}
	return nil
}

// Get implements docstore.Driver.
func (s *Specs) Get(context.Context, string, []string) ([]docstore.Record, error) { return nil, nil }

// Write implements docstore.Driver.
func (s *Specs) Write(_ context.Context, ops []docstore.Op) []error { return make([]error, len(ops)) }

// Find implements docstore.Driver.
func (s *Specs) Find(context.Context, string, docstore.Query) ([]docstore.Record, string, error) {
	return nil, "", nil
}

// Count implements docstore.Driver.
func (s *Specs) Count(context.Context, string, docstore.Query, int) (int, error) { return 0, nil }

// Ping implements docstore.Driver.
func (s *Specs) Ping(context.Context) error { return nil }

// Close implements docstore.Driver.
func (s *Specs) Close() error { return nil }

// specOf is the program's declaration, or that of a collection it does not know: kept, without indexes.
func specOf(specs map[string]docstore.Spec, collection string) docstore.Spec {
	if spec, ok := specs[collection]; ok {
		return spec
	}
	return docstore.Spec{Name: collection, Schema: 1}
}
