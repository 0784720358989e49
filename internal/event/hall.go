package event

import (
	"sync"

	"guanxi/internal/docstore"
)

// parcel is one message on its way, with the consumers it still has to see.
type parcel struct {
	collection, document string
	message              docstore.Message
}

// hall is the waiting room of the fast path: a bounded queue and the set of messages that are queued, in
// delivery or in retirement in this process.
type hall struct {
	mu     sync.Mutex
	queue  chan parcel
	closed bool
	inside map[string]bool // by message id
	empty  chan struct{}   // closed when nobody is inside; nil while nobody asked
}

func (h *hall) open(size int) {
	h.queue, h.inside = make(chan parcel, size), map[string]bool{}
}

// enter queues a parcel without ever waiting; false when there is no room.
func (h *hall) enter(p parcel) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return true // the next start finds it
	}
	if h.inside[p.message.ID] {
		return true
	}
	select {
	case h.queue <- p:
		h.inside[p.message.ID] = true
		return true
	default:
		return false
	}
}

// claim takes a message for delivery outside the queue; false when it is on its way already.
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

// leave says that a message is no longer this process's business.
func (h *hall) leave(parcels ...parcel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parcels {
		delete(h.inside, p.message.ID)
	}
	if len(h.inside) == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
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

// shut lets nobody in any more; the workers end when they see the closed queue, and what still waits in it is dropped.
func (h *hall) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	close(h.queue)
}

func (h *hall) isShut() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

func (h *hall) depth() (queued, inside int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue), len(h.inside)
}
