package commission

import (
	"context"
	"fmt"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

// Rebuild recomputes every purse from the seals. It only opens a new epoch: the sealer (this one, or any other process's)
// then folds all seals again, and a purse begins anew with the first seal of the new epoch that touches it. So it may be
// interrupted at any point. While it runs, purses show less than the truth
// and nothing can be reserved for withdrawal.
func (s *Service) Rebuild(ctx context.Context) error {
	book, err := s.book.Books.Upsert(ctx, s.config.Book, func(b *book.Bookmark) error {
		b.Epoch, b.Target, b.Folded = b.Epoch+1, max(b.Target, b.Folded), 0
		return nil
	})
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	if err := s.step("epoch"); err != nil {
		return err
	}
	if err := s.CatchUp(ctx); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return wrap("rebuild", s.dropStrangers(ctx, book.Epoch))
}

// dropStrangers empties the purses no seal has touched: nothing in the ledger stands behind them.
func (s *Service) dropStrangers(ctx context.Context, epoch int64) error {
	return s.book.Purses.Each(ctx, docstore.All(), func(p *book.PurseDoc) error {
		if p.Epoch >= epoch {
			return nil
		}
		_, err := s.book.Purses.Update(ctx, p.ID, func(p *book.PurseDoc) error {
			p.Fold(s.config.Book, epoch, 0, nil)
			return nil
		})
		return err
	})
}

// maxGroup is how many entries one group of a rebuild holds: about 30 MB of statement lines in memory. What a
// group writes is written at its end: every write makes the readers of an embedded store forget the pages they know.
const maxGroup = 1 << 17

// regroup gathers what many seals do, so that a purse is written once for all of them. Each seal is still taken by itself,
// so that whoever comes in between, with groups of another size, takes none twice.
type regroup struct {
	*Service
	epoch   int64
	entries int
	moves   map[string][]book.Numbered
	lines   map[string]int
}

// refold folds the seals of a rebuild.
func (s *Service) refold(ctx context.Context, mark *book.Bookmark) error {
	type part struct {
		number  int64
		entries int
		moves   map[string]*book.Movement
		err     error
	}
	read := func(ctx context.Context, n int64) (p part) {
		seal, err := s.book.LoadSeal(ctx, n)
		if err == nil && seal == nil {
			err = fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, n, s.config.Book)
		}
		if err != nil {
			return part{err: err}
		}
		m, e := book.Moves{Of: map[string]*book.Movement{}}, &Entry{}
		err = s.book.EachEntry(ctx, seal.Entries, func(i int, doc *book.EntryDoc) error {
			if doc == nil {
				return seal.Without(i)
			}
			if err := e.Read(doc); err != nil {
				return err
			}
			m.Take(e)
			return nil
		})
		return part{number: n, entries: len(seal.Entries), moves: m.Of, err: err}
	}
	g := &regroup{Service: s, epoch: mark.Epoch, moves: map[string][]book.Numbered{}, lines: map[string]int{}}
	return book.InOrder(ctx, mark.Folded+1, mark.Target, read, func(p part) error {
		if p.err != nil {
			return p.err
		}
		for member, m := range p.moves {
			g.moves[member] = append(g.moves[member], book.Numbered{Number: p.number, Movement: m})
			g.lines[member] += m.Lines
		}
		if g.entries += p.entries; g.entries < maxGroup && p.number < mark.Target {
			return nil
		}
		if err := g.fold(ctx); err != nil {
			return err
		}
		g.entries, g.moves, g.lines = 0, map[string][]book.Numbered{}, map[string]int{}
		return s.folded(ctx, g.epoch, p.number)
	})
}

// fold writes the purses of the group. A busy purse's full pages go before it (see foldPurses), so that however much one
// group brings, it only ever carries an unfinished page.
func (g *regroup) fold(ctx context.Context) error {
	return g.foldPurses(ctx, &folding{lines: g.lines, again: true, take: func(p *book.PurseDoc) {
		p.FoldSeals(g.config.Book, g.epoch, g.moves[p.ID])
	}})
}
