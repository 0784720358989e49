package commission

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"guanxi/internal/docstore"
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
// Clearing costs as much as posting, so under load it waits, up to maxUncleared entries. Until then the sealer knows the
// sealed but uncleared entries by the lists in those seals.
const (
	maxUncleared = 1 << 17               // entries sealed but not cleared
	clearAtOnce  = 1                     // seals cleared in one go when the limit is reached
	maxRaces     = 100                   // lost elections in one call
	maxFresh     = 1 << 15               // entries kept in memory between posting and sealing
	farBehind    = 1 << 13               // of them, when posting begins to give way to the sealer
	longestWay   = 50 * time.Millisecond // how long one posting gives way
	listPage     = 4096                  // unsealed entries read at once
	overlap      = 25 * time.Millisecond // how late other processes' postings may become visible under load
)

// sealer is what one process remembers between two calls of SealOnce; all of it can be read again from the store.
type sealer struct {
	flight flight
	fresh  fresh
	posted chan struct{}

	mu     sync.Mutex
	number int64             // the newest seal whose entries are in known, and its hash
	hash   [sha256.Size]byte // of seal number
	at     time.Time         // when it was made: seals of one chain never go back in time
	known  map[string]int64  // sealed but uncleared entry → its seal
	oldest map[int64]string  // uncleared seal → its smallest unsealed key
	since  string            // everything below this unsealed key has been looked at; "" = nothing
}

func (s *sealer) wake() {
	select {
	case s.posted <- struct{}{}:
	default:
	}
}

// SealOnce finishes what an earlier sealer left, seals the next batch of unsealed entries and folds it into the purses. It
// returns how many entries it sealed; 0 when there was nothing to seal. Several processes may call it at the same time.
func (s *Service) SealOnce(ctx context.Context) (n int, err error) {
	s.sealer.mu.Lock()
	defer s.sealer.mu.Unlock()
	for range maxRaces {
		book, err := s.finish(ctx)
		if err != nil {
			return 0, fmt.Errorf("seal: %w", err)
		}
		batch, reached, err := s.nextBatch(ctx)
		if err != nil {
			return 0, fmt.Errorf("seal: %w", err)
		}
		if len(batch) > 0 {
			err = s.seal(ctx, book, batch)
		}
		if docstore.Exists(err) || errors.Is(err, errEpoch) {
			continue
		}
		if err != nil {
			s.sealer.fresh.lose()
			return 0, fmt.Errorf("seal: %w", err)
		}
		s.sealer.since = reached
		return len(batch), nil
	}
	return 0, fmt.Errorf("seal: %w", docstore.ErrContended)
}

// finish folds the seals behind the bookmark and learns what others have sealed. There is at most one such seal, but
// for a rebuild, when it is all of them: see refold.
func (s *Service) finish(ctx context.Context) (*bookDoc, error) {
	for {
		book, err := s.bookmark(ctx)
		if err != nil {
			return nil, err
		}
		if err := s.learn(ctx, book); err != nil {
			return nil, err
		}
		if book.rebuilding() {
			if err := s.refold(ctx, book); err != nil && !errors.Is(err, errEpoch) {
				return nil, err
			}
			continue
		}
		next, err := s.loadSeal(ctx, book.Folded+1)
		if err != nil || next == nil {
			return book, err
		}
		entries, err := s.entriesOf(ctx, next)
		if err != nil {
			return nil, err
		}
		if err := s.fold(ctx, book.Epoch, next, entries); err != nil && !errors.Is(err, errEpoch) {
			return nil, err
		}
	}
}

func (s *Service) bookmark(ctx context.Context) (*bookDoc, error) {
	book, err := s.books.Get(ctx, s.config.Book)
	if missing(err) {
		return &bookDoc{}, nil
	}
	return book, err
}

func missing(err error) bool { return errors.Is(err, docstore.ErrNotFound) }

func (s *Service) loadSeal(ctx context.Context, number int64) (*Seal, error) {
	doc, err := s.seals.Get(ctx, sealID(s.config.Book, number))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSeal(doc)
}

// learn brings the memory up to the bookmark: forgets what others have cleared, reads what others have sealed.
func (s *Service) learn(ctx context.Context, book *bookDoc) error {
	m := &s.sealer
	if m.known == nil || m.number > book.Folded {
		m.known, m.oldest, m.number, m.hash, m.since = map[string]int64{}, map[int64]string{}, 0, [sha256.Size]byte{}, ""
		m.at = time.Time{}
	}
	m.forget(book.Cleared)
	if m.number == book.Folded {
		return nil
	}
	m.since = "" // somebody else sealed: look at everything again
	for n := max(m.number, book.Cleared) + 1; n <= book.Folded; n++ {
		seal, err := s.loadSeal(ctx, n)
		if err != nil {
			return err
		}
		if seal == nil {
			return fmt.Errorf("%w: seal %d of book %s is gone", errSeal, n, s.config.Book)
		}
		m.remember(seal, "")
	}
	if m.number < book.Folded { // all of them are cleared: only the hash is needed
		seal, err := s.loadSeal(ctx, book.Folded)
		if err != nil {
			return err
		}
		if seal == nil {
			return fmt.Errorf("%w: seal %d of book %s is gone", errSeal, book.Folded, s.config.Book)
		}
		m.number, m.hash, m.at = seal.Number, seal.Hash, seal.At
	}
	return nil
}

