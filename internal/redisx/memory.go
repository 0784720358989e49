package redisx

import (
	"sync"
	"time"

	"guanxi/internal/clock"
)

// memory is a bounded map of things that expire. When the younger half is full the older half is forgotten.
type memory[V any] struct {
	clock clock.Clock
	half  int

	mu         sync.Mutex
	young, old map[string]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

func newMemory[V any](c clock.Clock, size int) *memory[V] {
	return &memory[V]{clock: c, half: max(size/2, 1), young: map[string]kept[V]{}}
}

func (m *memory[V]) get(key string) (value V, ok bool) {
	value, until := m.look(key)
	return value, !until.IsZero()
}

// look returns the value and when it expires; the zero time when there is none.
func (m *memory[V]) look(key string) (value V, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one, ok := m.young[key]
	if !ok {
		one, ok = m.old[key]
	}
	if !ok || !one.until.After(m.clock.Now()) {
		return value, time.Time{}
	}
	return one.value, one.until
}

func (m *memory[V]) put(key string, value V, ttl time.Duration) {
	m.change(key, func(V, bool) (V, time.Duration) { return value, ttl })
}

// change replaces a value by what fn makes of it, under the lock; a ttl of zero or less removes it.
func (m *memory[V]) change(key string, fn func(old V, ok bool) (V, time.Duration)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	one, ok := m.young[key]
	if !ok {
		one, ok = m.old[key]
	}
	if ok = ok && one.until.After(now); !ok {
		one = kept[V]{}
	}
	value, ttl := fn(one.value, ok)
	delete(m.old, key)
	if ttl <= 0 {
		delete(m.young, key)
		return
	}
	if len(m.young) >= m.half {
		m.young, m.old = make(map[string]kept[V]), m.young
		delete(m.old, key)
	}
	m.young[key] = kept[V]{value, now.Add(ttl)}
}

// adjust replaces a value that is there if fn says so, and leaves its time to live alone. It answers what fn
// said, or true when there is no value.
func (m *memory[V]) adjust(key string, fn func(old V) (V, bool)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, half := range []map[string]kept[V]{m.young, m.old} {
		one, ok := half[key]
		if !ok {
			continue
		}
		if !one.until.After(m.clock.Now()) {
			return true
		}
		value, yes := fn(one.value)
		if yes {
			one.value = value
			half[key] = one
		}
		return yes
	}
	return true
}

func (m *memory[V]) drop(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, key)
	delete(m.old, key)
}
