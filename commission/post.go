package commission

import (
	"context"
	"fmt"
	"sync"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/internal/lane"
	"guanxi/internal/docstore"
)

// post writes one entry. The same entry again is a success, another one under the same id ErrEntryConflict.
func (s *Service) post(ctx context.Context, e *Entry) error {
	return s.postMany(ctx, []*Entry{e})[0]
}

// postMany writes entries with one grouped write and answers each by itself.
func (s *Service) postMany(ctx context.Context, entries []*Entry) []error {
	s.sealer.fresh.giveWay(ctx)
	since := s.sealer.fresh.since()
	docs, numbers := make([]*book.EntryDoc, len(entries)), s.lane.Take(len(entries))
	for i, e := range entries {
		e.Book = s.config.Book
		e.Unsealed = lane.Key(e.Book, s.lane.Name(), numbers[i])
		docs[i] = e.Doc(e.Unsealed)
	}
	results := s.book.Entries.InsertMany(ctx, docs)
	for i, err := range results {
		switch {
		case err == nil && s.config.Alone:
			s.sealer.fresh.add(unsealedEntry{entries[i], entries[i].Unsealed}, since)
		case docstore.Exists(err):
			s.lane.Return(numbers[i])
			results[i] = s.compare(ctx, entries[i])
		case err != nil: // it may be there all the same, now or later
			s.sealer.fresh.lose()
		}
	}
	s.sealer.wake()
	return results
}

// compare tells a repeated posting from a contradicting one.
func (s *Service) compare(ctx context.Context, e *Entry) error {
	stored, err := s.book.Entries.Get(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("post %s: %w", e.ID, err)
	}
	if stored.Unsealed != "" { // perhaps it came after its poster was told that nobody knows
		s.sealer.fresh.lose()
	}
	return same(stored, e)
}

// fresh keeps what this process has posted until the sealer takes it.
type fresh struct {
	mu      sync.Mutex
	entries []unsealedEntry
	lost    bool          // something that was posted is not in here
	losses  int           // how often it was lost
	sealing bool          // Run is at work: somebody takes
	taken   chan struct{} // closed by the next take; nil when nobody waits for it
}

// giveWay slows posting down while the sealer is far behind, so that purses are never long out of date. A posting
// waits a moment at most.
func (f *fresh) giveWay(ctx context.Context) {
	f.mu.Lock()
	if !f.sealing || !f.lost && len(f.entries) < farBehind {
		f.mu.Unlock()
		return
	}
	if f.taken == nil {
		f.taken = make(chan struct{})
	}
	taken := f.taken
	f.mu.Unlock()
	timer := time.NewTimer(longestWay)
	defer timer.Stop()
	select {
	case <-taken:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (f *fresh) run(sealing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sealing = sealing
}

func (f *fresh) since() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.losses
}

// add keeps an entry whose posting began at since. When the memory was lost after that, the entry may have been listed,
// sealed and even cleared before its poster comes here: then it must not be sealed from memory.
func (f *fresh) add(e unsealedEntry, since int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost = f.lost || since != f.losses || len(f.entries) >= maxFresh; f.lost {
		f.entries = nil
		return
	}
	f.entries = append(f.entries, e)
}

func (f *fresh) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries, f.lost = nil, true
	f.losses++
}

// take gives the oldest entries, at most limit. When all is false some are missing: the store has to be listed, and what is
// posted from now on is complete again.
func (f *fresh) take(limit int) (batch []unsealedEntry, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, f.lost = !f.lost, false
	if f.taken != nil {
		close(f.taken)
		f.taken = nil
	}
	n := min(limit, len(f.entries))
	batch, f.entries = f.entries[:n:n], f.entries[n:]
	return batch, all
}
