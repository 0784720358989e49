package commission

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"guanxi/internal/docstore"
)

// post writes one entry. The same entry again is a success, another one under the same id ErrEntryConflict.
func (s *Service) post(ctx context.Context, e *Entry) error {
	return s.postMany(ctx, []*Entry{e})[0]
}

// postMany writes entries with one grouped write and answers each by itself.
func (s *Service) postMany(ctx context.Context, entries []*Entry) []error {
	s.sealer.fresh.giveWay(ctx)
	now := s.clock.Now()
	s.sealer.flight.begin(now)
	defer s.sealer.flight.end(now)
	docs := make([]*entryDoc, len(entries))
	for i, e := range entries {
		e.Book = s.config.Book
		e.unsealed = e.turn(now)
		docs[i] = e.doc(e.unsealed)
	}
	results := s.entries.InsertMany(ctx, docs)
	for i, err := range results {
		switch {
		case err == nil && s.config.Alone:
			s.sealer.fresh.add(unsealedEntry{entries[i], entries[i].unsealed})
		case docstore.Exists(err):
			results[i] = s.compare(ctx, entries[i])
		case err != nil: // it may be there all the same
			s.sealer.fresh.lose()
		}
	}
	s.sealer.wake()
	return results
}

func (e *Entry) doc(unsealed string) *entryDoc {
	text := e.text()
	e.Hash = hashOf(e.ID, text)
	return &entryDoc{Doc: docstore.Doc{ID: e.ID}, Text: text, Hash: e.Hash[:], Unsealed: unsealed}
}

// compare tells a repeated posting from a contradicting one.
func (s *Service) compare(ctx context.Context, e *Entry) error {
	stored, err := s.entries.Get(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("post %s: %w", e.ID, err)
	}
	return same(stored, e)
}

// entry loads one entry, or nil when there is none.
func (s *Service) entry(ctx context.Context, id string) (*Entry, error) {
	doc, err := s.entries.Get(ctx, id)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseEntry(doc)
}

// unsealedAt is the key of the unsealed index: entries of one book, oldest first.
func unsealedAt(book string, at time.Time) string {
	return book + "/" + strconv.FormatInt(1e14+at.UnixMilli(), 10)
}

// turn is the entry's key in the unsealed index. What follows from an entry is sealed behind it, also within one
// millisecond, and when the clock of the process that posted the first is ahead of ours.
func (e *Entry) turn(now time.Time) string {
	at := unsealedAt(e.Book, now)
	if len(e.after) > len(at) {
		at = max(at, e.after[:len(at)])
	}
	return at + turns[e.Kind]
}

// turns orders the kinds that follow from each other; all others stand first.
var turns = map[Kind]string{Withdraw: "a", Confirm: "b", Fail: "b", TaxWithheld: "c", Return: "d"}

func unsealedEnd(book string) string { return book + "0" } // "0" follows "/"

// flight knows the moments of the postings this process is writing right now: what was posted before the oldest of
// them is already visible.
type flight struct {
	mu    sync.Mutex
	since map[int64]int // milliseconds → number of postings
}

func (f *flight) begin(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since == nil {
		f.since = map[int64]int{}
	}
	f.since[at.UnixMilli()]++
}

func (f *flight) end(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since[at.UnixMilli()]--; f.since[at.UnixMilli()] == 0 {
		delete(f.since, at.UnixMilli())
	}
}

// oldest is the moment before which nothing of ours is under way.
func (f *flight) oldest(now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	least := now.UnixMilli()
	for at := range f.since {
		least = min(least, at)
	}
	return time.UnixMilli(least).UTC()
}

// fresh keeps what this process has posted until the sealer takes it.
type fresh struct {
	mu      sync.Mutex
	entries []unsealedEntry
	lost    bool          // something that was posted is not in here
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

func (f *fresh) add(e unsealedEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost = f.lost || len(f.entries) >= maxFresh; f.lost {
		f.entries = nil
		return
	}
	f.entries = append(f.entries, e)
}

func (f *fresh) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries, f.lost = nil, true
}

// take gives the oldest entries, at most limit, and the smallest key among the others. When all is false some are
// missing: the store has to be listed, and what is posted from now on is complete again.
func (f *fresh) take(limit int) (batch []unsealedEntry, rest string, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, f.lost = !f.lost, false
	if f.taken != nil {
		close(f.taken)
		f.taken = nil
	}
	n := min(limit, len(f.entries))
	batch, f.entries = f.entries[:n:n], f.entries[n:]
	rest = "~" // behind every key
	for i := range f.entries {
		rest = min(rest, f.entries[i].key)
	}
	return batch, rest, all
}
