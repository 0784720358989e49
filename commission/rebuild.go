package commission

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"guanxi/internal/docstore"
)

// Rebuild recomputes every purse from the seals. It only opens a new epoch: the sealer (this one, or any other process's)
// then folds all seals again, and a purse begins anew with the first seal of the new epoch that touches it. So it may be
// interrupted at any point. While it runs, purses show less than the truth
// and nothing can be reserved for withdrawal.
func (s *Service) Rebuild(ctx context.Context) error {
	book, err := s.books.Upsert(ctx, s.config.Book, func(b *bookDoc) error {
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
	return s.purses.Each(ctx, docstore.All(), func(p *purseDoc) error {
		if p.Epoch >= epoch {
			return nil
		}
		_, err := s.purses.Update(ctx, p.ID, func(p *purseDoc) error {
			p.fold(s.config.Book, epoch, 0, nil)
			return nil
		})
		return err
	})
}

// The bounds of one group of a rebuild: what is held in memory, and how long one purse's tail may become before it is
// written by itself.
const (
	maxGroup = 1 << 17 // entries
	maxTail  = 1 << 12 // statement lines
)

// regroup gathers what many seals do, so that a purse is written once for all of them. Each seal is still taken by itself,
// so that whoever comes in between, with groups of another size, takes none twice.
type regroup struct {
	*Service
	epoch   int64
	entries int
	moves   map[string][]numbered
	lines   map[string]int
}

// refold folds the seals of a rebuild.
func (s *Service) refold(ctx context.Context, book *bookDoc) error {
	type part struct {
		number  int64
		entries int
		moves   map[string]*movement
		err     error
	}
	read := func(ctx context.Context, n int64) (p part) {
		seal, err := s.loadSeal(ctx, n)
		if err == nil && seal == nil {
			err = fmt.Errorf("%w: seal %d of book %s is gone", errSeal, n, s.config.Book)
		}
		if err != nil {
			return part{err: err}
		}
		all, err := s.entriesOf(ctx, seal)
		return part{number: n, entries: len(all), moves: movements(all), err: err}
	}
	g := &regroup{Service: s, epoch: book.Epoch, moves: map[string][]numbered{}, lines: map[string]int{}}
	return inOrder(ctx, book.Folded+1, book.Target, read, func(p part) error {
		if p.err != nil {
			return p.err
		}
		var long []string
		for member, m := range p.moves {
			g.moves[member] = append(g.moves[member], numbered{p.number, m})
			if g.lines[member] += m.lines; g.lines[member] > maxTail {
				long = append(long, member)
			}
		}
		if err := g.fold(ctx, long); err != nil {
			return err
		}
		if g.entries += p.entries; g.entries < maxGroup && p.number < book.Target {
			return nil
		}
		g.entries = 0
		if err := g.fold(ctx, slices.Collect(maps.Keys(g.moves))); err != nil {
			return err
		}
		return s.folded(ctx, g.epoch, p.number)
	})
}

// fold writes these members' purses, and forgets what they have taken.
func (g *regroup) fold(ctx context.Context, members []string) error {
	if len(members) == 0 {
		return nil
	}
	f := &folding{lines: make(map[string]int, len(members)), again: true, take: func(p *purseDoc) {
		p.foldSeals(g.config.Book, g.epoch, g.moves[p.ID])
	}}
	for _, member := range members {
		f.lines[member] = g.lines[member]
	}
	if err := g.foldPurses(ctx, f); err != nil {
		return err
	}
	for _, member := range members {
		delete(g.moves, member)
		delete(g.lines, member)
	}
	return nil
}
