package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/event"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/proof/auditor"
)

func twoLevels(from time.Time) policy.Policy {
	return policy.Policy{
		From: from, SecondLevel: true, Cap: 1000, HasMarginFloor: true, MarginFloor: 2000,
		Rules: []policy.Rule{
			{Pays: []policy.Pay{{Role: commission.Direct, Rate: 777}, {Role: commission.Upline, Rate: 222}, {Role: commission.Host, Rate: 333}}},
			{SKU: "sku2", Pays: []policy.Pay{{Role: commission.Host, Fixed: 35}, {Role: commission.Pickup, Fixed: 7}}},
			{Grade: "gold", Pays: []policy.Pay{{Role: commission.Direct, Rate: 900}, {Role: commission.Upline, Rate: 250}, {Role: commission.Pickup, Rate: 33}}},
		},
	}
}

// live lets a small world go through everything once.
func (w *world) live() {
	w.t.Helper()
	w.publish(twoLevels(w.clock.Now()))
	first, second, third := w.sale("o1", 3333, 1000), w.sale("o2", 5_000_000), w.sale("o3", 777)
	for _, s := range []order.Sale{first, second, third} {
		w.confirm(s)
	}
	w.refund(first, 1, 1)
	w.refund(first, 1, 1112)
	w.receive(first)
	w.receive(second)
	w.drain()
	w.clock.Advance(8 * 24 * time.Hour)
	w.settle()
	w.refund(first, 1, 3333) // after settlement
	w.refund(third, 1, 777)  // before receipt
	w.drain()
	w.withdraw("alice", "k1", 150_000, withdrawal.TransferSuccess) // taxed
	w.withdraw("alice", "k2", 300, withdrawal.TransferFailed)
	w.withdraw("alice", "k3", 400, withdrawal.TransferCancelled)
	w.withdraw("alice", "k4", 500, "") // waits
	w.voucher("v1", commission.Adjust, commission.Adjustment, commission.Available.Of("carol"), 327)
	w.voucher("v2", commission.Adjust, commission.Available.Of("bob"), commission.Adjustment, 100)
	w.voucher("v3", commission.Incentive, commission.StaffIncentive, commission.Available.Of(commission.Staff("zhang")), 8800)
	w.voucher("v4", commission.Transfer, commission.Bank, commission.MerchantBalance, 1000)
}

func TestTheFactsAndThePursesAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	r := w.audit()
	if !r.Good() {
		t.Errorf("%+v", r)
	}
	p, err := w.ledger.Purse(t.Context(), "alice")
	must(t, err)
	if p.Withdrawn == 0 || p.Withdrawn == 150_000 || p.Withdrawing != 500 {
		t.Errorf("the world is too tame: %+v", p.Balance)
	}
	want := &auditor.Report{Orders: 3, Withdrawals: 4, Vouchers: 4, Purses: 6}
	r.Waiting = 0
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

type purseDoc struct {
	docstore.Doc `bson:",inline"`
	Pending      int64  `bson:"pending"`
	Available    int64  `bson:"available"`
	Withdrawing  int64  `bson:"withdrawing"`
	Withdrawn    int64  `bson:"withdrawn"`
	Tail         string `bson:"tail"`
}

func TestAWrongPurseIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	purses, err := docstore.Open[purseDoc](t.Context(), w.store, docstore.Spec{Name: "purses"})
	must(t, err)
	_, err = purses.Update(t.Context(), "bob", func(p *purseDoc) error {
		p.Available++
		return nil
	})
	must(t, err)
	_, err = purses.Upsert(t.Context(), "stranger", func(p *purseDoc) error {
		p.Withdrawn = 5
		return nil
	})
	must(t, err)
	r := w.audit()
	if r.Good() || !r.Certain() || len(r.Differences) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, member := range []string{"bob", "stranger"} {
		d := r.Differences[i]
		if d.Member != member || d.First != (auditor.Source{}) || !strings.Contains(d.Text, "rebuild") || d.Doubt != "" {
			t.Errorf("%+v", d)
		}
	}
}

