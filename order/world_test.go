package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// counter deals numbers to many goroutines.
type counter struct {
	mu sync.Mutex
	n  int64
}

func (c *counter) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}

var start = time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)

// world is an order service among fakes that behave as their contracts say, and misbehave on command.
type world struct {
	t        testing.TB
	clock    *clock.Manual
	driver   *brittle
	store    *docstore.Store
	orders   *Service
	campaign *fakeCampaigns
	stock    *fakeStock
	hosts    *fakeHosts
	platform *fakePlatform

	mu   sync.Mutex
	mail []letter
}

type letter struct {
	Doc, Name string
	Msg       docstore.Message
}

func newWorld(t testing.TB) *world {
	t.Helper()
	driver := docstoretest.Embedded(t)
	w := &world{t: t, clock: clock.NewManual(start), driver: &brittle{Driver: driver}}
	ring, err := docstore.NewKeyRing(make([]byte, 32), docstore.Key{ID: "t1", Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	w.store, err = docstore.New(docstore.Config{Driver: w.driver, Clock: w.clock, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.store.OnCommitted(func(_, id string, messages []docstore.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, m := range messages {
			w.mail = append(w.mail, letter{id, m.Name, m})
		}
	})
	w.campaign = &fakeCampaigns{claims: map[string]string{}, holders: map[string]claim.Holders{}}
	w.stock = &fakeStock{free: map[string]int64{"tea": 1000, "nuts": 1000, "gift": 1000}, holds: map[string][]Wish{}, holders: map[string]claim.Holders{}}
	w.hosts = &fakeHosts{}
	w.platform = &fakePlatform{clock: w.clock, numbers: map[string]*fakeNumber{}, refunds: map[string]*RefundReceipt{}}
	w.orders, err = New(t.Context(), Deps{
		Store: w.store, Clock: w.clock, Campaigns: w.campaign, Stock: w.stock, Referrer: fakeReferrer{},
		Members: fakeMembers{}, Pickups: fakePickups{}, Hosts: w.hosts, Payments: w.platform,
		Config: Config{AppID: "wxapp", MchID: "1900001"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// trust lets everybody hold as much as they like.
func (w *world) trust() *world {
	w.orders.config.Terms = []Terms{{Orders: maxEntries, Units: 1 << 40, CampaignOrders: maxEntries, CampaignUnits: 1 << 40}}
	return w
}

// takeMail empties the mailbox.
func (w *world) takeMail() []letter {
	w.mu.Lock()
	defer w.mu.Unlock()
	mail := w.mail
	w.mail = nil
	return mail
}

func (w *world) place(key string, lines ...Wish) *Order {
	w.t.Helper()
	if len(lines) == 0 {
		lines = []Wish{{"tea", 3}, {"nuts", 1}}
	}
	o, err := w.orders.Place(w.t.Context(), PlaceInput{Key: key, Member: "mia", Campaign: "spring", Lines: lines})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// paid places and pays an order and lets it be seated in a formed campaign.
func (w *world) confirmed(key string, lines ...Wish) *Order {
	w.t.Helper()
	o := w.place(key, lines...)
	w.must(w.orders.Prepay(w.t.Context(), "mia", o.ID))
	w.platform.pay(o.ID)
	w.must(w.orders.Settle(w.t.Context(), w.platform.notice(o.ID)))
	if err := w.orders.Seated(w.t.Context(), o.ID, 1, true); err != nil {
		w.t.Fatal(err)
	}
	return w.get(o.ID)
}

func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(id string) *Order {
	w.t.Helper()
	o, err := w.orders.Get(context.WithoutCancel(w.t.Context()), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// code names an error for comparison: the fault's code, or its text.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if f := fault.Of(err); f != nil {
		return f.Code
	}
	for _, known := range []error{docstore.ErrUnavailable, docstore.ErrUnclear, docstore.ErrContended} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// brittle is a driver whose next operations fail on command.
type brittle struct {
	docstore.Driver
	mu     sync.Mutex
	before int // refuse that many operations: nothing happens
	after  int // do the write, lose the reply, and refuse that many operations after it
	writes int
}

func (b *brittle) breakBefore(n int) { b.mu.Lock(); defer b.mu.Unlock(); b.before = n }
func (b *brittle) breakAfter(n int)  { b.mu.Lock(); defer b.mu.Unlock(); b.after = n }
func (b *brittle) heal()             { b.mu.Lock(); defer b.mu.Unlock(); b.before, b.after = 0, 0 }

func (b *brittle) refuses() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.before > 0 {
		b.before--
		return true
	}
	return false
}

func (b *brittle) Get(ctx context.Context, c string, ids []string) ([]docstore.Record, error) {
	if b.refuses() {
		return nil, docstore.ErrUnavailable
	}
	return b.Driver.Get(ctx, c, ids)
}

func (b *brittle) Find(ctx context.Context, c string, q docstore.Query) ([]docstore.Record, string, error) {
	if b.refuses() {
		return nil, "", docstore.ErrUnavailable
	}
	return b.Driver.Find(ctx, c, q)
}

func (b *brittle) Write(ctx context.Context, ops []docstore.Op) []error {
	if b.refuses() {
		return slices.Repeat([]error{docstore.ErrUnavailable}, len(ops))
	}
	results := b.Driver.Write(ctx, ops)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes += len(ops)
	if b.after > 0 {
		b.before, b.after = b.after, 0
		return slices.Repeat([]error{docstore.ErrUnclear}, len(ops))
	}
	return results
}

// fakeCampaigns sells tea, nuts and a free gift in every campaign; at most 50 claims.
type fakeCampaigns struct {
	mu      sync.Mutex
	admits  int
	claims  map[string]string // order → member
	holders map[string]claim.Holders
	refuses error
}

var errFull = fault.Define("GRP_FULL", fault.Conflict, "满了", "full")

func (f *fakeCampaigns) offer(lines []Wish) (Offer, error) {
	offer := Offer{Host: "hana", Community: "lane"}
	prices := map[string]money.Fen{"tea": 1099, "nuts": 350, "gift": 0, "gold": money.Max, "penny": 1}
	for _, l := range lines {
		price, ok := prices[l.SKU]
		if !ok {
			return Offer{}, errFull
		}
		offer.Lines = append(offer.Lines, OfferLine{
			SKU: l.SKU, Product: "p-" + l.SKU, Name: "山货 " + l.SKU, Units: l.Units, Price: price, Cost: price / 2,
			Category: "food",
		})
	}
	slices.Reverse(offer.Lines) // the order of an offer's lines means nothing
	return offer, nil
}

func (f *fakeCampaigns) Admit(_ context.Context, a Admission) (Offer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.admits++
	if f.refuses != nil {
		return Offer{}, f.refuses
	}
	offer, err := f.offer(a.Lines)
	if err == nil {
		f.claims[a.Order], f.holders[a.Order] = a.Member, join(f.holders, a.Try)
	}
	return offer, err
}

func (f *fakeCampaigns) Quote(_ context.Context, a Admission) (Offer, error) { return f.offer(a.Lines) }

func (f *fakeCampaigns) Undo(_ context.Context, a Admission) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left(f.holders, a.Try) {
		delete(f.claims, a.Order)
	}
	return nil
}

func join(holders map[string]claim.Holders, t claim.Try) claim.Holders {
	if known, ok := holders[t.Order]; ok {
		return known.Join(t)
	}
	return claim.HeldBy(t)
}

// left takes an attempt off and tells whether it was the last.
func left(holders map[string]claim.Holders, t claim.Try) bool {
	known, ok := holders[t.Order]
	if !ok {
		return false
	}
	if holders[t.Order] = known.Leave(t); holders[t.Order].Nobody() {
		delete(holders, t.Order)
		return true
	}
	return false
}

// fakeStock holds units by order.
type fakeStock struct {
	mu      sync.Mutex
	free    map[string]int64
	holds   map[string][]Wish
	holders map[string]claim.Holders
	refuses error
}

var errSoldOut = fault.Define("CAT_SOLD_OUT", fault.Conflict, "售罄", "sold out")

func (f *fakeStock) Hold(_ context.Context, t claim.Try, _ time.Time, lines []Wish) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses != nil {
		return f.refuses
	}
	order := t.Order
	if f.holds[order] != nil {
		f.holders[order] = join(f.holders, t)
		return nil
	}
	for _, l := range lines {
		if f.free[l.SKU] < l.Units {
			return errSoldOut
		}
	}
	for _, l := range lines {
		f.free[l.SKU] -= l.Units
	}
	f.holds[order], f.holders[order] = slices.Clone(lines), claim.HeldBy(t)
	return nil
}

func (f *fakeStock) Undo(_ context.Context, t claim.Try, _ []Wish) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left(f.holders, t) {
		f.giveUp(t.Order)
	}
	return nil
}

func (f *fakeStock) giveUp(order string) {
	for _, l := range f.holds[order] {
		f.free[l.SKU] += l.Units
	}
	delete(f.holds, order)
	delete(f.holders, order)
}

func (f *fakeStock) Release(_ context.Context, order string, _ []Wish) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.giveUp(order)
	return nil
}

// fakeHosts lets everybody host until it is told otherwise.
type fakeHosts struct {
	mu      sync.Mutex
	refuses error
}

var errRevoked = fault.Define("HST_REVOKED", fault.Denied, "暂停", "revoked")

func (f *fakeHosts) MayRun(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refuses
}

func (f *fakeHosts) revoke() { f.mu.Lock(); defer f.mu.Unlock(); f.refuses = errRevoked }

type fakeReferrer struct{}

func (fakeReferrer) Attribute(_ context.Context, _, host, _ string, _ time.Time) (Referral, error) {
	return Referral{Policy: "v1", Direct: host, Why: "campaign-host"}, nil
}

type fakeMembers struct{}

func (fakeMembers) JoinedAt(context.Context, string) (time.Time, error) { return start, nil }

func (fakeMembers) OpenID(_ context.Context, member string) (string, error) {
	return "o-" + member, nil
}

type fakePickups struct{}

func (fakePickups) PickupPoint(_ context.Context, _, point string) (Pickup, error) {
	if point != "gate" {
		return Pickup{}, fault.Define("COMM_NOT_FOUND", fault.NotFound, "无", "none")
	}
	return Pickup{Point: point, Name: "北门", Keeper: "keeper"}, nil
}

func (fakePickups) Grade(_ context.Context, host string) (string, error) {
	return "grade-of-" + host, nil
}

// fakePlatform is the payment platform: per number one payment, per refund number one refund.
type fakePlatform struct {
	mu      sync.Mutex
	clock   clock.Clock
	numbers map[string]*fakeNumber
	refunds map[string]*RefundReceipt
	away    int         // that many calls are not carried out
	unclear int         // that many calls are carried out, but the answer is lost
	poor    bool        // refunds are refused: the merchant's account is empty
	lands   RefundState // what a new refund becomes at once; default PROCESSING
	calls   int
}

type fakeNumber struct {
	Payment
	paid, refunded money.Fen
}

// call counts a call and tells whether it is lost before (error) or after (later) it has its effect.
func (f *fakePlatform) call() (later, now error) {
	f.calls++
	switch {
	case f.away > 0:
		f.away--
		return nil, fmt.Errorf("fake: %w", ErrPaymentsAway)
	case f.unclear > 0:
		f.unclear--
		return fmt.Errorf("fake: %w", ErrPaymentsAway), nil
	}
	return nil, nil
}

func (f *fakePlatform) Prepay(_ context.Context, p Prepayment) (PayParams, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	later, err := f.call()
	if err != nil {
		return PayParams{}, err
	}
	if n := f.numbers[p.Number]; n != nil && n.State != PaymentOpen {
		return PayParams{}, ErrPaymentRefused.Because(errors.New("ORDERPAID or ORDER_CLOSED"))
	}
	f.numbers[p.Number] = &fakeNumber{Payment: Payment{
		Number: p.Number, AppID: "wxapp", MchID: "1900001", State: PaymentOpen, Total: p.Total, Currency: "CNY",
	}}
	return PayParams{PrepayID: "pre-" + p.Number, Package: "prepay_id=pre-" + p.Number}, later
}

func (f *fakePlatform) Sign(_ context.Context, prepayID string) (PayParams, error) {
	return PayParams{PrepayID: prepayID, Package: "prepay_id=" + prepayID}, nil
}

func (f *fakePlatform) Query(_ context.Context, number string) (Payment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	later, err := f.call()
	if err != nil {
		return Payment{}, err
	}
	n := f.numbers[number]
	if n == nil {
		return Payment{State: PaymentUnknown}, later
	}
	return n.Payment, later
}

func (f *fakePlatform) Close(_ context.Context, number string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	later, err := f.call()
	if err != nil {
		return err
	}
	n := f.numbers[number]
	switch {
	case n == nil:
		return ErrPaymentRefused.Because(errors.New("ORDER_NOT_EXIST"))
	case n.State == PaymentDone || n.State == PaymentRefund:
		return ErrPaymentRefused.Because(errors.New("ORDERPAID"))
	}
	n.State = PaymentClosed
	return later
}

func (f *fakePlatform) Refund(_ context.Context, r RefundOrder) (RefundReceipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	later, err := f.call()
	if err != nil {
		return RefundReceipt{}, err
	}
	if known := f.refunds[r.Number]; known != nil {
		return *known, later
	}
	n := f.numbers[r.OrderNumber]
	if f.poor || n == nil || n.paid != r.Total || r.Refund < 1 || n.refunded+r.Refund > n.paid {
		return RefundReceipt{}, ErrPaymentRefused.Because(errors.New("NOT_ENOUGH"))
	}
	n.refunded += r.Refund
	n.State = PaymentRefund
	receipt := &RefundReceipt{
		Number: r.Number, OrderNumber: r.OrderNumber, RefundID: "R" + strconv.Itoa(len(f.refunds)),
		State: RefundProcessing, Refund: r.Refund,
	}
	f.refunds[r.Number] = receipt
	if f.lands != "" {
		f.land(r.Number, f.lands)
	}
	return *receipt, later
}

func (f *fakePlatform) QueryRefund(_ context.Context, number string) (RefundReceipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	later, err := f.call()
	if err != nil {
		return RefundReceipt{}, err
	}
	if known := f.refunds[number]; known != nil {
		return *known, later
	}
	return RefundReceipt{State: RefundUnknown}, later
}

// land ends a refund that is being processed.
func (f *fakePlatform) land(number string, state RefundState) {
	r := f.refunds[number]
	if r == nil || r.State == RefundDone || r.State == RefundClosed {
		return
	}
	r.State, r.DoneAt = state, f.clock.Now()
	if state == RefundClosed {
		f.numbers[r.OrderNumber].refunded -= r.Refund
	}
}

// pay is the person tapping pay; it fails when the number is not open.
func (f *fakePlatform) pay(number string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.numbers[number]
	if n == nil || n.State != PaymentOpen {
		return false
	}
	n.State, n.TransactionID, n.PaidAt, n.paid = PaymentDone, "42"+number, f.clock.Now(), n.Total
	return true
}

// payAnyway is a payment the platform lets through after a close.
func (f *fakePlatform) payAnyway(number string, total money.Fen) {
	f.mu.Lock()
	f.numbers[number] = &fakeNumber{Payment: Payment{
		Number: number, AppID: "wxapp", MchID: "1900001", State: PaymentOpen, Total: total, Currency: "CNY",
	}}
	f.mu.Unlock()
	f.pay(number)
}

// payable tells whether somebody could still pay the number, or has.
func (f *fakePlatform) payable(number string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.numbers[number]
	return n != nil && n.State != PaymentClosed
}

func (f *fakePlatform) notice(number string) Payment {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.numbers[number]; n != nil {
		return n.Payment
	}
	return Payment{Number: number, State: PaymentUnknown}
}

func (f *fakePlatform) refundNotice(number string) RefundReceipt {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.refunds[number]; r != nil {
		return *r
	}
	return RefundReceipt{Number: number, State: RefundUnknown}
}
