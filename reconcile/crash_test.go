package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// busyDay is a day with something of everything, over several pages.
func busyDay(w *world) {
	w.bills.day(Funds, theDay).answer = ErrNotYet // only the trade bill is looked at
	from, _, _ := span(theDay)
	for i := range 3 * pageLines {
		f := Fact{
			Move: Payment, Number: fmt.Sprintf("N%04d", i), State: FactDone, Amount: money.Fen(100 + i),
			At: from.Add(time.Duration(i) * time.Second),
		}
		if i == 0 {
			f.At = from.AddDate(0, 0, -1) // a guest from the day before
		}
		w.ours.put(f)
		switch i {
		case 10:
			continue
		case 600:
			f.Amount++
		case 700:
			w.bill(Trade, theDay, f)
		case 800:
			f.Number = "unknown"
		}
		w.bill(Trade, theDay, f)
	}
}

func (w *world) picture(t *testing.T) []string {
	t.Helper()
	r, err := w.Get(t.Context(), Trade, theDay)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{fmt.Sprintf("%s bill=%v ours=%v matched=%d strays=%d differences=%d lease=%q next=%v",
		r.State, r.Bill, r.Ours, r.Matched, r.Strays, r.Differences, r.Lease, r.NextAt.IsZero())}
	page, err := w.TasksOf(t.Context(), Trade, theDay, docstore.Paging{First: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range page.Items {
		all = append(all, fmt.Sprintf("%s %s %s lines=%d ours=%v", task.Difference, task.Number, task.State, len(task.Lines), task.Ours != nil))
	}
	slices.Sort(all)
	lines := 0
	if err := w.Lines(t.Context(), Trade, theDay, func(Line) error { lines++; return nil }); err != nil {
		t.Fatal(err)
	}
	pages, err := w.pages.Count(t.Context(), docstore.All(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, fmt.Sprint("lines ", lines, " pages ", pages))
}

// TestDyingBetweenAnyTwoWrites: whatever the last write of a dead process was, the next one ends with the same picture.
func TestDyingBetweenAnyTwoWrites(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, dieAt int64) (picture []string, writes int64) {
		w := &world{clock: clock.NewManual(at(t, nextDay, "10:00:00")), bills: newPlatform(), ours: newBooks()}
		flaky := docstoretest.NewFlaky(docstoretest.Embedded(t))
		w.store = docstoretest.StoreOn(t, flaky, w.clock)
		config := Config{Since: theDay, Looks: -1}
		w.Service = w.open(t, config)
		busyDay(w)
		var count atomic.Int64
		flaky.Before = func(op docstore.Op) {
			if n := count.Add(1); n == dieAt {
				flaky.Away.Store(true)
			}
		}
		_, err := w.Tend(t.Context())
		if dieAt > 0 && err == nil {
			return nil, count.Load()
		}
		if dieAt > 0 && !errors.Is(err, docstore.ErrUnavailable) {
			t.Fatal(err)
		}
		flaky.Away.Store(false)
		flaky.Before = nil
		w.clock.Advance(6 * time.Minute) // the dead one's lease ends
		w.Service = w.open(t, config)
		w.tend(t)
		return w.picture(t), count.Load()
	}
	want, writes := run(t, 0)
	if len(want) != 7 || !strings.HasPrefix(want[1], "differing") {
		t.Fatal(strings.Join(want, "\n"))
	}
	t.Log(writes, "writes\n", strings.Join(want, "\n "))
	for n := int64(1); n <= writes; n++ {
		t.Run(fmt.Sprint("at write ", n), func(t *testing.T) {
			t.Parallel()
			if got, _ := run(t, n); got != nil {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("-want +got\n%s", diff)
				}
			}
		})
	}
}

// TestTwoProcessesDoNotBothFetch: two tend at once; each bill is downloaded once.
func TestTwoProcessesDoNotBothFetch(t *testing.T) {
	t.Parallel()
	config := Config{Since: theDay, Looks: -1, Accounts: []Statement{Funds}}
	w := newWorld(t, config)
	busyDay(w)
	other := w.open(t, config)
	w.clock.Set(at(t, nextDay, "10:00:00"))
	var group sync.WaitGroup
	var worked atomic.Int64
	for n := range 8 {
		group.Go(func() {
			s := []*Service{w.Service, other}[n%2]
			done, err := s.Tend(context.Background())
			if err != nil {
				t.Error(err)
			}
			worked.Add(int64(done))
		})
	}
	group.Wait()
	w.tend(t)
	if w.bills.downloads != 2 || worked.Load() != 1 { // trade; funds is not ready
		t.Fatal(w.bills.downloads, worked.Load())
	}
}

// TestOneWhoLostTheLeaseWritesNothing: a process sleeps in the middle of a download, another takes over and
// finishes; the sleeper wakes and leaves everything as it is.
func TestOneWhoLostTheLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	config := Config{Since: theDay, Looks: -1}
	w := newWorld(t, config)
	busyDay(w)
	w.clock.Set(at(t, nextDay, "10:00:00"))
	var once sync.Once
	slow := newPlatform()
	slow.days = w.bills.days
	var between []string
	slow.each = func(row int) {
		if row == pageLines+1 {
			once.Do(func() {
				w.clock.Advance(6 * time.Minute)
				w.tend(t)
				between = w.picture(t)
			})
		}
	}
	sleeper, err := New(t.Context(), Deps{Store: w.store, Clock: w.clock, IDs: id.Random{}, Bills: slow, Ours: w.ours, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	if err := sleeper.plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := sleeper.one(t.Context(), runID(Trade, theDay))
	if done || err != nil {
		t.Fatal(done, err)
	}
	if diff := cmp.Diff(between, w.picture(t)); diff != "" || between == nil {
		t.Fatalf("-before +after\n%s", diff)
	}
}