// TestTheFirstWrongOrderIsNamed posts what the facts do not tell, by calling the ledger behind the events' back.
func TestTheFirstWrongOrderIsNamed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t)
	w.live()
	host := func(number string, at time.Time) {
		must(t, w.ledger.Accrue(ctx, commission.Sale{
			Order: number, At: at, Host: "host1", Lines: []commission.SaleLine{{Line: 1, SKU: "sku2", Units: 1, Paid: 10_000}},
		}))
	}
	host("ghost2", w.clock.Now())
	host("ghost1", w.clock.Now().Add(-time.Hour))
	must(t, w.ledger.Reserve(ctx, commission.Hold{Member: "carol", Number: "GHOST", Amount: 27, At: w.clock.Now()}))
	must(t, w.ledger.ClawBack(ctx, commission.Refund{Order: "o2", Number: "forged", At: w.clock.Now(), Lines: []commission.RefundLine{{Line: 1, Refunded: 5_000_000, Paid: 5_000_000}}}))
	must(t, w.ledger.CatchUp(ctx))
	r := w.audit()
	got := map[string]string{}
	for _, d := range r.Differences {
		got[d.Member] = d.First.String()
	}
	want := map[string]string{"alice": "order o2", "bob": "order o2", "keeper": "order o2", "carol": "withdrawal GHOST", "host1": "order ghost1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%+v", diff, r.Differences)
	}
	if !strings.HasSuffix(r.Differences[slices.IndexFunc(r.Differences, func(d auditor.Difference) bool { return d.Member == "host1" })].Text, "and 1 more") {
		t.Errorf("%+v", r.Differences)
	}
}

func TestWhatIsOnItsWayIsADoubtAndNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.confirm(w.sale("o9", 2000)) // in the outbox; nobody takes it yet
	if r := w.audit(); !r.Good() || r.Waiting == 0 {
		t.Errorf("an order nobody has taken: %+v", r)
	}
	must(t, w.relay.Drain(t.Context())) // accrued, but not sealed
	r := w.audit()
	if r.Good() || r.Certain() || !strings.Contains(r.Differences[0].Doubt, "accrue/o9") {
		t.Errorf("an entry without its seal: %+v", r)
	}
	must(t, w.ledger.CatchUp(t.Context()))
	if r := w.audit(); !r.Good() {
		t.Errorf("%+v", r)
	}
	w.refund(w.sale("o9", 2001), 1, 5) // not what was sold: it is refused, and parked
	must(t, w.relay.Drain(t.Context()))
	for range 20 {
		w.clock.Advance(time.Hour)
		_, err := w.relay.SweepOnce(t.Context())
		must(t, err)
	}
	if parked, err := w.relay.Parked(t.Context(), 10); err != nil || len(parked) != 1 {
		t.Fatalf("parked %v, %v", parked, err)
	}
	if r := w.audit(); !r.Good() || r.Waiting == 0 {
		t.Errorf("a parked refund has not been carried out: %+v", r)
	}
	kept, err := w.orders.Get(t.Context(), "o9")
	must(t, err)
	if kept.Member != "buyer" || kept.Campaign != "c1" || kept.PlacedAt.IsZero() || len(kept.Outbox) != 0 {
		t.Errorf("the relay lost a part of the order after the audit: %+v", kept)
	}
}

func TestALineThatSettledTooEarlyIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(twoLevels(w.clock.Now()))
	s := w.sale("o1", 1000)
	w.confirm(s)
	w.drain()
	// The ledger hears of another receipt than the order's.
	must(t, w.ledger.StartWindow(t.Context(), "o1", w.clock.Now().Add(-30*24*time.Hour), time.Time{}))
	w.settle()
	r := w.audit()
	if len(r.Early) != 1 || !strings.Contains(r.Early[0], "nobody has received") || r.Good() || !r.Certain() {
		t.Errorf("%+v", r)
	}
	w.receive(s)
	w.drain()
	r = w.audit()
	if len(r.Early) != 1 || !strings.Contains(r.Early[0], "before its after-sale window ended") {
		t.Errorf("%+v", r)
	}
}

// TestRandomWorldsAgree does a few hundred things at random, under changing random policies, and audits again and again.
func TestRandomWorldsAgree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			g := &gambler{world: newWorld(t), Rand: rand.New(rand.NewPCG(seed, 1))}
			g.publish(g.policy())
			for step := range 300 {
				g.step(step)
				if step%100 == 99 {
					g.drain()
					if r := g.audit(); !r.Good() {
						t.Fatalf("seed %d, step %d: %+v %v", seed, step, r.Differences, r.Early)
					}
				}
			}
		})
	}
}

