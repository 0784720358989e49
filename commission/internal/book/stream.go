package book

import (
	"context"
	"fmt"
	"runtime"
	"sort"
	"time"
)

// StreamEntries gives the entries of seals from … to (0: the newest that is folded) in the order of the chain. Seals are
// read side by side; visit is called by one goroutine. An error of visit ends it.
func (b *Store) StreamEntries(ctx context.Context, from, to int64, visit func(*Seal, []*Entry) error) error {
	book, err := b.Bookmark(ctx)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if to == 0 || to > book.Folded {
		to = max(book.Folded, min(to, book.Target))
	}
	type part struct {
		seal    *Seal
		entries []*Entry
		err     error
	}
	return wrap("stream", InOrder(ctx, max(from, 1), to, func(ctx context.Context, n int64) (p part) {
		if p.seal, p.err = b.LoadSeal(ctx, n); p.err != nil {
			return p
		}
		if p.seal == nil {
			p.err = fmt.Errorf("%w: seal %d of book %s is gone", ErrSeal, n, b.name)
			return p
		}
		p.entries, p.err = b.EntriesOf(ctx, p.seal)
		return p
	}, func(p part) error {
		if p.err != nil {
			return p.err
		}
		return visit(p.seal, p.entries)
	}))
}

// InOrder reads the numbers from … to side by side and takes the results in order.
func InOrder[T any](ctx context.Context, from, to int64, read func(context.Context, int64) T, take func(T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan chan T, 2*runtime.GOMAXPROCS(0)+2) // enough to go on while one result is being taken
	go func() {
		defer close(results)
		for n := from; n <= to && ctx.Err() == nil; n++ {
			result := make(chan T, 1)
			select {
			case results <- result:
				go func() { result <- read(ctx, n) }()
			case <-ctx.Done():
			}
		}
	}()
	for result := range results {
		if err := take(<-result); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// SealAt gives the number of the last seal made before t; 0 when there is none.
func (b *Store) SealAt(ctx context.Context, t time.Time) (int64, error) {
	book, err := b.Bookmark(ctx)
	if err != nil {
		return 0, fmt.Errorf("seal at: %w", err)
	}
	newest := max(book.Folded, book.Target)
	n := sort.Search(int(newest), func(i int) bool {
		if err != nil {
			return true
		}
		var seal *SealDoc
		if seal, err = b.Seals.Get(ctx, SealID(b.name, int64(i)+1)); err != nil {
			return true
		}
		return !seal.At.Before(t)
	})
	return int64(n), wrap("seal at", err)
}
