package docstoretest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

func (s suite) flaky(t *testing.T) (*Flaky, *docstore.Collection[parcel], *ear) {
	t.Helper()
	f := NewFlaky(s.open(t))
	store := StoreOn(t, f, clock.NewManual(noon()))
	listener := new(ear)
	store.OnCommitted(listener.listen)
	return f, parcels(t, store), listener
}

// once gives a mishap to the next write only.
func once(m Mishap) func(docstore.Op) Mishap {
	var done atomic.Bool
	return func(docstore.Op) Mishap {
		if done.Swap(true) {
			return Fine
		}
		return m
	}
}

func (s suite) badLuck(t *testing.T) {
	ctx := t.Context()
	add := func(p *parcel) error { p.Town, p.Weight = "x", p.Weight+1; p.Emit("parcel.Added", moved{}); return nil }
	t.Run("a lost reply is found out, for every kind of write", func(t *testing.T) {
		f, c, listener := s.flaky(t)
		f.Next = once(ReplyLost)
		put(t, c, newParcel("a", "x", 1))
		f.Next = once(ReplyLost)
		got, err := c.Update(ctx, "a", add)
		if err != nil || got.Weight != 2 || got.Version != 2 || len(listener.take()) != 1 {
			t.Fatal(got, err)
		}
		f.Next = once(ReplyLost)
		if got, err = c.Upsert(ctx, "b", add); err != nil || got.Weight != 1 {
			t.Fatal(got, err)
		}
		f.Next = once(ReplyLost)
		if err = c.UpsertMany(ctx, []string{"a", "b"}, add); err != nil {
			t.Fatal(err)
		}
		if got, err = c.Get(ctx, "a"); err != nil || got.Weight != 3 {
			t.Fatal(got, err)
		}
	})
	t.Run("a lost request is repeated once, not twice", func(t *testing.T) {
		f, c, listener := s.flaky(t)
		put(t, c, newParcel("a", "x", 1))
		f.Next = once(AskedLost)
		got, err := c.Update(ctx, "a", add)
		if err != nil || got.Weight != 2 || len(listener.take()) != 1 {
			t.Fatal(got, err)
		}
	})
	t.Run("an insert that nobody can find is unclear, and can be repeated", func(t *testing.T) {
		f, c, _ := s.flaky(t)
		f.Next = once(AskedLost)
		wantErr(t, c.Insert(ctx, newParcel("a", "x", 1)), docstore.ErrUnclear)
		put(t, c, newParcel("a", "x", 1))
	})
	s.worse(t, add)
}

func (s suite) worse(t *testing.T, add func(*parcel) error) {
	ctx := t.Context()
	t.Run("a refused write changes nothing", func(t *testing.T) {
		f, c, listener := s.flaky(t)
		put(t, c, newParcel("a", "x", 1))
		f.Next = once(Refused)
		_, err := c.Update(ctx, "a", add)
		wantErr(t, err, docstore.ErrUnavailable)
		if got, err := c.Get(ctx, "a"); err != nil || got.Weight != 1 || len(listener.take()) != 0 {
			t.Fatal(got, err)
		}
	})
	t.Run("a write that lands late is recognised", func(t *testing.T) { s.late(t) })
	t.Run("somebody always writes in between: contended, and nothing happened", func(t *testing.T) {
		f, c, _ := s.flaky(t)
		put(t, c, newParcel("a", "x", 1))
		inner := StoreOn(t, noClose{f.Driver}, clock.NewManual(noon()))
		other := parcels(t, inner)
		f.Before = func(docstore.Op) {
			if _, err := other.Update(ctx, "a", func(p *parcel) error { p.Weight += 100; return nil }); err != nil {
				t.Error(err)
			}
		}
		_, err := c.Update(ctx, "a", add)
		wantErr(t, err, docstore.ErrContended)
		if got, err := c.Get(ctx, "a"); err != nil || got.Weight%100 != 1 {
			t.Fatal(got, err)
		}
	})
	t.Run("a server that is away is a clear error, and forgotten when it is back", func(t *testing.T) { s.away(t) })
	t.Run("under all mishaps at once every answer is true", func(t *testing.T) { s.storm(t) })
}

