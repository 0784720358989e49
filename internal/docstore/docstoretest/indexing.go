package docstoretest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// patience of the suite with a server that is away.
const patience = 5 * time.Second

// indexing declares a new index on old data while writers and readers of the old declaration go on.
func (s suite) indexing(t *testing.T) {
	if s.caps.FixedIndexes {
		t.Skip("no new index on old data")
	}
	ctx, driver := t.Context(), s.open(t)
	spec := parcelSpec()
	early := spec
	early.Indexes = spec.Indexes[:1]
	before, err := docstore.Open[parcel](ctx, StoreOn(t, driver, clock.NewManual(noon())), early)
	if err != nil {
		t.Fatal(err)
	}
	n := s.size(3000)
	docs := make([]*parcel, n)
	for i := range docs {
		docs[i] = newParcel(fmt.Sprintf("old/%05d", i), "old", int64(i))
		docs[i].Owner = fmt.Sprint("o", i%3)
	}
	put(t, before, docs...)
	var stop atomic.Bool
	var writers sync.WaitGroup
	count := [4]int{}
	for w := range count {
		writers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				doc := newParcel(fmt.Sprintf("new/%d/%05d", w, i), "new", int64(i))
				doc.Owner = "o0"
				if err := before.Insert(ctx, doc); err != nil {
					t.Error(err)
				}
				if _, err := before.Update(ctx, docs[(i*4+w)%n].ID, func(p *parcel) error { p.Owner = "moved"; return nil }); err != nil {
					t.Error(err)
				}
				count[w] = i + 1
			}
		})
	}
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.NewManual(noon()), Keys: Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	after, err := docstore.Open[parcel](ctx, store, spec)
	stop.Store(true)
	writers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	s.agree(t, after, n+count[0]+count[1]+count[2]+count[3])
}

// agree compares what the new index says with what the documents say.
func (s suite) agree(t *testing.T, after *docstore.Collection[parcel], all int) {
	ctx := t.Context()
	want := map[string]int{}
	total := 0
	if err := after.Each(ctx, docstore.All(), func(p *parcel) error { want[p.Owner]++; total++; return nil }); err != nil {
		t.Fatal(err)
	}
	if total != all {
		t.Fatalf("%d documents, want %d", total, all)
	}
	for owner, expect := range want {
		got := 0
		if err := after.Each(ctx, docstore.By("owner", owner), func(*parcel) error { got++; return nil }); err != nil || got != expect {
			t.Fatalf("owner %s: the index has %d, the documents say %d, %v", owner, got, expect, err)
		}
	}
	if got, err := after.Count(ctx, docstore.By("when"), 0); err != nil || got != total {
		t.Fatal(got, err)
	}
}
