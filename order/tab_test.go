package order

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
)

func (w *world) try(s *Service, key string, lines ...Wish) error {
	_, err := s.Place(w.t.Context(), PlaceInput{Key: key, Member: "mia", Campaign: "spring", Lines: lines})
	return err
}

// However many requests come at once, to two processes, a new account holds what its terms allow and not a unit more.
func TestANewAccountHoldsNoMoreThanItsTerms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		units, orders, held int64
		campaigns           int
	}{
		"orders of one campaign": {1, 5, 5, 1},
		"orders":                 {1, 10, 10, 4},
		"units of one campaign":  {14, 2, 28, 1},
		"units":                  {14, 4, 56, 4},
		"one order too big":      {41, 0, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			second, err := New(t.Context(), w.orders.deps)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			var placed atomic.Int64
			for i := range 60 {
				all.Go(func() {
					s := []*Service{w.orders, second}[i%2]
					_, err := s.Place(t.Context(), PlaceInput{
						Key: fmt.Sprint(i), Member: "mia", Campaign: fmt.Sprint("c", i%c.campaigns), Lines: []Wish{{"tea", c.units}},
					})
					if err == nil {
						placed.Add(1)
					} else if !errors.Is(err, ErrUnpaidLimit) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if placed.Load() != c.orders || w.stock.free["tea"] != 1000-c.held {
				t.Errorf("%d orders, %d units left; want %d orders over %d units", placed.Load(), w.stock.free["tea"], c.orders, c.held)
			}
			if len(w.campaign.claims) != int(c.orders) {
				t.Errorf("%d claims left behind", len(w.campaign.claims))
			}
		})
	}
}

func TestPayingAndCancellingMakeRoomAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var held []*Order
	for i := range 5 {
		held = append(held, w.place(fmt.Sprint(i), Wish{"tea", 1}))
	}
	if err := w.try(w.orders, "more", Wish{"tea", 1}); !errors.Is(err, ErrUnpaidLimit) {
		t.Fatal(err)
	}
	if err := w.try(w.orders, "1", Wish{"tea", 1}); err != nil { // the same key is the same order, limit or not
		t.Error(err)
	}
	w.must(w.orders.Cancel(t.Context(), "mia", held[0].ID))
	w.place("more", Wish{"tea", 1})
	w.must(w.orders.Prepay(t.Context(), "mia", held[1].ID))
	w.platform.pay(held[1].ID)
	w.must(w.orders.Settle(t.Context(), w.platform.notice(held[1].ID)))
	w.place("and-more", Wish{"tea", 1})
	w.clock.Advance(20*time.Minute + ClockSkew + time.Second) // nobody has swept, nobody has paid
	w.place("later", Wish{"tea", 1})
}

// Age and paid orders open the next terms, both of them; an order that was given back does not count.
func TestTermsGrowWithAgeAndPaidOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	most := func(prefix string) (n int) {
		t.Helper()
		for ; n < 30; n++ {
			if err := w.try(w.orders, fmt.Sprint(prefix, n), Wish{"tea", 1}); err != nil {
				if !errors.Is(err, ErrUnpaidLimit) {
					t.Fatal(err)
				}
				break
			}
		}
		w.clock.Advance(time.Hour)
		for range 3 { // all of them expire
			w.must(w.orders.Tick(t.Context()))
			w.clock.Advance(time.Minute)
		}
		return n
	}
	w.clock.Advance(2 * day)
	if n := most("old-account-"); n != 5 {
		t.Errorf("%d orders for an old-account-that has never paid", n)
	}
	first := w.confirmed("paid", Wish{"nuts", 1})
	if n := most("paid-one-"); n != 10 {
		t.Errorf("%d orders after one that was paid", n)
	}
	if err := w.orders.RefundWhole(t.Context(), first.ID, "x", "缺货"); err != nil {
		t.Fatal(err)
	}
	if n := most("gave-it-back-"); n != 5 {
		t.Errorf("%d orders after it was given back", n)
	}
	for i := range 5 {
		w.confirmed(fmt.Sprint("paid-", i), Wish{"nuts", 1})
	}
	if n := most("five-in-two-days-"); n != 10 {
		t.Errorf("%d orders of a young account that has paid five", n)
	}
	w.clock.Advance(30 * day)
	if n := most("five-in-a-month-"); n != 20 {
		t.Errorf("%d orders of an account of a month that has paid five", n)
	}
}

// A tab at its bound: the largest terms fill it, and what does not go in is refused in words.
func TestATabIsBounded(t *testing.T) {
	t.Parallel()
	tab, now := &Tab{}, start
	terms := Terms{Orders: maxEntries, Units: 1 << 40, CampaignOrders: maxEntries, CampaignUnits: 1 << 40}
	if err := checkTerms([]Terms{terms}); err != nil {
		t.Fatal(err)
	}
	for i := range maxEntries {
		by := claim.New(fmt.Sprint("o", i))
		if err := tab.enter(Entry{Order: by.Order, Units: 1, Until: now.Add(time.Hour), By: claim.HeldBy(by)}, by, terms, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.enter(Entry{Order: "more", Units: 1, Until: now.Add(time.Hour)}, claim.New("more"), terms, now); !errors.Is(err, ErrUnpaidLimit) {
		t.Errorf("entry %d: %v", maxEntries+1, err)
	}
	terms.Orders++
	if checkTerms([]Terms{terms}) == nil || checkTerms([]Terms{{Age: day, Orders: 1, Units: 1, CampaignOrders: 1, CampaignUnits: 1}}) == nil {
		t.Error("terms beyond the bound, or without a beginning, were taken")
	}
}

// A hold's length is fixed when it is placed: a process whose clock is 90 s ahead neither refuses the payment nor gives the
// order up before the time it was told.
func TestAHoldIsNotShortenedByAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deps := w.orders.deps
	deps.Clock = ahead{w.clock, 90 * time.Second}
	other, err := New(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	o := w.place("k", Wish{"tea", 1})
	w.clock.Set(o.ExpiresAt.Add(-time.Second))
	w.must(other.Tick(t.Context()))
	if o = w.get(o.ID); o.State != StatePlaced {
		t.Fatalf("given up before its time: %s", o.State)
	}
	w.must(other.Prepay(t.Context(), "mia", o.ID))
	// and one that is behind gives it up before its units go back
	w.clock.Set(o.ExpiresAt.Add(ClockSkew))
	w.must(w.orders.Tick(t.Context()))
	w.clock.Advance(time.Minute)
	w.must(w.orders.Tick(t.Context()))
	if o = w.get(o.ID); o.State != StateClosed {
		t.Errorf("not given up after its time: %s", o.State)
	}
}

type ahead struct {
	of clock.Clock
	by time.Duration
}

func (a ahead) Now() time.Time { return a.of.Now().Add(a.by) }