// noClose keeps a shared driver open.
type noClose struct{ docstore.Driver }

func (noClose) Close() error { return nil }

// late: the write is on its way while we look, find nothing, and try again.
func (s suite) late(t *testing.T) {
	ctx := t.Context()
	f, c, listener := s.flaky(t)
	put(t, c, newParcel("a", "x", 1))
	f.Next = once(Late)
	var writes atomic.Int64
	f.Before = func(docstore.Op) {
		if writes.Add(1) == 2 { // between the second round's load and its write
			if landed, err := f.Land(ctx); err != nil || landed != 1 {
				t.Error(landed, err)
			}
		}
	}
	got, err := c.Update(ctx, "a", func(p *parcel) error { p.Weight++; p.Emit("parcel.Added", moved{}); return nil })
	if err != nil || got.Weight != 2 || got.Version != 2 {
		t.Fatalf("applied on top of its own effect: %+v %v", got, err)
	}
	if heard := listener.take(); len(heard) != 1 {
		t.Fatal(heard)
	}
}

func (s suite) away(t *testing.T) {
	ctx := t.Context()
	driver := s.open(t)
	f := NewFlaky(driver)
	store := StoreOn(t, f, clock.NewManual(noon()))
	c := parcels(t, store)
	leave, back := func() { f.Away.Store(true) }, func() { f.Away.Store(false) }
	if s.caps.Vanish != nil {
		leave, back = s.caps.Vanish(t, driver)
	}
	put(t, c, newParcel("a", "x", 1))
	leave()
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := c.Get(short, "a")
	wantErr(t, err, docstore.ErrUnavailable)
	_, err = c.Find(short, docstore.All())
	wantErr(t, err, docstore.ErrUnavailable)
	if err := c.Insert(short, newParcel("b", "x", 1)); !errors.Is(err, docstore.ErrUnavailable) && !errors.Is(err, docstore.ErrUnclear) {
		t.Fatal(err)
	}
	if err := store.Ping(short); err == nil {
		t.Fatal("a ping reached nobody and was answered")
	}
	back()
	deadline, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	for store.Ping(deadline) != nil && deadline.Err() == nil {
		continue
	}
	if got, err := c.Get(ctx, "a"); err != nil || got.Weight != 1 {
		t.Fatal(got, err)
	}
	put(t, c, newParcel("c", "x", 1))
}

// storm: keyed functions under random mishaps; who was told yes is in, who was told no is out.
func (s suite) storm(t *testing.T) {
	ctx := t.Context()
	f, c, _ := s.flaky(t)
	put(t, c, newParcel("a", "x", 0))
	var dice atomic.Int64
	f.Next = func(op docstore.Op) Mishap {
		if op.Kind != docstore.Replace {
			return Fine
		}
		return []Mishap{Fine, Refused, Fine, ReplyLost, Fine, AskedLost, Fine}[dice.Add(1)%7]
	}
	callers := 32
	if s.caps.Serial {
		callers = 1
	}
	var mu sync.Mutex
	yes, no := []string{}, []string{}
	together(callers, func(i int) {
		for round := range s.size(20) {
			key := fmt.Sprintf("%d/%d", i, round)
			_, err := c.Update(ctx, "a", func(p *parcel) error {
				if !slices.Contains(p.Notes, key) {
					p.Notes, p.Weight = append(p.Notes, key), p.Weight+1
				}
				return nil
			})
			mu.Lock()
			switch {
			case err == nil:
				yes = append(yes, key)
			case !errors.Is(err, docstore.ErrUnclear):
				no = append(no, key)
			}
			mu.Unlock()
		}
	})
	got, err := c.Get(ctx, "a")
	if err != nil || got.Weight != int64(len(got.Notes)) {
		t.Fatal(got.Weight, len(got.Notes), err)
	}
	for _, key := range yes {
		if !slices.Contains(got.Notes, key) {
			t.Fatal("told yes, but is not there:", key)
		}
	}
	for _, key := range no {
		if slices.Contains(got.Notes, key) {
			t.Fatal("told no, but is there:", key)
		}
	}
}
