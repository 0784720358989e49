package commission

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

// SignCheckpoint signs the newest folded seal and the head of the chain of facts, unless both are signed already; nil when
// there was nothing to sign or there is no key. The line is told to Config.Anchor after it is stored; a process that dies in
// between leaves the telling to the next checkpoint, which signs this one, too.
func (s *Service) SignCheckpoint(ctx context.Context) (*Checkpoint, error) {
	if len(s.config.Key) == 0 {
		return nil, nil
	}
	last, err := s.book.NewestCheckpoint(ctx)
	if err != nil {
		return nil, wrap("checkpoint", err)
	}
	c, err := s.checkpointAfter(ctx, last)
	if err != nil || c == nil {
		return nil, wrap("checkpoint", err)
	}
	c.ID = book.SealID(c.Book, c.Number)
	c.Signature = ed25519.Sign(s.config.Key, []byte(c.Text()))
	if err := s.book.Checkpoints.Insert(ctx, c); docstore.Exists(err) {
		return nil, nil // another process has signed
	} else if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if s.config.Anchor != nil {
		s.config.Anchor(c.Line())
	}
	return c, nil
}

// checkpointAfter is the next checkpoint without its signature; nil when the last one says it all.
func (s *Service) checkpointAfter(ctx context.Context, last *Checkpoint) (*Checkpoint, error) {
	c := &Checkpoint{ //nolint:forcetypeassert // an ed25519 key has an ed25519 public key
		Book: s.config.Book, Number: 1, At: s.clock.Now(), Key: s.config.Key.Public().(ed25519.PublicKey),
	}
	if s.config.Facts != nil {
		var err error
		if c.Facts, c.FactsHash, err = s.config.Facts(ctx); err != nil {
			return nil, err
		}
	}
	book, err := s.book.Bookmark(ctx)
	if err != nil || book.Rebuilding() || book.Folded == 0 && c.Facts == 0 {
		return nil, err
	}
	if last != nil {
		if last.Seal >= book.Folded && last.Facts >= c.Facts {
			return nil, nil
		}
		c.Number, c.Prev = last.Number+1, last.Digest()
	}
	if book.Folded == 0 {
		return c, nil
	}
	seal, err := s.book.LoadSeal(ctx, book.Folded)
	if err != nil || seal == nil {
		return nil, err
	}
	c.Seal, c.Hash = seal.Number, seal.Hash[:]
	return c, nil
}

// Checkpoints lists the checkpoints, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Checkpoints(ctx context.Context, page docstore.Paging) (docstore.Page[Checkpoint], error) {
	list, err := s.book.Checkpoints.List(ctx, docstore.All().Between(s.config.Book+"/", s.config.Book+"0").Newest(), page)
	return list, book.PageFault("checkpoints", err)
}

// Tend does what nobody waits for: posts approved vouchers a crash left, finishes closing months, signs a checkpoint when
// one is due. Call it every few seconds.
func (s *Service) Tend(ctx context.Context) error {
	if err := s.tendVouchers(ctx); err != nil {
		return fmt.Errorf("tend: %w", err)
	}
	closing, err := s.periods.Find(ctx, docstore.By("closing").First(10))
	if err != nil {
		return fmt.Errorf("tend: %w", err)
	}
	for _, p := range closing.Items {
		if _, err := s.finishClose(ctx, p); err != nil {
			return fmt.Errorf("tend: close period: %w", err)
		}
	}
	return wrap("tend", s.tendCheckpoint(ctx))
}

// tendCheckpoint signs when the newest checkpoint is old enough. Until then nobody has to look: it can only become newer.
func (s *Service) tendCheckpoint(ctx context.Context) error {
	now := s.clock.Now()
	if len(s.config.Key) == 0 || now.UnixNano() < s.nextCheckpoint.Load() {
		return nil
	}
	last, err := s.book.NewestCheckpoint(ctx)
	if err != nil {
		return err
	}
	next := now.Add(min(s.config.CheckpointEvery, time.Minute)) // when there is nothing new to sign
	if last != nil && now.Sub(last.At) < s.config.CheckpointEvery {
		next = last.At.Add(s.config.CheckpointEvery)
	} else if _, err := s.SignCheckpoint(ctx); err != nil {
		return err
	}
	s.nextCheckpoint.Store(next.UnixNano())
	return nil
}
