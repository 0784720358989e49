package order

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/money"
	"guanxi/order/authority"
)

// Open campaigns of a host whose approval was taken back admit no new orders at once, and hold nothing for them.
func TestARevokedHostTakesNoOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.place("before")
	w.hosts.revoke()
	in := PlaceInput{Key: "after", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, ErrHostPaused) {
		t.Errorf("place: %v", err)
	}
	if _, err := w.orders.Quote(t.Context(), QuoteInput{Member: "mia", Campaign: "spring", Lines: in.Lines}); !errors.Is(err, ErrHostPaused) {
		t.Errorf("quote: %v", err)
	}
	if len(w.campaign.claims) != 1 || len(w.stock.holds) != 1 {
		t.Errorf("held: %v %v", w.campaign.claims, w.stock.holds)
	}
	in = PlaceInput{Key: "before", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 3}, {"nuts", 1}}}
	if again, err := w.orders.Place(t.Context(), in); err != nil || again.ID != before.ID {
		t.Errorf("a repeated key answers its order: %v %v", again, err)
	}
}

// The cap counts what reaches the platform. Fifty refused requests use up nothing; fifty small refunds leave the last one
// for everything that is left; what the system returns is never stopped by it.
func TestTheCapNeverKeepsMoney(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	w.platform.lands = RefundDone
	o := w.confirmed("k", Wish{"tea", 300})
	w.must(w.orders.Ship(ctx, "hana", o.ID, ShipInput{Kind: ShipExpress, Company: "SF", Tracking: "1"}))
	ask := func(key string, units int64) (Refund, error) {
		return w.orders.Refund(ctx, RefundInput{Key: key, Order: o.ID, By: "mia", Reason: "x", Lines: []RefundLine{{1, units}}})
	}
	for n := range 60 {
		r, err := ask("refused"+strconv.Itoa(n), 1)
		w.must(nil, err)
		w.must(w.orders.DecideForBrand(ctx, BrandDecision{Order: o.ID, Refund: r.Number, By: "zhou", Words: "不同意"}))
	}
	sent := 0
	for ; ; sent++ {
		r, err := ask("sent"+strconv.Itoa(sent), 1)
		w.must(nil, err)
		if _, err = w.orders.DecideForBrand(ctx, BrandDecision{Order: o.ID, Refund: r.Number, By: "zhou", Release: true}); errors.Is(err, ErrRefundLimit) {
			w.must(w.orders.DecideForBrand(ctx, BrandDecision{Order: o.ID, Refund: r.Number, By: "zhou", Words: "合并退"}))
			break
		}
		w.must(nil, err)
		w.clock.Advance(refundGap)
		w.must(nil, w.orders.SubmitRefund(ctx, o.ID, r.Number))
	}
	if sent != MaxRefunds-1 {
		t.Fatalf("%d partial refunds went, want %d", sent, MaxRefunds-1)
	}
	w.must(nil, w.orders.RefundWhole(ctx, o.ID, "campaign", "未成团"))
	w.clock.Advance(refundGap)
	last := w.get(o.ID).Refunds
	w.must(nil, w.orders.SubmitRefund(ctx, o.ID, last[len(last)-1].Number))
	if got := w.get(o.ID); got.State != StateRefunded || got.Returned() != got.Amount {
		t.Errorf("%s, %d of %d back", got.State, got.Returned(), got.Amount)
	}
}

// An order whose fifty refunds are used up in the old way: what the system returns all the same is sent; the platform's no
// is an incident, and the money is owed, not forgotten.
func TestWhatThePlatformDoesNotTakeStaysOwed(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	w.platform.lands = RefundDone
	o := w.confirmed("k", Wish{"tea", 60})
	_, err := w.orders.change(ctx, o.ID, func(o *Order, now time.Time) error {
		for n := range MaxRefunds {
			if err := o.addRefund(Refund{Key: strconv.Itoa(n), By: BySystem, Stage: StageAsked, Lines: []RefundPart{{1, 1, 1099}}}, now); err != nil {
				return err
			}
		}
		return nil
	})
	w.must(nil, err)
	w.platform.poor = true
	w.must(nil, w.orders.RefundCampaign(ctx, "spring", "未成团"))
	got := w.get(o.ID)
	number := got.Refunds[len(got.Refunds)-1].Number
	w.must(nil, w.orders.SubmitRefund(ctx, o.ID, number))
	if got = w.get(o.ID); got.State != StateRefunding || got.Incidents[0].Kind != IncidentRefundRefused || got.Owed(false) != 10*1099 {
		t.Errorf("%s %v owed %d", got.State, got.Incidents, got.Owed(false))
	}
	w.must(nil, w.orders.RefundCampaign(ctx, "spring", "未成团")) // the event, again
	w.platform.poor = false
	for range 60 { // a minute apart, one after the other
		w.clock.Advance(7 * time.Minute)
		_, _ = w.orders.Tick(ctx)
	}
	if r := w.get(o.ID).refund(number); r.Stage != StageDone {
		t.Errorf("healed by itself: %s", r.Stage)
	}
}

