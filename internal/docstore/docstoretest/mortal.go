package docstoretest

import (
	"context"
	"errors"
	"sync"

	"guanxi/internal/docstore"
)

// ErrDead is what a dead process's calls answer.
var ErrDead = errors.New("docstoretest: the process is dead")

// Mortal is the life of one process. It can be made to die at its n-th call to the outside: writes to the store, and
// whatever else is called through Call. The zero value lives on.
type Mortal struct {
	mu    sync.Mutex
	armed bool
	left  int  // calls before the last
	after bool // the last one still happens
	dead  bool
}

// DieAt makes the n-th call from now, counted from 0, the last: after it has happened, or before.
func (m *Mortal) DieAt(n int, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed, m.left, m.after = true, n, after
}

// Spare takes the death back that has not come yet.
func (m *Mortal) Spare() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = false
}

// Call lets one call to the outside happen, or be the last thing the process does.
func (m *Mortal) Call(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.dead:
		return ErrDead
	case m.armed && m.left == 0:
		m.dead = true
		if m.after {
			_ = do()
		}
		return ErrDead
	case m.armed:
		m.left--
	}
	return do()
}

// Dead tells whether it has died.
func (m *Mortal) Dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// Doomed tells whether it has died or will.
func (m *Mortal) Doomed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead || m.armed
}

// Driver is the store as the process sees it.
func (m *Mortal) Driver(driver docstore.Driver) docstore.Driver { return mortalDriver{driver, m} }

type mortalDriver struct {
	docstore.Driver
	life *Mortal
}

func (d mortalDriver) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	if d.life.Dead() {
		return nil, docstore.ErrUnavailable
	}
	return d.Driver.Get(ctx, collection, ids)
}

func (d mortalDriver) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	if d.life.Dead() {
		return nil, "", docstore.ErrUnavailable
	}
	return d.Driver.Find(ctx, collection, q)
}

func (d mortalDriver) Write(ctx context.Context, ops []docstore.Op) []error {
	answers := make([]error, len(ops))
	_ = d.life.Call(func() error {
		answers = d.Driver.Write(ctx, ops)
		return nil
	})
	if d.life.Dead() {
		for i := range answers {
			answers[i] = docstore.ErrUnavailable // whatever happened, nobody is left to hear of it
		}
	}
	return answers
}
