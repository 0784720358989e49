package order

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
)

func TestASaleIsFiveWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.confirmed("k")
	if w.driver.writes != 5 {
		t.Errorf("place, prepay, settle and seat made %d writes", w.driver.writes)
	}
}

func TestRepeatingWritesNothing(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.confirmed("k")
	before := w.driver.writes
	w.must(w.orders.Place(ctx, PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 3}, {"nuts", 1}}}))
	w.must(w.orders.Settle(ctx, w.platform.notice(o.ID)))
	w.must(w.orders.Heal(ctx, o.ID))
	w.must(nil, w.orders.Seated(ctx, o.ID, 1, true))
	w.must(nil, w.orders.ConfirmCampaign(ctx, "spring"))
	w.must(w.orders.Tick(ctx))
	if w.driver.writes != before {
		t.Errorf("%d writes", w.driver.writes-before)
	}
}

func TestOtherPeoplesOrdersDoNotExist(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.confirmed("k")
	before := w.get(o.ID)
	for _, id := range []string{o.ID, "unknown", "", "\x00", strings.Repeat("x", 300)} {
		for name, use := range map[string]func() error{
			"get mine":   func() error { _, err := w.orders.GetMine(ctx, "nora", id); return err },
			"get hosted": func() error { _, err := w.orders.GetHosted(ctx, "mia", id); return err },
			"prepay":     func() error { _, err := w.orders.Prepay(ctx, "nora", id); return err },
			"cancel":     func() error { _, err := w.orders.Cancel(ctx, "nora", id); return err },
			"receive":    func() error { _, err := w.orders.Receive(ctx, "hana", id); return err },
			"collect":    func() error { _, err := w.orders.Collect(ctx, CollectInput{By: "mia", Order: id}); return err },
			"ship":       func() error { _, err := w.orders.Ship(ctx, "mia", id, ShipInput{Kind: ShipPickup}); return err },
			"refund": func() error {
				_, err := w.orders.Refund(ctx, RefundInput{Key: "k", Order: id, By: "nora", Reason: "x"})
				return err
			},
			"refund by nobody": func() error {
				_, err := w.orders.Refund(ctx, RefundInput{Key: "k", Order: id, Reason: "x"})
				return err
			},
			"approve": func() error { _, err := w.orders.ApproveRefund(ctx, "mia", id, o.ID+"r1"); return err },
			"refuse":  func() error { _, err := w.orders.RefuseRefund(ctx, "mia", id, o.ID+"r1", "x"); return err },
		} {
			if err := use(); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s of %q: %v", name, id, err)
			}
		}
	}
	if diff := cmp.Diff(before.Version, w.get(o.ID).Version); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
}

func TestPayloadsCarryEverything(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.must(w.orders.Prepay(ctx, "mia", o.ID))
	w.platform.pay(o.ID)
	w.must(w.orders.Settle(ctx, w.platform.notice(o.ID)))
	w.platform.lands = RefundDone
	w.must(w.orders.Refund(ctx, RefundInput{Key: "a", Order: o.ID, By: "mia", Reason: "少买一件", Lines: []RefundLine{{1, 2}}}))
	w.clock.Advance(time.Minute)
	w.must(nil, w.orders.SubmitRefund(ctx, o.ID, o.ID+"r1"))
	w.must(nil, w.orders.Seated(ctx, o.ID, 12, true))

	at := start.Add(time.Minute)
	sale := Sale{
		Order: o.ID, Member: "mia", Campaign: "spring", Community: "lane", Host: "hana", Grade: "grade-of-hana", Amount: 3647, PlacedAt: start,
		Referral: Referral{Policy: "v1", Direct: "hana", Why: "campaign-host"},
		Lines: []SaleLine{
			{Line: 1, SKU: "tea", Product: "p-tea", Name: "山货 tea", Category: "food", Units: 3, Price: 1099, Cost: 549, Paid: 3297},
			{Line: 2, SKU: "nuts", Product: "p-nuts", Name: "山货 nuts", Category: "food", Units: 1, Price: 350, Cost: 175, Paid: 350},
		},
	}
	later := sale
	later.Lines = slices.Clone(sale.Lines)
	later.Lines[0].RefundedUnits, later.Lines[0].Refunded = 2, 2198

	expect(t, w, EventPaid, Paid{Sale: sale, TransactionID: "42" + o.ID, PaidAt: start})
	expect(t, w, EventConfirmed, Confirmed{Sale: later, Seat: 12, PaidAt: start, ConfirmedAt: at, Digest: w.get(o.ID).Digest()})
	expect(t, w, EventRefundAsked, RefundAsked{Order: o.ID, Refund: o.ID + "r1", Amount: 2198})
	expect(t, w, EventRefunded, Refunded{
		Order: o.ID, Member: "mia", Campaign: "spring", Community: "lane", Host: "hana", Refund: o.ID + "r1",
		Amount: 2198, Total: 2198, Paid: 3647, Restock: true, Referral: sale.Referral, Reason: "少买一件", DoneAt: at,
		Lines: []RefundedLine{{
			Line: 1, SKU: "tea", Product: "p-tea", Category: "food", Units: 2, Amount: 2198, TotalUnits: 2,
			TotalAmount: 2198, SoldUnits: 3, Paid: 3297,
		}},
	})
}

