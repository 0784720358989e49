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
