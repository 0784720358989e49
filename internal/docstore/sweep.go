package docstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Sweep bounds one walk over what is due. All fields are required.
type Sweep struct {
	Most    int // documents of one call
	Page    int // documents read at once
	Workers int // worked on side by side
}

const keptErrors = 5

// Sweep gives the documents of a query to work, in order, page by page, several at a time. One that fails does not stop
// the others: the first few errors are returned together, at the end. Moved counts the documents work has moved; work must
// be safe for concurrent use.
func (c *Collection[T]) Sweep(ctx context.Context, q Query, s Sweep, work func(*T) (moved bool, err error)) (moved int, err error) {
	var page Page[T]
	return c.sweep(ctx, q, s, func(q Query) (n int, next string, err error) {
		page, err = c.Find(ctx, q)
		return len(page.Items), page.Next, err
	}, func(i int) (docID string, moved bool, err error) {
		doc := page.Items[i]
		moved, err = work(doc)
		return c.meta(doc).ID, moved, err
	})
}

// sweep walks pages that load loads; work takes document i of the page.
func (c *core) sweep(ctx context.Context, q Query, s Sweep, load func(Query) (n int, next string, err error),
	work func(i int) (docID string, moved bool, err error),
) (moved int, err error) {
	sum, seen := swept{}, 0
	for q = q.First(min(s.Page, s.Most)); ; {
		n, next, err := load(q)
		if err != nil {
			return sum.moved, errors.Join(err, sum.err(c.spec.Name))
		}
		var group sync.WaitGroup
		slots := make(chan struct{}, s.Workers)
		for i := range n {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				sum.add(work(i))
			})
		}
		group.Wait()
		seen += n
		left := s.Most - seen
		if next == "" || left <= 0 || ctx.Err() != nil {
			return sum.moved, sum.err(c.spec.Name)
		}
		q = q.First(min(s.Page, left)).Continue(next)
	}
}

// swept adds up what became of many documents.
type swept struct {
	mu     sync.Mutex
	moved  int
	failed int
	causes []error
}

func (s *swept) add(docID string, moved bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if moved {
		s.moved++
	}
	if err == nil {
		return
	}
	if s.failed++; len(s.causes) < keptErrors {
		s.causes = append(s.causes, fmt.Errorf("%s: %w", docID, err))
	}
}

func (s *swept) err(collection string) error {
	if s.failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s failed: %w", s.failed, collection, errors.Join(s.causes...))
}
