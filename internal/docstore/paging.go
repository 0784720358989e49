package docstore

import (
	"context"
	"errors"
)

// Paging is a caller's wish for one page of a list; unlike a Query it comes from outside and is checked.
type Paging struct {
	First int    // 0 = 20; at most MaxPage
	After string // Next of the page before
}

// MaxPage is the largest page somebody outside may ask for.
const MaxPage = 200

const maxCursor = 1000

// ErrPage: the size is out of range or the cursor is none of ours: the caller's mistake, not the program's.
var ErrPage = errors.New("docstore: no such page")

// List is Find for a page somebody outside asked for. Errors: ErrPage, and those of Find.
func (c *Collection[T]) List(ctx context.Context, q Query, p Paging) (Page[T], error) {
	if p.First == 0 {
		p.First = 20
	}
	if p.First < 0 || p.First > MaxPage || len(p.After) > maxCursor {
		return Page[T]{}, c.fail("list", "", ErrPage)
	}
	page, err := c.Find(ctx, q.First(p.First).Continue(p.After))
	if p.After != "" && errors.Is(err, ErrInvalid) {
		return Page[T]{}, errors.Join(ErrPage, err)
	}
	return page, err
}
