package docstoretest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/internal/docstore"
)

var errSoldOut = errors.New("sold out")

func (s suite) combining(t *testing.T) {
	if s.caps.Serial {
		t.Skip("writes of several callers are not atomic here")
	}
	t.Run("64 callers, one document: nothing lost, nobody told a lie", func(t *testing.T) {
		store, _, _ := s.store(t)
		s.rush(t, parcels(t, store))
	})
	t.Run("two stores over one driver: versions keep them apart", func(t *testing.T) {
		store, driver, moment := s.store(t)
		other, err := docstore.New(docstore.Config{Driver: driver, Clock: moment, Keys: Keys(t)})
		if err != nil {
			t.Fatal(err)
		}
		s.rush(t, parcels(t, store), parcels(t, other))
	})
	t.Run("many upsert one missing document: one is fresh", func(t *testing.T) { s.birth(t) })
	t.Run("one caller's taken value does not fail the others", func(t *testing.T) { s.innocent(t) })
	t.Run("concurrent inserts of one id: one wins", func(t *testing.T) {
		store, _, _ := s.store(t)
		c := parcels(t, store)
		var won atomic.Int64
		together(s.size(64), func(int) {
			if err := c.Insert(t.Context(), newParcel("one", "x", 1)); err == nil {
				won.Add(1)
			} else if !docstore.Exists(err) {
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Fatal(won.Load(), "won")
		}
	})
}

// together runs do in n goroutines that start at once.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

// rush sells 100 units one by one to more callers than that, with panics and giving back in between.
func (s suite) rush(t *testing.T, sides ...*docstore.Collection[parcel]) {
	ctx := t.Context()
	units, rounds := int64(s.size(100)), 6
	put(t, sides[0], newParcel("stock", "x", units))
	var sold, refused, returned atomic.Int64
	together(64, func(i int) {
		c := sides[i%len(sides)]
		for round := range rounds {
			key := fmt.Sprintf("%d/%d", i, round)
			got, err := c.Update(ctx, "stock", func(p *parcel) error { return buy(p, key, i+round) })
			switch {
			case err == nil:
				sold.Add(1)
				if !slices.Contains(got.Notes, key) {
					t.Error("told sold, but is not in the document it was given:", key)
				}
			case errors.Is(err, errSoldOut):
				refused.Add(1)
			case errors.Is(err, docstore.ErrContended):
			case (i+round)%7 == 0: // the panic
			default:
				t.Error(err)
			}
			if err == nil && round%3 == 2 {
				if _, err := c.Update(ctx, "stock", func(p *parcel) error { giveBack(p, key); return nil }); err == nil {
					returned.Add(1)
				}
			}
		}
	})
	got, err := sides[0].Get(ctx, "stock")
	if err != nil {
		t.Fatal(err)
	}
	if got.Weight < 0 || got.Weight+int64(len(got.Notes)) != units || int64(len(got.Notes)) != sold.Load()-returned.Load() {
		t.Fatalf("%d free, %d in the book, %d sold, %d returned", got.Weight, len(got.Notes), sold.Load(), returned.Load())
	}
	if refused.Load() > 0 && got.Weight > 0 && returned.Load() == 0 {
		t.Fatal("somebody was told sold out while units were free")
	}
}

func buy(p *parcel, key string, dice int) error {
	if slices.Contains(p.Notes, key) {
		return nil
	}
	p.Weight--
	p.Notes = append(p.Notes, key)
	p.Emit("parcel.Bought", moved{key})
	if dice%7 == 0 {
		panic("in the middle of it")
	}
	if p.Weight < 0 {
		return errSoldOut
	}
	return nil
}

func giveBack(p *parcel, key string) {
	if i := slices.Index(p.Notes, key); i >= 0 {
		p.Notes = slices.Delete(p.Notes, i, i+1)
		p.Weight++
	}
}

func (s suite) birth(t *testing.T) {
	store, _, _ := s.store(t)
	c := parcels(t, store)
	n := s.size(64)
	together(n, func(i int) {
		_, err := c.Upsert(t.Context(), "child", func(p *parcel) error {
			if p.Fresh() != (p.Version == 0) {
				t.Error("fresh is not version 0")
			}
			p.Town = "x"
			p.Notes = append(p.Notes, fmt.Sprint(i))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	got, err := c.Get(t.Context(), "child")
	if err != nil || len(got.Notes) != n {
		t.Fatal(len(got.Notes), err)
	}
}

func (s suite) innocent(t *testing.T) {
	if s.caps.LooseUpdate {
		t.Skip("a unique violation on an update is not recognised here")
	}
	store, _, _ := s.store(t)
	c := parcels(t, store)
	holder := newParcel("holder", "x", 1)
	holder.Code = "taken"
	put(t, c, holder, newParcel("shared", "x", 0))
	n := s.size(64)
	together(n, func(i int) {
		_, err := c.Update(t.Context(), "shared", func(p *parcel) error {
			p.Weight++
			if i%8 == 0 {
				p.Code = "taken"
			}
			return nil
		})
		if docstore.Exists(err) != (i%8 == 0) {
			t.Errorf("caller %d: %v", i, err)
		}
	})
	got, err := c.Get(t.Context(), "shared")
	if err != nil || got.Weight != int64(n-(n+7)/8) {
		t.Fatal(got.Weight, err)
	}
}
