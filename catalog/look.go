package catalog

import (
	"context"
	"slices"
	"sync"
	"time"

	"guanxi/internal/claim"
)

// snapshot is all buckets of a SKU as they were read.
type snapshot struct {
	buckets []*Bucket // in order of number; missing ones left out
	count   int       // how many buckets the SKU has
	free    int64
}

// look reads all buckets of a SKU; callers at the same time share the reading, so the answer is never older than the
// question.
func (s *Service) look(ctx context.Context, sku string) (*snapshot, error) {
	return s.looks.Do(ctx, sku, func(ctx context.Context) (*snapshot, error) {
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
	stocks, err := s.stocks.GetWhole(ctx, skus)
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
	buckets, err := s.buckets.GetWhole(ctx, ids)
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
func (p *snapshot) own(order string, m *Move) (good, void []Part) {
	for _, b := range p.buckets {
		for _, h := range b.Holds.Of(order) {
			part := Part{Bucket: b.Number, Units: h.Units, Mark: h.Mark}
			if _, decided := m.judge(h.Mark); decided {
				void = append(void, part)
				continue
			}
			good = append(good, part)
		}
	}
	return good, void
}

// room is how many units can be taken: those in buckets that are not full of holds.
func (p *snapshot) room() (units int64) {
	for _, b := range p.buckets {
		if !b.Holds.Full() {
			units += b.Free
		}
	}
	return units
}

// tidying lists buckets with holds that lapsed before the given time, or full of holds: some of them may be sold.
func (p *snapshot) tidying(before time.Time) []string {
	var ids []string
	for _, b := range p.buckets {
		if !b.Due.IsZero() && b.Due.Before(before) || b.Holds.Full() {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// candidates lists buckets to take units from: those that can serve the whole need, the order's home first,
// then the others by what they have.
func (p *snapshot) candidates(order string, need int64) []*Bucket {
	first := claim.Home(order, p.count)
	list := slices.DeleteFunc(slices.Clone(p.buckets), func(b *Bucket) bool { return b.Free <= 0 || b.Holds.Full() })
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
