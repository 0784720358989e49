package event

import (
	"slices"
	"sync"
)

// maxBlind bounds what is passed over per collection; beyond it the sweep of that collection gets slower, not wrong.
const maxBlind = 10_000

// blind are the documents whose envelope cannot be read: the sweeper passes over them until the next start. The store has
// noted them (docstore.Store.Unreadable).
type blind struct {
	mu  sync.Mutex
	ids map[string]map[string]bool // by collection
}

func (r *Relay) passOver(collection, document string) {
	r.blind.mu.Lock()
	defer r.blind.mu.Unlock()
	if r.blind.ids == nil {
		r.blind.ids = map[string]map[string]bool{}
	}
	if r.blind.ids[collection] == nil {
		r.blind.ids[collection] = map[string]bool{}
	}
	if len(r.blind.ids[collection]) < maxBlind {
		r.blind.ids[collection][document] = true
	}
}

// blindIn counts what is passed over in a collection, at most a page that may be asked for.
func (r *Relay) blindIn(collection string) int {
	r.blind.mu.Lock()
	defer r.blind.mu.Unlock()
	return min(len(r.blind.ids[collection]), 2000)
}

func (r *Relay) seeing(collection string, ids []string) []string {
	r.blind.mu.Lock()
	defer r.blind.mu.Unlock()
	return slices.DeleteFunc(ids, func(document string) bool { return r.blind.ids[collection][document] })
}
