package commission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

// errEpoch: the purses are being rebuilt since we looked at the bookmark.
var errEpoch = errors.New("commission: the purses were rebuilt in between")

// fold takes a seal into the purses and moves the bookmark.
func (s *Service) fold(ctx context.Context, epoch int64, seal *Seal, entries []*Entry) error {
	moves := book.Movements(entries)
	f := &folding{lines: make(map[string]int, len(moves)), take: func(p *book.PurseDoc) {
		p.Fold(s.config.Book, epoch, seal.Number, moves[p.ID])
	}}
	for member, m := range moves {
		f.lines[member] = m.Lines
	}
	if err := s.foldPurses(ctx, f); err != nil {
		return err
	}
	return s.folded(ctx, epoch, seal.Number)
}

// folded moves the bookmark.
func (s *Service) folded(ctx context.Context, epoch, number int64) error {
	if err := s.step("folded"); err != nil {
		return err
	}
	_, err := s.book.Books.Upsert(ctx, s.config.Book, func(b *book.Bookmark) error {
		if b.Epoch != epoch {
			return errEpoch
		}
		if token := s.sealer.token; token != 0 {
			if err := b.Admit(token); err != nil {
				return err
			}
		}
		b.Folded = max(b.Folded, number)
		return nil
	})
	if err != nil {
		return err
	}
	return s.step("bookmarked")
}

// folding is what purses take.
type folding struct {
	lines map[string]int       // by member: how many lines there are to take
	take  func(*book.PurseDoc) // repeatable
	again bool                 // most pages are there already
}

// foldPurses writes every purse once. The pages a busy purse fills are written before it, so that it need not carry their
// lines; they follow from the seals, so whoever comes after a crash finds just what would be written.
func (s *Service) foldPurses(ctx context.Context, f *folding) error {
	members, pages := slices.Sorted(maps.Keys(f.lines)), map[string]*book.PageDoc{}
	half := len(members) / 2
	for _, part := range [][]string{members[:half], members[half:]} {
		written, err := s.pagesFirst(ctx, part, f)
		if err != nil {
			return err
		}
		err = s.book.Purses.UpsertMany(ctx, part, func(p *book.PurseDoc) error {
			f.take(p)
			p.Shed(written)
			p.Spill(pages)
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.step("half folded"); err != nil {
			return err
		}
	}
	return s.writePages(ctx, pages, f.again)
}

// pagesFirst writes the pages that members with many lines fill, and gives them.
func (s *Service) pagesFirst(ctx context.Context, members []string, f *folding) (map[string]*book.PageDoc, error) {
	var busy []string
	for _, member := range members {
		if f.lines[member] >= book.PageLines {
			busy = append(busy, member)
		}
	}
	pages := map[string]*book.PageDoc{}
	purses, err := s.book.Purses.GetWhole(ctx, busy)
	if err != nil {
		return nil, err
	}
	for _, member := range busy {
		p := purses[member]
		if p == nil {
			p = &book.PurseDoc{Doc: docstore.Doc{ID: member}}
		}
		f.take(p)
		p.Spill(pages)
	}
	return pages, s.writePages(ctx, pages, f.again)
}

// writePages writes full pages. A page that exists was written by an interrupted sealer, or damaged before a rebuild;
// again says that most exist.
func (s *Service) writePages(ctx context.Context, pages map[string]*book.PageDoc, again bool) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(pages)), 500) {
		if !again {
			var err error
			if ids, err = s.newPages(ctx, pages, ids); err != nil {
				return err
			}
		}
		stored, err := s.book.Pages.GetMany(ctx, ids)
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return stored[id] != nil && stored[id].Lines == pages[id].Lines })
		err = s.book.Pages.UpsertMany(ctx, ids, func(p *book.PageDoc) error {
			p.Lines = pages[p.ID].Lines
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newPages inserts pages and gives the ids of those that exist.
func (s *Service) newPages(ctx context.Context, pages map[string]*book.PageDoc, ids []string) (exist []string, err error) {
	docs := make([]*book.PageDoc, len(ids))
	for i, id := range ids {
		docs[i] = pages[id]
	}
	for i, err := range s.book.Pages.InsertMany(ctx, docs) {
		switch {
		case docstore.Exists(err):
			exist = append(exist, ids[i])
		case err != nil:
			return nil, err
		}
	}
	return exist, nil
}

// clear writes the seal's number into the entries of the oldest uncleared seals, at most limit of them, and returns how
// many seals it did.
func (s *Service) clear(ctx context.Context, limit int) (n int, err error) {
	mark, err := s.book.Bookmark(ctx)
	if err != nil {
		return 0, err
	}
	for number := mark.Cleared + 1; number <= mark.Folded && n < limit; number++ {
		seal, err := s.book.LoadSeal(ctx, number)
		if err != nil {
			return n, err
		}
		if seal == nil {
			return n, fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, number, s.config.Book)
		}
		if err := s.clearSeal(ctx, seal); err != nil {
			return n, err
		}
		if err := s.step("cleared"); err != nil {
			return n, err
		}
		_, err = s.book.Books.Upsert(ctx, s.config.Book, func(b *book.Bookmark) error {
			b.Cleared = max(b.Cleared, number)
			return nil
		})
		if err != nil {
			return n, err
		}
		s.sealer.forget(number)
		n++
	}
	return n, nil
}

func (s *Service) clearSeal(ctx context.Context, seal *Seal) error {
	mark := func(d *book.EntryDoc) error {
		if d.Fresh() {
			return book.ErrGone
		}
		d.Unsealed, d.Seal, d.Rooted = "", seal.Number, false
		return nil
	}
	for ids := range slices.Chunk(seal.Entries, 500) {
		err := s.book.Entries.UpsertMany(ctx, ids, mark)
		if errors.Is(err, book.ErrGone) { // somebody deleted it behind our back: Verify names it, the rest goes on
			err = s.clearPresent(ctx, ids, mark)
		}
		if err != nil {
			return err
		}
		if err := s.step("half cleared"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) clearPresent(ctx context.Context, ids []string, mark func(*book.EntryDoc) error) error {
	present, err := s.book.Entries.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	return s.book.Entries.UpsertMany(ctx, slices.Sorted(maps.Keys(present)), mark)
}

// tidy clears one seal, when there is one to clear.
func (s *Service) tidy(ctx context.Context) (n int, err error) {
	s.sealer.mu.Lock()
	defer s.sealer.mu.Unlock()
	if n, err = s.clear(ctx, 1); err != nil {
		return n, fmt.Errorf("clear sealed entries: %w", err)
	}
	return n, nil
}

// CatchUp seals and folds until everything posted before the call, by whichever process, is in the purses.
func (s *Service) CatchUp(ctx context.Context) error {
	for {
		n, err := s.sealOnce(ctx, true)
		if err != nil || n == 0 {
			return err
		}
	}
}

// Tidy clears what CatchUp and SealOnce put off. Run does it by itself in quiet moments; measurements do not wait.
func (s *Service) Tidy(ctx context.Context) error {
	for {
		n, err := s.tidy(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}
