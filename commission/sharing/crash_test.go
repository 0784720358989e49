package sharing

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/commission"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/money"
)

// TestDyingAnywhereChangesNothing kills the process right before and right after each of its calls to the outside, and lets
// another one go on: in the end everybody has what he would have had.
func TestDyingAnywhereChangesNothing(t *testing.T) {
	t.Parallel()
	const calls = 30
	for _, after := range []bool{false, true} {
		for n := range calls {
			t.Run(fmt.Sprintf("%v %d", after, n), func(t *testing.T) {
				t.Parallel()
				w := diskWorld(t)
				w.sell("o1", commission.PlanShare{Member: "ann", Amount: 10_00}, commission.PlanShare{Member: "ben", Amount: 2_00},
					commission.PlanShare{Member: "cat", Amount: 20_00})
				p := w.start()
				if err := p.Begin(t.Context(), "o1", w.clock.Now()); err != nil {
					t.Fatal(err)
				}
				p.life.DieAt(n, after)
				for range 3 {
					_, _ = p.Tend(t.Context()) // it may be dead
					w.clock.Advance(2 * time.Minute)
				}
				if n < 20 && !p.life.Dead() {
					t.Error("it should have died")
				}
				next := w.start()
				for range 4 {
					w.clock.Advance(2 * time.Minute)
					if _, err := next.Tend(t.Context()); err != nil {
						t.Error(err)
					}
				}
				want := "unfrozen; ann 10.00 paid; ben 2.00 paid; cat 20.00 left CEILING"
				if got := w.stand("o1"); got != want {
					t.Errorf("it is %s, want %s", got, want)
				}
				w.honest()
			})
		}
	}
}

func diskWorld(t *testing.T) *world {
	t.Helper()
	driver := docstoretest.Embedded(t)
	return newWorld(t, driver, Config{})
}

// TestManyProcessesShareOnce: several programs tend the same orders at the same time.
func TestManyProcessesShareOnce(t *testing.T) {
	t.Parallel()
	w := diskWorld(t)
	const orders = 12
	for i := range orders {
		w.sell(fmt.Sprint("o", i), commission.PlanShare{Member: "ann", Amount: money.Fen(100 + i)}, commission.PlanShare{Member: "ben", Amount: 50})
	}
	done := make(chan error)
	var all []*process
	for range 4 {
		all = append(all, w.start())
	}
	for _, p := range all {
		go func() {
			for i := range orders {
				if err := p.Begin(context.Background(), fmt.Sprint("o", i), start); err != nil {
					done <- err
					return
				}
			}
			var err error
			for range 12 {
				w.clock.Advance(20 * time.Second)
				if _, err = p.Tend(context.Background()); err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range all {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for range 5 {
		w.clock.Advance(2 * time.Minute)
		if _, err := all[0].Tend(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for i := range orders {
		if got, want := w.stand(fmt.Sprint("o", i)), fmt.Sprintf("unfrozen; ann %s paid; ben 0.50 paid", money.Fen(100+i).Yuan()); got != want {
			t.Errorf("o%d is %s", i, got)
		}
	}
	if len(w.platform.requests) != 3*orders {
		t.Errorf("%d requests", len(w.platform.requests))
	}
	w.honest()
}

// TestWhateverHappensTheMoneyFits plays random troubles; in the end what the platform paid is what left the purses, and no
// order has given away more than its ceiling.
func TestWhateverHappensTheMoneyFits(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, driver, Config{})
		serial++
		order := fmt.Sprint("r", serial)
		var shares []commission.PlanShare
		for i := range rapid.IntRange(0, 4).Draw(rt, "members") {
			shares = append(shares, commission.PlanShare{
				Member: fmt.Sprint("m", i), Amount: money.Fen(rapid.Int64Range(1, 15_00).Draw(rt, "amount")),
			})
		}
		w.sell(order, shares...)
		p := w.start()
		if err := p.Begin(context.Background(), order, w.clock.Now()); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(0, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				call := rapid.SampledFrom([]string{"add", "share", "free", "query"}).Draw(rt, "call")
				w.platform.moods[call] = rapid.SampledFrom([]string{"", "lost", "unheard"}).Draw(rt, "mood")
			case 1:
				w.platform.moods["end"] = rapid.SampledFrom([]string{"", "slow", "ACCOUNT_ABNORMAL"}).Draw(rt, "end")
			case 2:
				p.life.DieAt(rapid.IntRange(0, 12).Draw(rt, "fuse"), rapid.Bool().Draw(rt, "after"))
			case 3:
				w.ledger.busy = rapid.IntRange(0, 3).Draw(rt, "busy")
			case 4:
				w.orders[order].Refunded = min(100_00, w.orders[order].Refunded+money.Fen(rapid.Int64Range(0, 30_00).Draw(rt, "refund")))
			}
			_, _ = p.Tend(context.Background()) // trouble is wanted
			if p.life.Dead() {
				p = w.start()
			}
			w.clock.Advance(time.Duration(rapid.Int64Range(1, 200).Draw(rt, "pass")) * time.Second)
		}
		w.platform.moods, w.ledger.busy = map[string]string{}, 0
		p = w.start()
		for range 40 {
			for _, a := range w.platform.requests {
				w.platform.finish(a, "")
			}
			w.clock.Advance(2 * time.Hour)
			if _, err := p.Tend(context.Background()); err != nil {
				rt.Fatal(err)
			}
		}
		d, err := p.Archive().Get(context.Background(), order)
		if err != nil || d.State != Unfrozen {
			rt.Fatalf("%v: %s", err, w.stand(order))
		}
		if d.outgoing() > 30_00 {
			rt.Fatalf("%s went to others", d.outgoing().Yuan())
		}
		w.honest()
	})
}