func (s *sealer) remember(seal *Seal, oldest string) {
	for _, id := range seal.Entries {
		s.known[id] = seal.Number
	}
	s.oldest[seal.Number], s.number, s.hash, s.at = oldest, seal.Number, seal.Hash, seal.At
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (s *sealer) forget(cleared int64) {
	if len(s.oldest) == 0 {
		return
	}
	before := len(s.oldest)
	for n := range s.oldest {
		if n <= cleared {
			delete(s.oldest, n)
		}
	}
	if len(s.oldest) == before {
		return
	}
	s.fresh.lose()
	for id, n := range s.known {
		if n <= cleared {
			delete(s.known, id)
		}
	}
}

// unsealedEntry is an entry that waits for its seal, with its key in the index.
type unsealedEntry struct {
	*Entry
	key string
}

// nextBatch takes what this process has just posted, when that is all there can be, or lists the store.
//
// The memory is trusted only while nothing else happened: after a failure, a seal of another process, a clearing or a
// listing that found more than one batch it is dropped (fresh.lose) and the store is asked again. An entry posted while
// the store was being listed may be in both; known tells.
func (s *Service) nextBatch(ctx context.Context) ([]unsealedEntry, string, error) {
	m := &s.sealer
	if m.since == "" {
		m.fresh.lose()
	}
	reached := unsealedAt(s.config.Book, m.flight.oldest(s.clock.Now()))
	batch, rest, all := m.fresh.take(s.config.SealBatch)
	batch = slices.DeleteFunc(batch, func(e unsealedEntry) bool { return m.known[e.ID] != 0 })
	if all && len(batch) > 0 {
		return batch, min(reached, rest), nil
	}
	batch, reached, err := s.unsealed(ctx)
	if err != nil || len(batch) == s.config.SealBatch {
		m.fresh.lose()
	}
	return batch, reached, err
}

// unsealed lists the next batch, oldest first, and tells from where to look the next time.
//
// Two stretches of the index are read. Before the oldest uncleared seal there is nothing but what somebody posted very
// late. From the place reached last time on there is what is new. What lies between has been looked at; should another
// process post into it after more than the overlap, its entry is found when the seals around it have been cleared.
func (s *Service) unsealed(ctx context.Context) (batch []unsealedEntry, reached string, err error) {
	m, prefix, now := &s.sealer, s.config.Book+"/", s.clock.Now()
	start, end := prefix, unsealedEnd(s.config.Book)
	seen := m.flight.oldest(now)
	if others := now.Add(-overlap); others.Before(seen) {
		seen = others
	}
	reached = unsealedAt(s.config.Book, seen)
	if len(m.known) > 0 && m.since != "" {
		start = m.since
		least := start
		for _, key := range m.oldest {
			least = min(least, key)
		}
		if least != "" {
			if batch, err = s.listUnsealed(ctx, batch, prefix, least); err != nil {
				return nil, "", err
			}
		}
	}
	if batch, err = s.listUnsealed(ctx, batch, start, end); err != nil {
		return nil, "", err
	}
	if len(batch) == s.config.SealBatch {
		reached = min(reached, batch[len(batch)-1].key)
	}
	return batch, reached, nil
}

func (s *Service) listUnsealed(ctx context.Context, batch []unsealedEntry, from, to string) ([]unsealedEntry, error) {
	q := docstore.By("unsealed").Between(from, to).First(min(s.config.SealBatch, listPage))
	for len(batch) < s.config.SealBatch {
		page, err := s.entries.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, doc := range page.Items {
			if _, sealed := s.sealer.known[doc.ID]; sealed || len(batch) == s.config.SealBatch {
				continue
			}
			e, err := parseEntry(doc)
			if err != nil {
				return nil, err
			}
			batch = append(batch, unsealedEntry{e, doc.Unsealed})
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	return batch, nil
}

// seal writes the next seal over the batch and folds it.
func (s *Service) seal(ctx context.Context, book *bookDoc, batch []unsealedEntry) error {
	seal := &Seal{Book: s.config.Book, Number: book.Folded + 1, At: later(s.clock.Now(), s.sealer.at), Prev: s.sealer.hash}
	entries := make([]*Entry, len(batch))
	least := batch[0].key
	for i, e := range batch {
		entries[i], least = e.Entry, min(least, e.key)
		seal.Entries = append(seal.Entries, e.ID)
		seal.Hashes = append(seal.Hashes, e.Hash)
	}
	seal.Hash = seal.digest()
	if err := s.step("before seal"); err != nil {
		return err
	}
	if err := s.seals.Insert(ctx, seal.doc()); err != nil {
		return err
	}
	if err := s.step("sealed"); err != nil {
		return err
	}
	if err := s.fold(ctx, book.Epoch, seal, entries); err != nil {
		return err
	}
	s.sealer.remember(seal, least)
	return s.relieve(ctx)
}

// relieve clears some seals when too many wait.
func (s *Service) relieve(ctx context.Context) error {
	if len(s.sealer.known) <= maxUncleared {
		return nil
	}
	_, err := s.clear(ctx, clearAtOnce)
	return err
}
