package commission

import (
	"context"
	"fmt"

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

// refold folds the seals of a rebuild, many at a time: a purse is written once for all of them. Each seal is still taken
// by itself, so that whoever comes in between, with groups of another size, takes none twice.
func (s *Service) refold(ctx context.Context, book *bookDoc) error {
	type part struct {
		number  int64
		entries int
		moves   map[string]*movement
		err     error
	}
	group, entries := map[string][]numbered{}, 0
	flush := func(number int64) error {
		f := &folding{lines: make(map[string]int, len(group)), again: true, take: func(p *purseDoc) {
			p.foldSeals(s.config.Book, book.Epoch, group[p.ID])
		}}
		for member, seals := range group {
			for _, seal := range seals {
				f.lines[member] += seal.lines
			}
		}
		if err := s.foldPurses(ctx, f); err != nil {
			return err
		}
		group, entries = map[string][]numbered{}, 0
		return s.folded(ctx, book.Epoch, number)
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
	return inOrder(ctx, book.Folded+1, book.Target, read, func(p part) error {
		if p.err != nil {
			return p.err
		}
		if entries > 0 && entries+p.entries > maxSealBatch { // no purse document grows beyond what one seal could make it
			if err := flush(p.number - 1); err != nil {
				return err
			}
		}
		for member, m := range p.moves {
			group[member] = append(group[member], numbered{p.number, m})
		}
		if entries += p.entries; p.number == book.Target {
			return flush(p.number)
		}
		return nil
	})
}
