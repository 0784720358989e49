package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"guanxi/internal/docstore"
)

const (
	maxGroupOps   = 512      // operations of one transaction
	maxGroupBytes = 16 << 20 // and the bytes of their bodies
	maxWaiting    = 1 << 14  // requests that may wait for the writer
	unclearAfter  = 2 * time.Second
)

// request is what one caller waits for: some operations, or a job that wants the connection to itself.
type request struct {
	ops     []docstore.Op
	results []error
	job     func(*connection) error
	bytes   int
	taken   bool // by the writer; guarded by writer.mu
	refused error
	done    chan struct{}
}

// writer owns the only connection that writes. Callers queue requests; its goroutine commits whatever waits in
// one transaction.
type writer struct {
	open   func() (*connection, error)
	tables func(collection string) *table
	nudge  chan struct{} // tells the checkpointer that the WAL has grown
	recent *recent

	mu      sync.Mutex
	waiting []*request
	closed  bool
	wake    chan struct{}
	ended   chan struct{}

	c       *connection // nil after a fault of the file: opened anew by the next transaction
	written int         // pages written when the checkpointer was last nudged
	groups  atomic.Int64
}

func (w *writer) submit(r *request) error {
	w.mu.Lock()
	if w.closed || len(w.waiting) >= maxWaiting {
		w.mu.Unlock()
		return fmt.Errorf("%w: writer is closed or overloaded", docstore.ErrUnavailable)
	}
	w.waiting = append(w.waiting, r)
	first := len(w.waiting) == 1
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// wait returns when r is answered. When ctx ends first, a request that nobody has taken is withdrawn; one that is
// being committed gets a moment more, because "unclear" is a hard word.
func (w *writer) wait(ctx context.Context, r *request) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	if w.withdraw(r) {
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, ctx.Err())
	}
	timer := time.NewTimer(unclearAfter)
	defer timer.Stop()
	select {
	case <-r.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("%w: %w", docstore.ErrUnclear, ctx.Err())
	}
}

func (w *writer) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.taken {
		return false
	}
	for i, other := range w.waiting {
		if other == r {
			w.waiting = append(w.waiting[:i:i], w.waiting[i+1:]...)
			break
		}
	}
	return true
}

// run carries out a job between two transactions and returns its error.
func (w *writer) run(ctx context.Context, job func(*connection) error) error {
	var failed error
	r := &request{done: make(chan struct{}), job: func(c *connection) error {
		failed = job(c)
		return failed
	}}
	r.results = make([]error, 1)
	if err := w.submit(r); err != nil {
		return err
	}
	if err := w.wait(ctx, r); err != nil {
		return err
	}
	return r.results[0]
}

// shut refuses new requests, lets the waiting ones finish and returns when they have.
func (w *writer) shut() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	for {
		group, closed := w.take()
		switch {
		case len(group) > 0:
			w.serve(group)
		case closed:
			if w.c != nil {
				w.c.close()
			}
			return
		default:
			<-w.wake
			runtime.Gosched() // those who are about to ask get into this group, too
		}
	}
}

// take claims the waiting requests up to the limits of a group. A job is a group of its own.
func (w *writer) take() (group []*request, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ops, bytes, n := 0, 0, 0
	for _, r := range w.waiting {
		ops, bytes = ops+len(r.ops), bytes+r.bytes
		if n > 0 && (r.job != nil || ops > maxGroupOps || bytes > maxGroupBytes) {
			break
		}
		r.taken = true
		n++
		if r.job != nil {
			break
		}
	}
	group = w.waiting[:n:n]
	if w.waiting = w.waiting[n:]; len(w.waiting) == 0 {
		w.waiting = nil
	}
	return group, w.closed
}

func (w *writer) serve(group []*request) {
	err := w.ready()
	if err == nil {
		if group[0].job != nil {
			err = w.perform(group[0])
		} else {
			err = w.commit(group)
		}
	}
	for _, r := range group {
		if err != nil {
			for i := range r.results {
				r.results[i] = err
			}
		}
		close(r.done)
	}
	w.groups.Add(1)
	w.tell()
}

// ready makes sure there is a connection.
func (w *writer) ready() error {
	if w.c != nil {
		return nil
	}
	c, err := w.open()
	if err != nil {
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	w.c, w.written = c, 0
	return nil
}

func (w *writer) perform(r *request) error {
	err := r.job(w.c)
	if w.c.inTransaction() {
		w.rollback()
	}
	var f *fault
	if errors.As(err, &f) && !errors.Is(err, docstore.ErrInvalid) {
		w.suspect(f)
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	return err
}

// commit carries out all operations of the group in one transaction. Its error concerns all of them and says
// that nothing was stored (ErrUnavailable), or that nobody knows (ErrUnclear).
func (w *writer) commit(group []*request) error {
	if err := w.step("BEGIN IMMEDIATE"); err != nil {
		return w.abandon("begin", err)
	}
	for _, r := range group {
		for i := range r.ops {
			answer, err := w.apply(&r.ops[i])
			if err != nil {
				return w.abandon("write", err)
			}
			r.results[i] = answer
		}
	}
	w.recent.committing(group)
	err := w.step("COMMIT")
	w.recent.committed(group, err == nil)
	if err == nil {
		return nil
	}
	var f *fault
	if errors.As(err, &f) && (f.primary() == sqlite3.SQLITE_FULL || f.primary() == sqlite3.SQLITE_BUSY) {
		return w.abandon("commit", err) // the commit frame was not written
	}
	abandoned := w.abandon("commit", err)
	return fmt.Errorf("%w: %w", docstore.ErrUnclear, errors.Unwrap(abandoned))
}

func (w *writer) step(sql string) error {
	s, err := w.c.prepare(sql)
	if err != nil {
		return err
	}
	return s.drain()
}

// abandon undoes the transaction.
func (w *writer) abandon(what string, cause error) error {
	if w.c.inTransaction() {
		w.rollback()
	}
	var f *fault
	if w.c != nil && errors.As(cause, &f) {
		w.suspect(f)
	}
	return &abandoned{what, cause}
}

// abandoned is ErrUnavailable with its cause.
type abandoned struct {
	what  string
	cause error
}

func (a *abandoned) Error() string {
	return docstore.ErrUnavailable.Error() + ": " + a.what + ": " + a.cause.Error()
}
func (a *abandoned) Is(target error) bool { return target == docstore.ErrUnavailable }
func (a *abandoned) Unwrap() error        { return a.cause }

func (w *writer) rollback() {
	if w.c.exec("ROLLBACK") != nil {
		w.drop()
	}
}

// suspect gives up the connection after a fault of the file; a full disk is no such fault.
func (w *writer) suspect(f *fault) {
	switch f.primary() {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM:
		w.drop()
	}
}

func (w *writer) drop() {
	if w.c != nil {
		w.c.close()
		w.c = nil
	}
}

// tell nudges the checkpointer when enough pages have gone to the WAL.
func (w *writer) tell() {
	if w.c == nil {
		return
	}
	if now := w.c.written(); now-w.written >= checkpointPages {
		w.written = now
		select {
		case w.nudge <- struct{}{}:
		default:
		}
	}
}
