package commission

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/internal/book"
)

// due makes n orders whose window is over.
func (w *world) due(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		order := fmt.Sprintf("o%d", i)
		must(t, w.Accrue(t.Context(), sale(order, 10000)))
		must(t, w.StartWindow(t.Context(), order, start, start.Add(7*day)))
	}
	w.clock.Advance(8 * day)
}

func TestManyCallersShareTheDueOrders(t *testing.T) {
	t.Parallel()
	const orders, callers = 120, 8
	w := newWorld(t, Config{SettlePage: 7, SettleWorkers: 3, Alone: true})
	w.publish(t)
	w.due(t, orders)
	var settled atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for {
				n, err := w.SettleDue(t.Context())
				if err != nil {
					t.Error(err)
				}
				if settled.Add(int64(n)); n == 0 || err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if settled.Load() != orders {
		t.Errorf("settled %d times, want %d: each once", settled.Load(), orders)
	}
	if diff := cmp.Diff(Balance{Available: orders * 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

func TestTwoProcessesThatSettleAtOnceAgree(t *testing.T) {
	t.Parallel()
	const orders = 60
	w := newWorld(t, Config{SettlePage: 7})
	w.publish(t)
	w.due(t, orders)
	other := open(t, w.store, w.clock, Config{SettlePage: 5})
	var all sync.WaitGroup
	for _, s := range []*Service{w.Service, other} {
		all.Go(func() {
			for {
				if n, err := s.SettleDue(t.Context()); err != nil || n == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	w.clock.Advance(settleLease)
	_, err := w.SettleDue(t.Context())
	must(t, err)
	if diff := cmp.Diff(Balance{Available: orders * 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

func TestARoundIsLeftToItsProcessForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SettlePage: 10, SettleWorkers: 1})
	w.publish(t)
	w.due(t, 10)
	w.hook = func(step string) error {
		if step == "round" {
			return errCrash
		}
		return nil
	}
	if _, err := w.SettleDue(t.Context()); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	other := open(t, w.store, w.clock, Config{SettlePage: 10})
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 0}, {settleLease - time.Second, 0}, {time.Second, 10}, {0, 0}} {
		w.clock.Advance(step.wait)
		if n, err := other.SettleDue(t.Context()); err != nil || n != step.want {
			t.Errorf("after %v settled %d, want %d, %v", step.wait, n, step.want, err)
		}
	}
	w.hook = nil
	if n, err := w.SettleDue(t.Context()); err != nil || n != 0 {
		t.Error("the first process finds nothing left:", n, err)
	}
	verified(t, w.Service)
}

func TestWhatCannotBeSettledDoesNotStopTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SettlePage: 4})
	w.publish(t)
	w.due(t, 12)
	must(t, w.book.Entries.Delete(t.Context(), book.AccrueID("o3"), nil))
	for range 3 {
		if _, err := w.SettleDue(t.Context()); !errors.Is(err, book.ErrGone) {
			t.Error("a lost accrual is told every time:", err)
		}
	}
	for i := range 12 {
		e, err := w.book.Entry(t.Context(), book.SettleID(fmt.Sprintf("o%d", i), 0))
		must(t, err)
		if (e == nil) != (i == 3) {
			t.Error(i, e)
		}
	}
}
