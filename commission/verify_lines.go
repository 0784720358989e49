package commission

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"

	"guanxi/commission/internal/book"
)

// lineKey hashes statements: a line by a keyed hash, a statement by a polynomial over its lines, so that stretches that
// were hashed side by side can be joined. Both keys are new with every run: nobody can prepare a text that collides.
type lineKey struct {
	seed maphash.Seed
	base uint64
}

func newLineKey() lineKey { return lineKey{maphash.MakeSeed(), rand.Uint64() | 1} }

// stretch is what one seal does to one member.
type stretch struct {
	change Balance
	hashed
}

// hashed is a piece of a statement.
type hashed struct {
	lines int64
	text  uint64
	power uint64 // base to the number of lines
}

func (h *hashed) add(key *lineKey, text string) {
	for text != "" {
		end := strings.IndexByte(text, '\n') + 1
		if end == 0 {
			end = len(text)
		}
		h.text, h.power = h.text*key.base+maphash.String(key.seed, text[:end]), h.power*key.base
		h.lines++
		text = text[end:]
	}
}

func (h *hashed) join(next *hashed) {
	h.text, h.power, h.lines = h.text*next.power+next.text, h.power*next.power, h.lines+next.lines
}

// pagesTogether is how many pages of a statement are read at once.
const pagesTogether = 100

// errDiffers ends the reading of a statement that is not right.
var errDiffers = errors.New("commission: the statement differs")

// checkLines proves that a statement, page by page, is what the entries make. A long one is read piece by piece, side by
// side.
func (c *checkedPurse) checkLines(ctx context.Context, v *verification, want uint64) error {
	type piece struct {
		hashed
		found []Difference
		err   error
	}
	p, have := c.purse, hashed{power: 1}
	pages := (p.First() + book.PageLines - 1) / book.PageLines
	pieces := (pages + pagesTogether - 1) / pagesTogether
	read := func(ctx context.Context, n int64) (one piece) {
		one.hashed.power = 1
		one.found, one.err = v.hashPages(ctx, p.ID, n*pagesTogether, min((n+1)*pagesTogether, pages), &one.hashed)
		return one
	}
	take := func(one piece) error {
		c.found = append(c.found, one.found...)
		if one.err == nil && len(one.found) > 0 {
			return errDiffers
		}
		have.join(&one.hashed)
		return one.err
	}
	var err error
	switch {
	case pieces == 1: // as nearly always: nothing to do side by side
		err = take(read(ctx, 0))
	case pieces > 1:
		err = book.InOrder(ctx, 0, pieces-1, read, take)
	}
	if errors.Is(err, errDiffers) {
		return nil
	}
	if err != nil {
		return err
	}
	if have.add(&v.key, p.Tail); have.lines != p.Lines || have.text != want {
		c.differ("statement", p.ID, "its lines are not what its entries make"+v.firstWrongLine(ctx, p))
	}
	return nil
}

// hashPages adds the pages from … to-1 of a member's statement, up to the first that is not as it must be.
func (v *verification) hashPages(ctx context.Context, member string, from, to int64, into *hashed) ([]Difference, error) {
	ids := make([]string, 0, to-from)
	for n := from; n < to; n++ {
		ids = append(ids, book.PageID(member, n))
	}
	pages, err := v.book.Pages.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if pages[id] == nil {
			return []Difference{{"statement", id, "the page is gone"}}, nil
		}
		before := into.lines
		if into.add(&v.key, pages[id].Lines); into.lines-before != book.PageLines {
			return []Difference{{"statement", id, fmt.Sprintf("the page does not have %d lines", book.PageLines)}}, nil
		}
	}
	return nil, nil
}

// firstWrongLine looks for the line a clerk should look at.
func (v *verification) firstWrongLine(ctx context.Context, p *book.PurseDoc) string {
	const most = 10_000
	lines, err := v.book.LinesFrom(ctx, p, 0, min(p.Lines, most))
	if err != nil {
		return ": they cannot be read"
	}
	for _, l := range lines {
		e, err := v.book.Entry(ctx, l.Entry)
		if err != nil {
			return ""
		}
		if e == nil {
			return ": line names " + l.Entry + ", which does not exist"
		}
		is := e.LineOf(p.ID)
		if is.Change != l.Change || !is.At.Equal(l.At) || !slices.Equal(is.Roles, l.Roles) {
			return ": first at " + l.Entry
		}
	}
	return ""
}
