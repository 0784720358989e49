package claim

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Readings let concurrent callers share one reading of the store: everybody is answered by a reading that began after
// they asked, so what they are told was true while they waited. This, not a cache, is what makes "none left" cheap.
type Readings[T any] struct {
	mu      sync.Mutex
	running map[string]*rounds[T]
}

type rounds[T any] struct{ now, next *reading[T] }

// reading is one reading. What it found is shared and must not be changed.
type reading[T any] struct {
	done  chan struct{}
	found T
	err   error
}

var errReadingDied = errors.New("claim: the shared reading died")

// readTime bounds a shared reading: others wait for it, so the first caller's going away must not end it.
const readTime = 10 * time.Second

// Do reads, or waits for a reading that begins after the call.
func (l *Readings[T]) Do(ctx context.Context, key string, read func(ctx context.Context) (T, error)) (found T, err error) {
	l.mu.Lock()
	if l.running == nil {
		l.running = map[string]*rounds[T]{}
	}
	r := l.running[key]
	if r == nil {
		r = &rounds[T]{now: &reading[T]{done: make(chan struct{})}}
		l.running[key] = r
		l.mu.Unlock()
		return l.lead(ctx, key, r, r.now, read)
	}
	if mine := r.next; mine != nil {
		l.mu.Unlock()
		select {
		case <-mine.done:
			return mine.found, mine.err
		case <-ctx.Done():
			return found, ctx.Err()
		}
	}
	mine, before := &reading[T]{done: make(chan struct{})}, r.now
	r.next = mine
	l.mu.Unlock()
	<-before.done // bounded by readTime; others count on this reading
	return l.lead(ctx, key, r, mine, read)
}

func (l *Readings[T]) lead(ctx context.Context, key string, r *rounds[T], mine *reading[T], read func(context.Context) (T, error)) (T, error) {
	defer func() {
		l.mu.Lock()
		if r.next == nil {
			delete(l.running, key)
		} else {
			r.now, r.next = r.next, nil
		}
		l.mu.Unlock()
		close(mine.done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	mine.err = errReadingDied // what the others hear should read panic
	mine.found, mine.err = read(ctx)
	return mine.found, mine.err
}
