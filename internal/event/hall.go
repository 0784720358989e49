package event

import (
	"sync"

	"guanxi/internal/docstore"
)

// parcel is one message on its way.
type parcel struct {
	collection, document string
	message              docstore.Message
}

// hall knows the messages that are queued, in delivery or in retirement in this process, and bounds their number.
type hall struct {
	mu     sync.Mutex
	size   int
	closed bool
	inside map[string]bool // by message id
	empty  chan struct{}   // closed when nobody is inside; nil while nobody asked
}

func (h *hall) open(size int) { h.size, h.inside = size, map[string]bool{} }

// enter lets a fresh message in; full says that there is no room. A message that is inside already, or comes after the
// doors were shut (the next start finds it), does not enter.
func (h *hall) enter(messageID string) (entered, full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed || h.inside[messageID]:
		return false, false
	case len(h.inside) >= h.size:
		return false, true
	}
	h.inside[messageID] = true
	return true, false
}

// claim takes a message that the sweeper found; false when it is on its way already.
func (h *hall) claim(messageID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inside[messageID] {
		return false
	}
	h.inside[messageID] = true
	return true
}

func (h *hall) holds(messageID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inside[messageID]
}

// leave says that messages are no longer this process's business, and how many still are.
func (h *hall) leave(parcels ...parcel) (left int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parcels {
		delete(h.inside, p.message.ID)
	}
	if len(h.inside) == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
	return len(h.inside)
}

// vacant returns a channel that is closed once nobody is inside.
func (h *hall) vacant() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.inside) == 0 {
		free := make(chan struct{})
		close(free)
		return free
	}
	if h.empty == nil {
		h.empty = make(chan struct{})
	}
	return h.empty
}

// shut lets nobody in any more.
func (h *hall) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

func (h *hall) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.inside)
}
