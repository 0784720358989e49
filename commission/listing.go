package commission

import (
	"context"
	"slices"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/internal/lane"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const (
	listPage  = 4096        // unsealed entries read at once
	innerGaps = 16          // gaps within one lane looked into at once; the others have their turn the next time
	lookEvery = time.Second // how often the other lanes are looked at while this one is busy
)

// unsealedEntry is an entry that waits for its seal, with its key in the index.
type unsealedEntry struct {
	*Entry
	key string
}

// listing is one look at the store for what waits.
type listing struct {
	*Service
	batch    []unsealedEntry
	skip     string // a lane not to look at
	thorough bool   // every gap, so that nothing posted before is missed
}

// nextBatch takes what this process has just posted, when that is all there can be in its lane, and lists the store for the
// rest, at least now and then.
//
// The memory is trusted only while nothing else happened: after a failure, a seal of another process, a clearing or a
// listing that found more than one batch it is dropped (fresh.lose) and the store is asked again. An entry posted while
// the store was being listed may be in both; known tells.
func (s *Service) nextBatch(ctx context.Context, thorough bool) (batch []unsealedEntry, err error) {
	m := &s.sealer
	batch, all := m.fresh.take(s.config.SealBatch)
	batch = slices.DeleteFunc(batch, func(e unsealedEntry) bool { return m.known[e.ID] != 0 })
	l := listing{Service: s, thorough: thorough}
	if all && len(batch) > 0 {
		if len(batch) == s.config.SealBatch || m.looked.Elapsed() < lookEvery {
			return batch, nil
		}
		l.batch, l.skip = batch, s.lane.Name()
	}
	if err = l.look(ctx); err != nil || len(l.batch) == s.config.SealBatch {
		m.fresh.lose()
	}
	return l.batch, err
}

// look goes through the lanes, from where the last full batch ended, so that a busy one does not keep the others waiting.
func (l *listing) look(ctx context.Context) error {
	m := &l.sealer
	begin, end := l.config.Book+"/", book.UnsealedEnd(l.config.Book)
	if m.turn == "" {
		m.turn = begin
	}
	for _, part := range [][2]string{{m.turn, end}, {begin, m.turn}} {
		for from := part[0]; from < part[1]; {
			next, err := l.lane(ctx, from, part[1])
			if err != nil {
				return err
			}
			if from = next; len(l.batch) == l.config.SealBatch {
				m.turn = next
				return nil
			}
		}
	}
	m.looked = clock.StartStopwatch()
	return nil
}

// lane lists the first lane in a stretch of the index, and gives the place behind it.
func (l *listing) lane(ctx context.Context, from, to string) (behind string, err error) {
	page, err := l.book.Entries.Find(ctx, docstore.By("unsealed").Between(from, to).First(1))
	if err != nil || len(page.Items) == 0 {
		return to, err
	}
	book := l.config.Book
	name, _, ok := lane.Parse(book, page.Items[0].Unsealed)
	if !ok { // posted by a version that had no lanes
		behind = lane.First(book)
		if from >= behind {
			behind = to
		}
		return behind, l.list(ctx, from, behind)
	}
	behind = lane.Behind(book, name)
	if name == l.skip {
		return behind, nil
	}
	track := l.sealer.track(name)
	gaps := slices.Clone(track.Gaps())
	inner := len(gaps) - 2
	for i, gap := range gaps {
		if 0 < i && i <= inner && !l.thorough && (i+l.sealer.looks)%inner >= innerGaps {
			continue
		}
		end := behind
		if gap.To != lane.Last {
			end = lane.Key(book, name, gap.To+1)
		}
		if err := l.list(ctx, lane.Key(book, name, gap.From), end); err != nil {
			return behind, err
		}
	}
	l.sealer.looks += innerGaps
	return behind, nil
}

// list reads a stretch of the index. What others have sealed is only noted, so that it is not read again.
func (l *listing) list(ctx context.Context, from, to string) error {
	m := &l.sealer
	q := docstore.By("unsealed").Between(from, to).First(min(l.config.SealBatch, listPage))
	for len(l.batch) < l.config.SealBatch {
		page, err := l.book.Entries.Find(ctx, q)
		if err != nil {
			return err
		}
		for _, doc := range page.Items {
			if seal, sealed := m.known[doc.ID]; sealed {
				m.note(l.config.Book, doc.Unsealed, seal)
				continue
			}
			if len(l.batch) == l.config.SealBatch {
				break
			}
			e, err := book.ParseEntry(doc)
			if err != nil {
				return err
			}
			l.batch = append(l.batch, unsealedEntry{e, doc.Unsealed})
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	return nil
}

// track is what has been read of a lane.
func (s *sealer) track(name string) *lane.Track {
	if s.tracks == nil {
		s.tracks = map[string]*lane.Track{}
	}
	if s.tracks[name] == nil {
		s.tracks[name] = &lane.Track{}
	}
	return s.tracks[name]
}

// note remembers that what stands at a key of the index is sealed.
func (s *sealer) note(book, key string, seal int64) {
	if name, n, ok := lane.Parse(book, key); ok {
		s.track(name).Add(seal, n)
	}
}

// ordered puts a batch in an order in which nothing stands before what it follows from, whatever the clocks and the speed of
// the processes that posted it. What the batch follows from and is not sealed yet joins it: neither the memory nor a listing
// can tell that it is not there, for it may have come late, or into a lane that was passed. Only what is sealed never comes
// again: what is known, and what was sealed when the entry was posted.
func (s *Service) ordered(ctx context.Context, batch []unsealedEntry) ([]unsealedEntry, error) {
	o := ordering{at: make(map[string]int), batch: batch}
	if !slices.ContainsFunc(batch, func(e unsealedEntry) bool { return !e.Rooted && e.Follows() != nil }) {
		return batch, nil
	}
	for i, e := range batch {
		o.at[e.ID] = i
	}
	for looked := 0; looked < len(o.batch); {
		want := o.wanted(looked, s.sealer.known)
		looked = len(o.batch)
		docs, err := s.book.Entries.GetMany(ctx, want)
		if err != nil {
			return nil, err
		}
		for _, id := range want {
			if doc := docs[id]; doc != nil && doc.Unsealed != "" {
				e, err := book.ParseEntry(doc)
				if err != nil {
					return nil, err
				}
				o.at[id] = len(o.batch)
				o.batch = append(o.batch, unsealedEntry{e, doc.Unsealed})
			}
		}
	}
	o.placed = make([]bool, len(o.batch))
	for i := range o.batch {
		o.place(i)
	}
	if len(o.out) > s.config.SealBatch { // the first ones need none of the last
		o.out = o.out[:s.config.SealBatch]
		s.sealer.fresh.lose()
	}
	return o.out, nil
}

type ordering struct {
	batch, out []unsealedEntry
	at         map[string]int
	placed     []bool
}

// wanted lists what entries of the batch, from … on, follow from and nobody has seen sealed.
func (o *ordering) wanted(from int, known map[string]int64) (ids []string) {
	asked := map[string]bool{}
	for _, e := range o.batch[from:] {
		if e.Rooted {
			continue
		}
		for _, id := range e.Follows() {
			if _, here := o.at[id]; !here && known[id] == 0 && !asked[id] {
				asked[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (o *ordering) place(i int) {
	if o.placed[i] {
		return
	}
	o.placed[i] = true
	for _, id := range o.batch[i].Follows() {
		if before, here := o.at[id]; here {
			o.place(before)
		}
	}
	o.out = append(o.out, o.batch[i])
}
