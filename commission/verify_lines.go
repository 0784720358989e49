package commission

import (
	"bytes"
	"context"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"

	"guanxi/internal/money"
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
	lines  int64
	text   uint64
	power  uint64 // base to the number of lines
}

func (v *verification) stretches(entries []*Entry) map[string]stretch {
	moves := movements(entries)
	all := make(map[string]stretch, len(moves))
	for member, m := range moves {
		s := stretch{change: m.change, lines: int64(m.lines), power: 1}
		for text := m.text; len(text) > 0; {
			end := bytes.IndexByte(text, '\n') + 1
			s.text, s.power = s.text*v.key.base+maphash.Bytes(v.key.seed, text[:end]), s.power*v.key.base
			text = text[end:]
		}
		all[member] = s
	}
	return all
}

func brandSums(entries []*Entry) map[Account]money.Fen {
	sums := map[Account]money.Fen{}
	for _, e := range entries {
		for i := range e.Postings {
			if _, _, ok := e.Postings[i].Account.Member(); !ok {
				sums[e.Postings[i].Account] += e.Postings[i].Amount
			}
		}
	}
	return sums
}

// checkLines proves that a statement, page by page, is what the entries make.
func (v *verification) checkLines(ctx context.Context, p *purseDoc, want uint64) error {
	have, number := uint64(0), int64(0)
	take := func(lines string) {
		for lines != "" {
			end := strings.IndexByte(lines, '\n') + 1
			if end == 0 {
				end = len(lines)
			}
			have = have*v.key.base + maphash.String(v.key.seed, lines[:end])
			number, lines = number+1, lines[end:]
		}
	}
	first := p.first()
	for from := int64(0); from*pageLines < first; from += 500 {
		var ids []string
		for n := from; n < from+500 && n*pageLines < first; n++ {
			ids = append(ids, pageID(p.ID, n))
		}
		pages, err := v.pages.GetMany(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if pages[id] == nil {
				v.differ("statement", id, "the page is gone")
				return nil
			}
			before := number
			take(pages[id].Lines)
			if number-before != pageLines {
				v.differ("statement", id, "the page does not have %d lines", pageLines)
				return nil
			}
		}
	}
	take(p.Tail)
	if number != p.Lines || have != want {
		v.differ("statement", p.ID, "its lines are not what its entries make%s", v.firstWrongLine(ctx, p))
	}
	return nil
}

// firstWrongLine looks for the line a clerk should look at.
func (v *verification) firstWrongLine(ctx context.Context, p *purseDoc) string {
	const most = 10_000
	lines, err := v.linesFrom(ctx, p, 0, min(p.Lines, most))
	if err != nil {
		return ": they cannot be read"
	}
	for _, l := range lines {
		e, err := v.entry(ctx, l.Entry)
		if err != nil {
			return ""
		}
		if e == nil {
			return ": line names " + l.Entry + ", which does not exist"
		}
		is := e.lineOf(p.ID)
		if is.Change != l.Change || !is.At.Equal(l.At) || !slices.Equal(is.Roles, l.Roles) {
			return ": first at " + l.Entry
		}
	}
	return ""
}