// expect finds the one message of a name and compares its payload.
func expect[P any](t *testing.T, w *world, name string, want P) {
	t.Helper()
	var got []P
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.mail {
		if m.Name == name {
			var p P
			w.must(nil, w.store.Unmarshal(m.Msg.Body, &p))
			got = append(got, p)
		}
	}
	if diff := cmp.Diff([]P{want}, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// stubborn answers calls of one kind as told.
type stubborn struct {
	*fakePlatform
	closes   error
	queries  Payment
	refunds  int
	prepares func()
}

func (s *stubborn) Close(ctx context.Context, number string) error {
	if s.closes != nil {
		return s.closes
	}
	return s.fakePlatform.Close(ctx, number)
}

func (s *stubborn) Query(ctx context.Context, number string) (Payment, error) {
	if s.queries.State != "" {
		return s.queries, nil
	}
	return s.fakePlatform.Query(ctx, number)
}

func (s *stubborn) Refund(ctx context.Context, r RefundOrder) (RefundReceipt, error) {
	s.refunds++
	return s.fakePlatform.Refund(ctx, r)
}

func (s *stubborn) Prepay(ctx context.Context, p Prepayment) (PayParams, error) {
	params, err := s.fakePlatform.Prepay(ctx, p)
	if s.prepares != nil {
		s.prepares()
	}
	return params, err
}

func TestAnOrderStaysClosingWhileThePlatformHoldsTheNumberOpen(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.must(w.orders.Prepay(ctx, "mia", o.ID))
	platform := &stubborn{fakePlatform: w.platform, closes: ErrPaymentRefused}
	w.orders.deps.Payments = platform
	got, err := w.orders.Cancel(ctx, "mia", o.ID)
	if err != nil || got.State != StateClosing || got.NextAt.IsZero() {
		t.Errorf("got %v in %s, next %v", err, got.State, got.NextAt)
	}
	platform.queries = w.platform.notice(o.ID)
	platform.queries.State, platform.queries.Total, platform.queries.TransactionID = PaymentDone, 1, "t"
	w.clock.Advance(time.Hour)
	if _, err := w.orders.Tick(ctx); !errors.Is(err, ErrPaymentMismatch) {
		t.Errorf("a payment of another amount must not end it: %v", err)
	}
	if got := w.get(o.ID); got.State != StateClosing || len(got.Incidents) != 1 || !got.NextAt.After(w.clock.Now()) {
		t.Errorf("got %s, incidents %v, next %v", got.State, got.Incidents, got.NextAt)
	}
}

func TestParametersOfAnOrderGivenUpMeanwhileReachNobody(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.orders.deps.Payments = &stubborn{fakePlatform: w.platform, prepares: func() {
		if _, err := w.orders.Cancel(ctx, "mia", o.ID); err != nil {
			t.Error(err)
		}
	}}
	if params, err := w.orders.Prepay(ctx, "mia", o.ID); !errors.Is(err, ErrNotPayable) || params != (PayParams{}) {
		t.Errorf("got %v %v", params, err)
	}
	if w.platform.payable(o.ID) || w.get(o.ID).State != StateClosed {
		t.Error("the number is still open")
	}
}

func TestPrepayOfAnOrderPaidUnseenSettlesIt(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.platform.payAnyway(o.ID, o.Amount)
	if _, err := w.orders.Prepay(ctx, "mia", o.ID); !errors.Is(err, ErrAlreadyPaid) {
		t.Errorf("got %v", err)
	}
	if got := w.get(o.ID); got.State != StatePaid {
		t.Errorf("state %s", got.State)
	}
}

func TestADoubtfulRefundIsAskedForBeforeItIsSentAgain(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	platform := &stubborn{fakePlatform: w.platform}
	w.orders.deps.Payments = platform
	o := w.confirmed("k")
	w.must(w.orders.Refund(ctx, RefundInput{Key: "a", Order: o.ID, By: "mia", Reason: "x"}))
	w.platform.unclear = 1
	if err := w.orders.SubmitRefund(ctx, o.ID, o.ID+"r1"); !errors.Is(err, ErrPaymentsAway) {
		t.Fatalf("got %v", err)
	}
	w.must(nil, w.orders.SubmitRefund(ctx, o.ID, o.ID+"r1"))
	if r := w.get(o.ID).Refunds[0]; platform.refunds != 1 || r.Stage != StageProcessing {
		t.Errorf("sent %d times, now %s", platform.refunds, r.Stage)
	}
}

func TestRefundRefusesBadInput(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.confirmed("k")
	good := RefundInput{Key: "a", Order: o.ID, By: "mia", Reason: "x", Lines: []RefundLine{{1, 1}}}
	for name, c := range map[string]struct {
		change func(*RefundInput)
		want   error
	}{
		"no key":         {func(in *RefundInput) { in.Key = "" }, ErrBadInput},
		"no reason":      {func(in *RefundInput) { in.Reason = "" }, ErrBadInput},
		"long reason":    {func(in *RefundInput) { in.Reason = strings.Repeat("字", 81) }, ErrBadInput},
		"line zero":      {func(in *RefundInput) { in.Lines = []RefundLine{{0, 1}} }, ErrRefundLines},
		"negative line":  {func(in *RefundInput) { in.Lines = []RefundLine{{-1, 1}} }, ErrRefundLines},
		"line too far":   {func(in *RefundInput) { in.Lines = []RefundLine{{3, 1}} }, ErrRefundLines},
		"negative units": {func(in *RefundInput) { in.Lines = []RefundLine{{1, -1}} }, ErrRefundLines},
		"huge units":     {func(in *RefundInput) { in.Lines = []RefundLine{{1, 1 << 62}} }, ErrRefundLines},
		"too many units": {func(in *RefundInput) { in.Lines = []RefundLine{{1, 4}} }, ErrRefundTooMuch},
		"too many lines": {func(in *RefundInput) { in.Lines = make([]RefundLine, 51) }, ErrRefundLines},
	} {
		in := good
		c.change(&in)
		if _, err := w.orders.Refund(ctx, in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := w.get(o.ID); len(got.Refunds) != 0 {
		t.Errorf("left behind: %v", got.Refunds)
	}
	for _, number := range []string{"", "x", o.ID, o.ID + "r", o.ID + "r0", o.ID + "r01", o.ID + "r100000", "\x00"} {
		if _, err := w.orders.SettleRefund(ctx, RefundReceipt{Number: number, State: RefundDone}); !errors.Is(err, ErrNotFound) {
			t.Errorf("refund number %q: %v", number, err)
		}
	}
}

func TestARefundMadeElsewhereIsSeen(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.confirmed("k")
	for _, receipt := range []RefundReceipt{
		{Number: o.ID + "r1", State: RefundDone, Refund: 1},
		{Number: "desk-7", OrderNumber: o.ID, State: RefundDone, Refund: 100},
		{Number: "desk-7", OrderNumber: o.ID, State: RefundDone, Refund: 100},
	} {
		if _, err := w.orders.SettleRefund(ctx, receipt); !errors.Is(err, ErrRefundMismatch) {
			t.Errorf("%s: %v", receipt.Number, err)
		}
	}
	got := w.get(o.ID)
	want := []Incident{
		{Kind: IncidentForeignRefund, Detail: o.ID + "r1 1", At: start},
		{Kind: IncidentForeignRefund, Detail: "desk-7 100", At: start},
	}
	if diff := cmp.Diff(want, got.Incidents); diff != "" || got.State != StateConfirmed || len(got.Refunds) != 0 {
		t.Errorf("state %s, incidents (-want +got):\n%s", got.State, diff)
	}
	page, err := w.orders.WithIncidents(ctx, Page{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != o.ID {
		t.Errorf("with incidents: %d, %v", len(page.Items), err)
	}
}

func TestSettlingFromManySidesPaysOnce(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.must(w.orders.Prepay(ctx, "mia", o.ID))
	w.platform.pay(o.ID)
	w.clock.Advance(time.Minute)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { w.must(w.orders.Settle(ctx, w.platform.notice(o.ID))) })
		group.Go(func() { w.must(w.orders.Heal(ctx, o.ID)) })
		group.Go(func() { w.must(w.orders.Tick(ctx)) })
		group.Go(func() { w.must(nil, w.orders.Seated(ctx, o.ID, 1, true)) })
	}
	group.Wait()
	names := map[string]int{}
	for _, m := range w.takeMail() {
		names[m.Name]++
	}
	if diff := cmp.Diff(map[string]int{EventPaid: 1, EventConfirmed: 1}, names); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestOneBadOrderDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	for _, key := range []string{"a", "b", "c", "d"} {
		w.place(key)
	}
	w.clock.Advance(time.Hour)
	w.platform.away = 1
	moved, err := w.orders.Tick(ctx)
	if moved != 3 || !errors.Is(err, ErrPaymentsAway) {
		t.Errorf("moved %d, %v", moved, err)
	}
	w.clock.Advance(time.Minute)
	if moved, err = w.orders.Tick(ctx); moved != 1 || err != nil {
		t.Errorf("then moved %d, %v", moved, err)
	}
}

func TestTickIsBounded(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		w.place(key)
	}
	w.clock.Advance(time.Hour)
	w.orders.config.TickOrders = 2
	for _, want := range []int{2, 2, 1, 0} {
		if moved, err := w.orders.Tick(ctx); moved != want || err != nil {
			t.Errorf("moved %d, want %d, %v", moved, want, err)
		}
	}
}

func TestConfirmCampaignReachesEveryPaidOrder(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	for n := range 230 { // more than a page
		key := "k" + strconv.Itoa(n)
		o := w.place(key, Wish{"tea", 1})
		w.must(w.orders.Prepay(ctx, "mia", o.ID))
		w.platform.pay(o.ID)
		w.must(w.orders.Settle(ctx, w.platform.notice(o.ID)))
		if n != 17 { // its seat comes after the forming
			w.must(nil, w.orders.Seated(ctx, o.ID, int64(n+1), false))
		}
	}
	w.must(nil, w.orders.ConfirmCampaign(ctx, "spring"))
	page, err := w.orders.list(ctx, Page{}.query(docstore.By(indexCampaign, "spring", StatePaid)))
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d left, %v", len(page.Items), err)
	}
	w.must(nil, w.orders.Seated(ctx, page.Items[0].ID, 18, false))
	if got := w.get(page.Items[0].ID); got.State != StateConfirmed {
		t.Errorf("the late seat is %s", got.State)
	}
}

func TestListsArePagedAndTheirCursorsChecked(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t).trust(), t.Context()
	var want []string
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		want = append(want, w.place(key).ID)
		w.clock.Advance(time.Second)
	}
	slices.Reverse(want)
	var got []string
	for page := (Page{Limit: 2}); ; {
		list, err := w.orders.Mine(ctx, "mia", page)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			got = append(got, o.ID)
		}
		if page.After = list.Next; list.Next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mine (-want +got):\n%s", diff)
	}
	if list, err := w.orders.Mine(ctx, "nora", Page{}); err != nil || len(list.Items) != 0 {
		t.Errorf("nora has %d orders, %v", len(list.Items), err)
	}
	if _, err := w.orders.Mine(ctx, "mia", Page{After: "nonsense"}); !errors.Is(err, ErrBadInput) {
		t.Errorf("a damaged cursor: %v", err)
	}
}

