package commission

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/internal/lane"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/lease"
)

// Sealing. One seal after the other goes through these steps; the bookmark (bookDoc) is moved between them. A process that
// dies anywhere leaves something the next SealOnce finishes, whichever process calls it:
//
//	insert seal n   its id elects the sealer: two that try the same number, one gets "exists" and starts over
//	fold            every purse touched takes the batch and remembers n; repeating is harmless
//	pages           full statement pages, ids derived
//	folded = n      only now may n+1 be inserted
//	clear           entries lose their unsealed mark and get the seal's number; put off to quiet moments
//	cleared = n
//
// Clearing costs as much as posting, so under load it waits, up to clearAge or maxUncleared entries. Until then the sealer
// knows the sealed but uncleared entries by the lists in those seals, and reads around them (see listing.go).
//
// Which process seals is a matter of speed: where there are several, the holder of the lease "sealer/<book>" does (Run), so
// that they do not read each other's work again. Whoever else calls CatchUp may seal in between; the seal's id decides.
const (
	maxUncleared = 1 << 17               // entries sealed but not cleared
	clearAge     = 30 * time.Second      // how long a seal waits to be cleared under load
	clearAtOnce  = 1                     // seals cleared in one go when a limit is reached
	maxRaces     = 100                   // lost elections in one call
	maxFresh     = 1 << 15               // entries kept in memory between posting and sealing
	farBehind    = 1 << 13               // of them, when posting begins to give way to the sealer
	longestWay   = 50 * time.Millisecond // how long one posting gives way
)

// sealer is what one process remembers between two calls of SealOnce; all of it can be read again from the store.
type sealer struct {
	fresh  fresh
	posted chan struct{}

	mu     sync.Mutex
	number int64                     // the newest seal whose entries are in known, and its hash
	hash   [sha256.Size]byte         // of seal number
	at     time.Time                 // when it was made: seals of one chain never go back in time
	known  map[string]int64          // sealed but uncleared entry → its seal
	waits  map[int64]clock.Stopwatch // uncleared seal → for how long we have known it
	tracks map[string]*lane.Track    // by lane: where known entries stand in the index
	turn   string                    // where the next listing begins
	looks  int                       // moves the gaps that are looked into
	looked clock.Stopwatch           // since the last listing of all lanes
	token  int64                     // of the lease; 0 = not held
}

func (s *sealer) wake() {
	select {
	case s.posted <- struct{}{}:
	default:
	}
}

// SealOnce finishes what an earlier sealer left, seals the next batch of unsealed entries and folds it into the purses. It
// returns how many entries it sealed; 0 when there was nothing to seal. Several processes may call it at the same time.
func (s *Service) SealOnce(ctx context.Context) (n int, err error) { return s.sealOnce(ctx, false) }

func (s *Service) sealOnce(ctx context.Context, thorough bool) (n int, err error) {
	s.sealer.mu.Lock()
	defer s.sealer.mu.Unlock()
	for range maxRaces {
		n, err := s.sealNext(ctx, thorough)
		if err == nil {
			return n, nil
		}
		s.sealer.fresh.lose()
		switch {
		case errors.Is(err, lease.ErrLost):
			s.lease.Lose(s.sealer.token) // another process seals now; what we began is finished by it, or here
			s.sealer.token = 0
		case !docstore.Exists(err) && !errors.Is(err, errEpoch):
			return 0, fmt.Errorf("seal: %w", err)
		}
	}
	return 0, fmt.Errorf("seal: %w", docstore.ErrContended)
}

func (s *Service) sealNext(ctx context.Context, thorough bool) (int, error) {
	book, err := s.finish(ctx)
	if err != nil {
		return 0, err
	}
	batch, err := s.nextBatch(ctx, thorough)
	if err != nil {
		return 0, err
	}
	if batch, err = s.ordered(ctx, batch); err != nil || len(batch) == 0 {
		return 0, err
	}
	return len(batch), s.seal(ctx, book, batch)
}

