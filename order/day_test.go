package order

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// counting counts the records that are read, by collection: each order read is one decrypted.
type counting struct {
	docstore.Driver
	mu   sync.Mutex
	read map[string]int
}

func (c *counting) add(collection string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read[collection] += n
}

func (c *counting) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	found, err := c.Driver.Get(ctx, collection, ids)
	c.add(collection, len(found))
	return found, err
}

func (c *counting) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	found, next, err := c.Driver.Find(ctx, collection, q)
	c.add(collection, len(found))
	return found, next, err
}

// Close leaves the driver to whoever opened it.
func (*counting) Close() error { return nil }

// TestADayReadsItsOwnOrdersOnly: many orders before and after, three of the day, and an order whose two refunds were done on two
// days.
func TestADayReadsItsOwnOrdersOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sell := func(key string) *Order {
		t.Helper()
		o := w.place(key, Wish{"tea", 2})
		if _, err := w.orders.Settle(t.Context(), Payment{
			Number: o.ID, AppID: "wxapp", MchID: "1900001", Currency: "CNY", Total: o.Amount, TransactionID: "T" + key,
			State: PaymentDone, PaidAt: w.clock.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		return o
	}
	back := func(order, key string, marked bool) {
		t.Helper()
		var number string
		_, err := w.orders.change(t.Context(), order, func(o *Order, now time.Time) error {
			parts, err := o.parts([]RefundLine{{Line: 1, Units: 1}})
			if err != nil {
				return err
			}
			if err := o.addRefund(Refund{Key: key, By: BySystem, Stage: StageAsked, Lines: parts}, now); err != nil {
				return err
			}
			number = o.Refunds[len(o.Refunds)-1].Number
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		receipt := RefundReceipt{Number: number, OrderNumber: order, RefundID: "R" + number, State: RefundDone, DoneAt: w.clock.Now()}
		o, err := w.orders.Get(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		receipt.Refund = o.refund(number).Amount
		if marked {
			_, err = w.orders.SettleRefund(t.Context(), receipt)
		} else { // by an earlier program
			_, err = w.orders.change(t.Context(), order, func(o *Order, now time.Time) error {
				return o.settleRefund(o.refund(number), receipt, now)
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 40 {
		sell(fmt.Sprint("before", n))
	}
	old := sell("old")
	back(old.ID, "by an earlier program", false)
	first := w.clock.Now()
	w.clock.Advance(24 * time.Hour)
	today := w.clock.Now()
	var mine *Order
	for n := range 3 {
		mine = sell(fmt.Sprint("today", n))
	}
	back(mine.ID, "a", true)
	w.clock.Advance(24 * time.Hour)
	tomorrow := w.clock.Now()
	for n := range 40 {
		sell(fmt.Sprint("after", n))
	}
	back(mine.ID, "b", true)

	ring, err := docstore.NewKeyRing(make([]byte, 32), docstore.Key{ID: "t1", Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	driver := &counting{Driver: w.driver, read: map[string]int{}}
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: w.clock, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := OpenArchive(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	refunded := func(at time.Time) (ids []string) {
		t.Helper()
		if err := archive.RefundedOn(t.Context(), clock.Day(at), func(o *Order) error { ids = append(ids, o.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if got := refunded(first); len(got) != 1 || got[0] != old.ID { // the first question marks what earlier programs wrote
		t.Errorf("refunds from before there were marks: %v", got)
	}
	driver.read = map[string]int{}
	paid := 0
	from, err := time.ParseInLocation(time.DateOnly, clock.Day(today), clock.Shanghai())
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.PaidBetween(t.Context(), from.UTC(), from.AddDate(0, 0, 1).UTC(), func(*Order) error { paid++; return nil }); err != nil {
		t.Fatal(err)
	}
	if paid != 3 || driver.read["orders"] != 3 {
		t.Errorf("%d paid that day, %d orders read", paid, driver.read["orders"])
	}
	for _, day := range []time.Time{today, tomorrow} {
		driver.read = map[string]int{}
		if got := refunded(day); len(got) != 1 || got[0] != mine.ID || driver.read["orders"] != 1 {
			t.Errorf("%s: %v, %d orders read", day, got, driver.read["orders"])
		}
	}
}