func TestTheStoreAwayIsToldAndHarmless(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	o := w.place("k")
	w.must(w.orders.Prepay(ctx, "mia", o.ID))
	w.platform.pay(o.ID)
	for name, use := range map[string]func() error{
		"place": func() error {
			_, err := w.orders.Place(ctx, PlaceInput{Key: "n", Member: "mia", Campaign: "c", Lines: []Wish{{"tea", 1}}})
			return err
		},
		"prepay": func() error { _, err := w.orders.Prepay(ctx, "mia", o.ID); return err },
		"cancel": func() error { _, err := w.orders.Cancel(ctx, "mia", o.ID); return err },
		"settle": func() error { _, err := w.orders.Settle(ctx, w.platform.notice(o.ID)); return err },
		"heal":   func() error { _, err := w.orders.Heal(ctx, o.ID); return err },
		"seated": func() error { return w.orders.Seated(ctx, o.ID, 1, true) },
		"refund": func() error { return w.orders.RefundWhole(ctx, o.ID, "x", "y") },
		"ship":   func() error { _, err := w.orders.Ship(ctx, "hana", o.ID, ShipInput{Kind: ShipPickup}); return err },
		"tick":   func() error { _, err := w.orders.Tick(ctx); return err },
		"mine":   func() error { _, err := w.orders.Mine(ctx, "mia", Page{}); return err },
		"formed": func() error { return w.orders.ConfirmCampaign(ctx, "spring") },
	} {
		w.driver.breakBefore(100)
		err := use()
		w.driver.heal()
		if !errors.Is(err, docstore.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if outcome, err := w.orders.Settle(ctx, w.platform.notice(o.ID)); err != nil || outcome != OutcomePaid {
		t.Errorf("afterwards: %s %v", outcome, err)
	}
}

func TestFaultsAreCompleteAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range Faults() {
		if seen[f.Code] || !strings.HasPrefix(f.Code, "ORD_") || f.ZH == "" || f.EN == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Code] = true
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{Hold: -1}, {Hold: 25 * time.Hour}, {TickOrders: -1}, {Workers: 65}, {AfterSale: -1}} {
		if _, err := c.withDefaults(); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if _, err := New(t.Context(), Deps{}); err == nil {
		t.Error("no dependencies were taken")
	}
}