type gambler struct {
	*world
	*rand.Rand
	sold []order.Sale
	back map[string]money.Fen
}

func (g *gambler) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *gambler) policy() policy.Policy {
	p := policy.Policy{
		SecondLevel: g.IntN(2) == 0, Cap: money.BasisPoints(g.IntN(3001)), HasMarginFloor: g.IntN(2) == 0,
		MarginFloor: money.BasisPoints(g.IntN(5000)), NoSelfPurchase: g.IntN(2) == 0, Note: fmt.Sprint(g.Uint32()),
	}
	subjects := []policy.Rule{{}, {SKU: "sku1"}, {Product: "p2"}, {Campaign: "c1"}, {Category: "生鲜"}, {Community: "com2"}, {Grade: "gold"}, {SKU: "sku3"}}
	for _, r := range subjects {
		if g.IntN(3) == 0 && len(p.Rules) > 0 {
			continue
		}
		for _, role := range []commission.Role{commission.Host, commission.Direct, commission.Upline, commission.Pickup} {
			if g.IntN(3) == 0 || role == commission.Upline && !p.SecondLevel {
				continue
			}
			pay := policy.Pay{Role: role, Rate: money.BasisPoints(1 + g.IntN(2000))}
			if g.IntN(3) == 0 {
				pay.Rate, pay.Fixed = 0, money.Fen(1+g.IntN(200))
			}
			r.Pays = append(r.Pays, pay)
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func (g *gambler) order(number string) order.Sale {
	people := []string{"", "ann", "ben", "cid", "dan"}
	s := order.Sale{
		Order: number, Member: g.pick("ann", "ben", "cid", "eve"), Campaign: g.pick("c1", "c2"), Community: g.pick("com1", "com2"), Host: g.pick(people...), Grade: g.pick("", "gold"),
		Keeper: g.pick(people...), Referral: order.Referral{Direct: g.pick(people...), Upline: g.pick(people...), Why: g.pick("self", "last-touch")},
	}
	for i := range 1 + g.IntN(4) {
		paid := money.Fen(g.IntN(30_000)) * money.Fen(1+g.IntN(2)*40)
		if g.IntN(6) == 0 {
			paid = 0
		}
		s.Lines = append(s.Lines, order.SaleLine{
			Line: i + 1, SKU: fmt.Sprint("sku", g.IntN(5)), Product: fmt.Sprint("p", g.IntN(4)), Category: g.pick("水果", "生鲜", ""),
			Units: 1 + g.Int64N(3), Paid: paid, Cost: money.Fen(g.IntN(6000)),
		})
	}
	return s
}

func (g *gambler) step(n int) {
	g.t.Helper()
	g.clock.Advance(time.Duration(g.IntN(180)) * time.Minute)
	if g.back == nil {
		g.back = map[string]money.Fen{}
	}
	switch k := g.IntN(20); {
	case k < 6 || len(g.sold) == 0:
		s := g.order(fmt.Sprint("o", n))
		g.sold = append(g.sold, s)
		g.confirm(s)
	case k < 9:
		g.receive(g.sold[g.IntN(len(g.sold))])
	case k < 14:
		s := g.sold[g.IntN(len(g.sold))]
		line := s.Lines[g.IntN(len(s.Lines))]
		key := fmt.Sprint(s.Order, "/", line.Line)
		if left := line.Paid - g.back[key]; left > 0 {
			g.back[key] += 1 + money.Fen(g.Int64N(int64(left)))
			g.refund(s, line.Line, g.back[key])
		}
	case k < 15:
		g.publish(g.policy())
		g.clock.Advance(time.Hour)
	case k < 17:
		g.drain()
		g.settle()
	case k < 19:
		g.drain()
		g.ask(n)
	default:
		g.voucher(fmt.Sprint("v", n), commission.Adjust, commission.Adjustment, commission.Available.Of(g.pick("ann", "ben")), money.Fen(1+g.IntN(5000)))
	}
}

func (g *gambler) ask(n int) {
	g.t.Helper()
	member := g.pick("ann", "ben", "cid", "dan")
	can, err := g.ledger.Spendable(g.t.Context(), member)
	must(g.t, err)
	if can.Free < 100 {
		return
	}
	outcome := []withdrawal.TransferState{"", withdrawal.TransferSuccess, withdrawal.TransferFailed, withdrawal.TransferCancelled}[g.IntN(4)]
	d, err := g.desk.Ask(g.t.Context(), withdrawal.AskInput{Key: fmt.Sprint("k", n), Member: member, Amount: 100 + money.Fen(g.Int64N(int64(can.Free)-99))})
	if err != nil {
		return // a limit
	}
	if outcome != "" && d.State == withdrawal.Waiting {
		_, err = g.desk.Settle(g.t.Context(), withdrawal.Outcome{Number: d.ID, State: outcome, At: g.clock.Now()})
		must(g.t, err)
	}
	must(g.t, g.ledger.CatchUp(g.t.Context()))
}

// watched remembers which indexes are declared.
type watched struct {
	docstore.Driver
	mu    sync.Mutex
	specs map[string][]docstore.Index
}

func (w *watched) Ensure(ctx context.Context, spec docstore.Spec) error {
	w.mu.Lock()
	w.specs[spec.Name] = spec.Indexes
	w.mu.Unlock()
	return w.Driver.Ensure(ctx, spec)
}

// TestTheAuditorDeclaresTheOwnersIndexes: were one missing, the store would drop it when an audit opens it first.
func TestTheAuditorDeclaresTheOwnersIndexes(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), clock.NewManual(time.Date(2026, 10, 8, 2, 0, 0, 0, time.UTC))
	watch := func() (*watched, *docstore.Store) {
		driver, err := sqlite.Open(ctx, sqlite.Options{Dir: t.TempDir()})
		must(t, err)
		w := &watched{Driver: driver, specs: map[string][]docstore.Index{}}
		return w, docstoretest.StoreOn(t, w, c)
	}
	owners, store := watch()
	ledger, err := commission.New(ctx, commission.Deps{Store: store, Clock: c, IDs: id.Random{}})
	must(t, err)
	_, err = withdrawal.New(ctx, withdrawal.Deps{Store: store, Clock: c, Ledger: ledger, Rail: &rail{}, Payees: payees{}, Taxes: noTaxes{}})
	must(t, err)
	_, err = sharing.OpenArchive(ctx, store)
	must(t, err)
	_, err = event.NewRelay(ctx, event.RelayConfig{Store: store, Clock: c})
	must(t, err)
	_, err = order.New(ctx, order.Deps{
		Store: store, Clock: c, Campaigns: struct{ order.Campaigns }{}, Stock: struct{ order.Stock }{}, Referrer: struct{ order.Referrer }{},
		Members: struct{ order.Members }{}, Pickups: struct{ order.Pickups }{}, Hosts: struct{ order.Hosts }{},
		Payments: struct{ order.Payments }{},
	})
	must(t, err)
	mine, store := watch()
	_, err = auditor.Audit(ctx, store, nil)
	must(t, err)
	if len(mine.specs) == 0 {
		t.Fatal("nothing opened")
	}
	for name, indexes := range mine.specs {
		if diff := cmp.Diff(owners.specs[name], indexes); diff != "" {
			t.Errorf("%s (-owner +auditor):\n%s", name, diff)
		}
	}
}

type noTaxes struct{ withdrawal.Taxes }

func TestAnAuditOfARebuildingLedgerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	books, err := docstore.Open[bookDoc](t.Context(), w.store, docstore.Spec{Name: "books"})
	must(t, err)
	_, err = books.Update(t.Context(), "main", func(b *bookDoc) error {
		b.Target = b.Folded + 1
		return nil
	})
	must(t, err)
	if _, err := auditor.Audit(t.Context(), w.store, nil); !errors.Is(err, auditor.ErrRebuilding) {
		t.Error(err)
	}
}

type bookDoc struct {
	docstore.Doc `bson:",inline"`
	Folded       int64 `bson:"folded"`
	Cleared      int64 `bson:"cleared"`
	Target       int64 `bson:"target"`
}
