package catalog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// looks lets concurrent callers share one reading of the store: everybody is answered by a reading that began
// after they asked, so what they are told was true while they waited. This, not a cache, is what makes sold-out
// answers cheap.
type looks struct {
	mu      sync.Mutex
	running map[string]*rounds
}

type rounds struct{ now, next *look }

// look is one reading. Its snapshot is shared and must not be changed.
type look struct {
	done     chan struct{}
	snapshot *snapshot
	err      error
}

// snapshot is all buckets of a SKU as they were read.
type snapshot struct {
	buckets []*Bucket // in order of number; missing ones left out
	count   int       // how many buckets the SKU has
	free    int64
}

var errLookDied = errors.New("catalog: the shared reading of the stock died")

func newLooks() *looks { return &looks{running: map[string]*rounds{}} }

func (l *looks) do(ctx context.Context, key string, read func() (*snapshot, error)) (*snapshot, error) {
	l.mu.Lock()
	r := l.running[key]
	if r == nil {
		r = &rounds{now: &look{done: make(chan struct{})}}
		l.running[key] = r
		l.mu.Unlock()
		return l.lead(key, r, r.now, read)
	}
	if mine := r.next; mine != nil {
		l.mu.Unlock()
		select {
		case <-mine.done:
			return mine.snapshot, mine.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	mine, before := &look{done: make(chan struct{})}, r.now
	r.next = mine
	l.mu.Unlock()
	<-before.done // bounded by the store's own patience; others count on this reading
	return l.lead(key, r, mine, read)
}

func (l *looks) lead(key string, r *rounds, mine *look, read func() (*snapshot, error)) (*snapshot, error) {
	defer func() {
		l.mu.Lock()
		if r.next == nil {
			delete(l.running, key)
		} else {
			r.now, r.next = r.next, nil
		}
		l.mu.Unlock()
		close(mine.done)
	}()
	mine.err = errLookDied // what the others hear should read panic
	mine.snapshot, mine.err = read()
	return mine.snapshot, mine.err
}

// look reads all buckets of a SKU.
func (s *Service) look(ctx context.Context, sku string) (*snapshot, error) {
	return s.looks.do(ctx, sku, func() (*snapshot, error) {
		// Others wait for this reading: the first caller's going away must not end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		found, err := s.snapshots(ctx, []string{sku})
		if err != nil {
			return nil, err
		}
		s.hints.learn(sku, found[sku].count, s.clock.Now())
		return found[sku], nil
	})
}

// snapshots reads the buckets of several SKUs with two reads of the store.
func (s *Service) snapshots(ctx context.Context, skus []string) (map[string]*snapshot, error) {
	stocks, err := s.stocks.GetMany(ctx, skus)
	if err != nil {
		return nil, err
	}
	out, ids := make(map[string]*snapshot, len(skus)), make([]string, 0, 8*len(skus))
	for _, sku := range skus {
		out[sku] = &snapshot{}
		if stock := stocks[sku]; stock != nil {
			out[sku].count = stock.Buckets
			for n := range stock.Buckets {
				ids = append(ids, bucketID(sku, n))
			}
		}
	}
	buckets, err := s.buckets.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, one := range ids {
		if b := buckets[one]; b != nil {
			snap := out[b.SKU]
			snap.buckets, snap.free = append(snap.buckets, b), snap.free+b.Free
		}
	}
	return out, nil
}

// own lists an order's holds; void are those the move has given back already.
func (p *snapshot) own(order string, m *Move) (good, void []Part, until time.Time) {
	for _, b := range p.buckets {
		for _, h := range b.Holds.of(order) {
			part := Part{Bucket: b.Number, Units: h.Units, Mark: h.Mark}
			if _, decided := m.judge(h.Mark); decided {
				void = append(void, part)
				continue
			}
			good = append(good, part)
			if until.IsZero() || h.Until.Before(until) {
				until = h.Until
			}
		}
	}
	return good, void, until
}

// overdue lists buckets with holds that lapsed before the given time.
func (p *snapshot) overdue(before time.Time) []string {
	var ids []string
	for _, b := range p.buckets {
		if !b.Due.IsZero() && b.Due.Before(before) {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// candidates lists buckets to take units from: those that can serve the whole need, the order's home first,
// then the others by what they have.
func (p *snapshot) candidates(order string, need int64) []*Bucket {
	first := home(order, p.count)
	list := slices.DeleteFunc(slices.Clone(p.buckets), func(b *Bucket) bool { return b.Free <= 0 })
	rank := func(b *Bucket) int {
		if b.Free < need {
			return p.count
		}
		return (b.Number - first + p.count) % p.count
	}
	slices.SortStableFunc(list, func(a, b *Bucket) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return int(min(b.Free, maxUnits) - min(a.Free, maxUnits))
	})
	return list
}

func sum(parts []Part) (units int64) {
	for _, p := range parts {
		units += p.Units
	}
	return units
}

// hints remembers for a moment how many buckets a SKU has and that it was short. A wrong hint costs a detour and
// never decides anything: a stale count only changes which bucket is asked first, and shortness is always
// looked up in the store.
type hints struct {
	mu   sync.Mutex
	skus map[string]hint
}

type hint struct {
	buckets int
	short   time.Time // until then ask for the whole picture at once
	learned time.Time
}

const (
	hintLife = time.Second
	maxHints = 4096
)

func newHints() *hints { return &hints{skus: map[string]hint{}} }

func (h *hints) get(sku string, now time.Time) (buckets int, short, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, ok := h.skus[sku]
	return one.buckets, now.Before(one.short), ok && now.Sub(one.learned) < hintLife
}

func (h *hints) learn(sku string, buckets int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.skus) >= maxHints {
		clear(h.skus)
	}
	one := h.skus[sku]
	one.buckets, one.learned = buckets, now
	h.skus[sku] = one
}

func (h *hints) short(sku string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one, ok := h.skus[sku]; ok {
		one.short = until
		h.skus[sku] = one
	}
}