// A number the platform closes again and again is replaced, whatever was sent before.
func TestClosedNumbersAreReplacedBeyondTheCap(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	o := w.confirmed("k")
	w.must(w.orders.Refund(ctx, RefundInput{Key: "a", Order: o.ID, By: "mia", Reason: "x"}))
	for n := range MaxRefunds + 5 {
		number := refundNumber(o.ID, n+1)
		w.clock.Advance(refundGap)
		w.must(nil, w.orders.SubmitRefund(ctx, o.ID, number))
		w.platform.land(number, RefundClosed)
		w.must(w.orders.SettleRefund(ctx, w.platform.refundNotice(number)))
	}
	number := refundNumber(o.ID, MaxRefunds+6)
	w.clock.Advance(refundGap)
	w.must(nil, w.orders.SubmitRefund(ctx, o.ID, number))
	w.platform.land(number, RefundDone)
	w.must(w.orders.SettleRefund(ctx, w.platform.refundNotice(number)))
	if got := w.get(o.ID); got.State != StateRefunded || len(number) > 64 {
		t.Errorf("%s %s", got.State, number)
	}
}

// Two refunds of one order are a minute apart at the platform; the second is sent by the sweep.
func TestRefundsOfOneOrderAreAMinuteApart(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	o := w.confirmed("k")
	for n, key := range []string{"a", "b", "c"} {
		w.must(w.orders.Refund(ctx, RefundInput{Key: key, Order: o.ID, By: "mia", Reason: "x", Lines: []RefundLine{{1, 1}}}))
		w.must(nil, w.orders.SubmitRefund(ctx, o.ID, refundNumber(o.ID, n+1)))
	}
	for n := range 3 {
		if got := len(w.platform.refunds); got != n+1 {
			t.Errorf("after %d min: %d at the platform", n, got)
		}
		w.clock.Advance(refundGap)
		if _, err := w.orders.Tick(ctx); err != nil {
			t.Error(err)
		}
	}
}

// What a host returns on her own word is bounded by her turnover, also in many small pieces, side by side, through two
// services on one store; the rest waits for the brand, none of it is lost.
func TestAHostsWordIsAShareOfHerTurnover(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	w.stock.free["tea"] = 10_000
	var ids []string
	for n := range 40 {
		o := w.confirmed("k"+strconv.Itoa(n), Wish{"tea", 20}) // 219.80 each, 8,792 together: 10 % are 879.20
		w.must(w.orders.Ship(ctx, "hana", o.ID, ShipInput{Kind: ShipExpress, Company: "SF", Tracking: "1"}))
		ids = append(ids, o.ID)
	}
	other, err := New(ctx, w.orders.deps)
	w.must(nil, err)
	var group sync.WaitGroup
	for n, number := range ids {
		service := []*Service{w.orders, other}[n%2]
		group.Go(func() {
			in := RefundInput{Key: "a", Order: number, By: "hana", Reason: "补偿", Lines: []RefundLine{{1, 5}}} // 54.95
			for range 2 {
				if _, err := service.Refund(ctx, in); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	sum, waiting := money.Fen(0), 0
	for _, number := range ids {
		o := w.get(number)
		switch r := o.Refunds[0]; {
		case len(o.Refunds) != 1:
			t.Errorf("%d refunds under one key", len(o.Refunds))
		case r.Stage == StageAsked:
			sum += r.Amount
		case r.Desk == DeskBrand && r.Why[0] == authority.WhyShare:
			waiting++
		default:
			t.Errorf("%s %v", r.Stage, r.Why)
		}
	}
	if sum > 879_20 || sum < 800_00 || waiting != 40-int(sum/5495) {
		t.Errorf("%d went on her word, %d wait", sum, waiting)
	}
	page, err := w.orders.WaitingForBrand(ctx, Page{Limit: 100})
	if err != nil || len(page.Items) != waiting {
		t.Errorf("the brand sees %d of %d: %v", len(page.Items), waiting, err)
	}
}

// A hundred guesses at once are five.
func TestGuessingCodesSideBySideGainsNothing(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	o, err := w.orders.Place(ctx, PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Pickup: "gate", Lines: []Wish{{"tea", 1}}})
	w.must(o, err)
	w.must(w.orders.Prepay(ctx, "mia", o.ID))
	w.platform.pay(o.ID)
	w.must(w.orders.Settle(ctx, w.platform.notice(o.ID)))
	w.must(nil, w.orders.Seated(ctx, o.ID, 1, true))
	var looked atomic.Int64
	var group sync.WaitGroup
	for n := range 100 {
		group.Go(func() {
			_, err := w.orders.Collect(ctx, CollectInput{By: "keeper", Order: o.ID, Code: strconv.Itoa(n)})
			if !errors.Is(err, ErrCodeLocked) {
				looked.Add(1)
			}
		})
	}
	group.Wait()
	if got := w.get(o.ID); looked.Load() != codeTries || got.State != StateConfirmed || len(got.Code.Reveal()) != codeDigits {
		t.Errorf("%d looked at, %s", looked.Load(), got.State)
	}
}