// finish folds the seals behind the bookmark and learns what others have sealed. There is at most one such seal, but
// for a rebuild, when it is all of them: see refold.
func (s *Service) finish(ctx context.Context) (*book.Bookmark, error) {
	for {
		book, err := s.book.Bookmark(ctx)
		if err != nil {
			return nil, err
		}
		if err := s.learn(ctx, book); err != nil {
			return nil, err
		}
		if book.Rebuilding() {
			if err := s.refold(ctx, book); err != nil && !errors.Is(err, errEpoch) {
				return nil, err
			}
			continue
		}
		next, err := s.book.LoadSeal(ctx, book.Folded+1)
		if err != nil || next == nil {
			return book, err
		}
		entries, err := s.book.EntriesOf(ctx, next)
		if err != nil {
			return nil, err
		}
		if err := s.fold(ctx, book.Epoch, next, entries); err != nil && !errors.Is(err, errEpoch) {
			return nil, err
		}
	}
}

// learn brings the memory up to the bookmark: forgets what others have cleared, reads what others have sealed.
func (s *Service) learn(ctx context.Context, mark *book.Bookmark) error {
	m := &s.sealer
	if m.known == nil || m.number > mark.Folded {
		m.known, m.waits, m.tracks = map[string]int64{}, map[int64]clock.Stopwatch{}, nil
		m.number, m.hash, m.at = 0, [sha256.Size]byte{}, time.Time{}
	}
	m.forget(mark.Cleared)
	if m.number == mark.Folded {
		return nil
	}
	m.fresh.lose() // somebody else sealed: what we remember may be in it
	for n := max(m.number, mark.Cleared) + 1; n <= mark.Folded; n++ {
		seal, err := s.book.LoadSeal(ctx, n)
		if err != nil {
			return err
		}
		if seal == nil {
			return fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, n, s.config.Book)
		}
		m.remember(seal)
	}
	if m.number < mark.Folded { // all of them are cleared: only the hash is needed
		seal, err := s.book.LoadSeal(ctx, mark.Folded)
		if err != nil {
			return err
		}
		if seal == nil {
			return fmt.Errorf("%w: seal %d of book %s is gone", book.ErrSeal, mark.Folded, s.config.Book)
		}
		m.number, m.hash, m.at = seal.Number, seal.Hash, seal.At
	}
	return nil
}

func (s *sealer) remember(seal *Seal) {
	for _, id := range seal.Entries {
		s.known[id] = seal.Number
	}
	s.waits[seal.Number] = clock.StartStopwatch()
	s.number, s.hash, s.at = seal.Number, seal.Hash, seal.At
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (s *sealer) forget(cleared int64) {
	before := len(s.waits)
	for n := range s.waits {
		if n <= cleared {
			delete(s.waits, n)
		}
	}
	if len(s.waits) == before {
		return
	}
	for name, track := range s.tracks {
		if !track.Drop(cleared) {
			delete(s.tracks, name)
		}
	}
	s.fresh.lose()
	for id, n := range s.known {
		if n <= cleared {
			delete(s.known, id)
		}
	}
}

// seal writes the next seal over the batch and folds it.
func (s *Service) seal(ctx context.Context, book *book.Bookmark, batch []unsealedEntry) error {
	seal := &Seal{Book: s.config.Book, Number: book.Folded + 1, At: later(s.clock.Now(), s.sealer.at), Prev: s.sealer.hash}
	entries := make([]*Entry, len(batch))
	for i, e := range batch {
		entries[i] = e.Entry
		seal.Entries = append(seal.Entries, e.ID)
		seal.Hashes = append(seal.Hashes, e.Hash)
	}
	seal.Hash = seal.Digest()
	if err := s.step("before seal"); err != nil {
		return err
	}
	if err := s.book.Seals.Insert(ctx, seal.Doc()); err != nil {
		return err
	}
	if err := s.step("sealed"); err != nil {
		return err
	}
	if err := s.fold(ctx, book.Epoch, seal, entries); err != nil {
		return err
	}
	s.sealer.remember(seal)
	for _, e := range batch {
		s.sealer.note(s.config.Book, e.key, seal.Number)
	}
	return s.relieve(ctx)
}

// relieve clears some seals when too many wait, or one for too long.
func (s *Service) relieve(ctx context.Context) error {
	longest := time.Duration(0)
	for _, since := range s.sealer.waits {
		longest = max(longest, since.Elapsed())
	}
	if len(s.sealer.known) <= maxUncleared && longest < clearAge {
		return nil
	}
	_, err := s.clear(ctx, clearAtOnce)
	return err
}
