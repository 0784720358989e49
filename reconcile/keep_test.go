package reconcile

import (
	"context"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

// TestALongDownloadKeepsItsLease: nothing comes for four times the lease, and another process takes nothing over.
func TestALongDownloadKeepsItsLease(t *testing.T) {
	t.Parallel()
	now := clock.System{}
	store := docstoretest.NewStore(t, now)
	bills, ours := newPlatform(), newBooks()
	day := clock.Day(now.Now().AddDate(0, 0, -2))
	when, _, err := span(day)
	if err != nil {
		t.Fatal(err)
	}
	ours.put(Fact{Move: Payment, Number: "P1", Amount: 100, State: FactDone, At: when.Add(time.Hour)})
	bills.day(Trade, day).trade = []TradeLine{{At: when.Add(time.Hour), State: "SUCCESS", Number: "P1", Amount: 100}}
	begun, once := make(chan struct{}), sync.Once{}
	const lease = 600 * time.Millisecond
	bills.each = func(int) {
		once.Do(func() { close(begun) })
		time.Sleep(4 * lease)
	}
	open := func() *Service {
		s, err := New(t.Context(), Deps{
			Store: store, Clock: now, IDs: id.Random{}, Bills: bills, Ours: ours,
			Config: Config{Since: day, Runs: 1, Lease: lease, Looks: -1, Accounts: []Statement{Funds}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, other := open(), open()
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := one.Tend(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-begun
	time.Sleep(2 * lease) // the lease would be over
	if done, err := other.one(t.Context(), runID(Trade, day)); done || err != nil {
		t.Error("taken over:", done, err)
	}
	group.Wait()
	r, err := one.Get(t.Context(), Trade, day)
	if err != nil || r.State != Balanced || r.Attempt != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
