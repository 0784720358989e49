package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order"
)

// The real services are what Run reads.
var (
	_ Orders      = (*order.Archive)(nil)
	_ Ledger      = (*commission.Service)(nil)
	_ Withdrawals = (*withdrawal.Service)(nil)
	_ Sharings    = (*sharing.Archive)(nil)
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// fakeOrders and fakeWithdrawals are plain maps; the ledger is the real one, copied so that a test can damage it.
type fakeOrders map[string]*order.Order

func (f fakeOrders) Each(_ context.Context, visit func(*order.Order) error) error {
	for _, key := range sorted(f) {
		if err := visit(f[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f fakeOrders) Many(_ context.Context, ids []string) (map[string]*order.Order, error) {
	found := map[string]*order.Order{}
	for _, id := range ids {
		if f[id] != nil {
			found[id] = f[id]
		}
	}
	return found, nil
}

type fakeWithdrawals map[string]*withdrawal.Withdrawal

func (f fakeWithdrawals) Each(_ context.Context, visit func(*withdrawal.Withdrawal) error) error {
	for _, key := range sorted(f) {
		if err := visit(f[key]); err != nil {
			return err
		}
	}
	return nil
}

func (f fakeWithdrawals) Get(_ context.Context, number string) (*withdrawal.Withdrawal, error) {
	if f[number] == nil {
		return nil, fmt.Errorf("get: %w", withdrawal.ErrNotFound)
	}
	return f[number], nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type copied struct {
	entries []*commission.Entry
	late    func()
}

func (c *copied) StreamEntries(_ context.Context, _, _ int64, visit func(*commission.Seal, []*commission.Entry) error) error {
	for part := range slices.Chunk(c.entries, 7) {
		if err := visit(&commission.Seal{}, part); err != nil {
			return err
		}
	}
	return nil
}

func (c *copied) Entries(_ context.Context, ids []string) (map[string]*commission.Entry, error) {
	found := map[string]*commission.Entry{}
	for _, e := range c.entries {
		if slices.Contains(ids, e.ID) {
			found[e.ID] = e
		}
	}
	if c.late != nil {
		c.late()
	}
	return found, nil
}

func (c *copied) find(t testing.TB, entry string) *commission.Entry {
	t.Helper()
	i := slices.IndexFunc(c.entries, func(e *commission.Entry) bool { return e.ID == entry })
	if i < 0 {
		t.Fatal("no entry ", entry)
	}
	return c.entries[i]
}

func (c *copied) drop(entry string) {
	c.entries = slices.DeleteFunc(c.entries, func(e *commission.Entry) bool { return e.ID == entry })
}

type shop struct {
	orders      fakeOrders
	withdrawals fakeWithdrawals
	ledger      *copied
	book        *commission.Service
	clock       *clock.Manual
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{orders: fakeOrders{}, withdrawals: fakeWithdrawals{}, ledger: &copied{}, clock: clock.NewManual(start)}
	var err error
	s.book, err = commission.New(t.Context(), commission.Deps{
		Store: docstoretest.NewStore(t, s.clock), Clock: s.clock, IDs: id.Random{},
	})
	must(t, err)
	_, err = s.book.Policies.Publish(t.Context(), policy.Policy{
		From: start.Add(-24 * time.Hour), Cap: 2000,
		Rules: []policy.Rule{{Pays: []policy.Pay{{Role: commission.Direct, Rate: 777}, {Role: commission.Host, Rate: 300}}}},
	})
	must(t, err)
	return s
}

// sell confirms an order of lines paid like this, and lets the ledger answer.
func (s *shop) sell(t testing.TB, number string, paid ...money.Fen) *order.Order {
	t.Helper()
	o := &order.Order{
		Doc: docstore.Doc{ID: number}, Campaign: "c1", Host: "host", State: order.StateConfirmed, ConfirmedAt: start,
		Referral: order.Referral{Policy: "1", Direct: "ann", Why: "first-touch"},
	}
	sale := commission.Sale{
		Order: number, At: start, Campaign: "c1", Host: "host",
		Referral: commission.Referral{Policy: "1", Direct: "ann", Why: "first-touch"},
	}
	for i, p := range paid {
		o.Lines = append(o.Lines, order.Line{SKU: "tea", Product: "p", Category: "茶", Units: 10, Price: p / 10, Cost: 1, Paid: p})
		sale.Lines = append(sale.Lines, commission.SaleLine{
			Line: i + 1, SKU: "tea", Product: "p", Category: "茶", Units: 10, Paid: p, Cost: 1,
		})
	}
	for i := range o.Lines {
		o.Amount += o.Lines[i].Paid
	}
	sale.Digest = o.Digest()
	s.orders[number] = o
	must(t, s.book.Accrue(t.Context(), sale))
	return o
}

// refund gives money of one line back, and lets the ledger answer.
func (s *shop) refund(t testing.TB, o *order.Order, line int, amount money.Fen) {
	t.Helper()
	number := fmt.Sprintf("%sr%d", o.ID, len(o.Refunds)+1)
	o.Refunds = append(o.Refunds, order.Refund{
		Number: number, Stage: order.StageDone, Amount: amount, DoneAt: start,
		Lines: []order.RefundPart{{Line: line, Units: 1, Amount: amount}},
	})
	total := money.Fen(0)
	for _, r := range o.Refunds {
		if r.Stage == order.StageDone && r.Lines[0].Line == line {
			total += r.Lines[0].Amount
		}
	}
	must(t, s.book.ClawBack(t.Context(), commission.Refund{
		Order: o.ID, Number: number, At: start,
		Lines: []commission.RefundLine{{Line: line, Refunded: total, Paid: o.Lines[line-1].Paid}},
	}))
}

// withdraw makes a withdrawal that ended like this, with the entries that follow.
func (s *shop) withdraw(number string, in withdrawal.State, gross, tax money.Fen) *withdrawal.Withdrawal {
	w := &withdrawal.Withdrawal{
		Doc: docstore.Doc{ID: number}, Member: "ann", State: in, Gross: gross, Tax: tax, Net: gross - tax, Posted: in,
		AskedAt: start, EndedAt: start,
	}
	s.withdrawals[number] = w
	entry := func(id string, kind commission.Kind, postings ...commission.Posting) {
		s.ledger.entries = append(s.ledger.entries, &commission.Entry{ID: id, Kind: kind, Number: number, Postings: postings})
	}
	p := func(a commission.Account, f money.Fen) commission.Posting {
		return commission.Posting{Account: a, Amount: f}
	}
	available, on, gone := commission.Available.Of("ann"), commission.Withdrawing.Of("ann"), commission.Withdrawn.Of("ann")
	if in == withdrawal.Refused {
		return w
	}
	entry("withdraw/"+number, commission.Withdraw, p(available, -gross), p(on, gross))
	switch {
	case in == withdrawal.Paid, in == withdrawal.Returned:
		w.Platform = withdrawal.TransferSuccess
		entry("outcome/"+number, commission.Confirm, p(on, tax-gross), p(gone, gross-tax))
		if tax > 0 {
			entry("tax/"+number, commission.TaxWithheld, p(on, -tax), p(commission.TaxPayable, tax))
		}
		if in == withdrawal.Returned {
			entry("return/"+number, commission.Return, p(gone, tax-gross), p(commission.TaxPayable, -tax), p(available, gross))
		}
	case gaveBack(in):
		entry("outcome/"+number, commission.Fail, p(on, -gross), p(available, gross))
	default:
		w.Posted, w.EndedAt = "", time.Time{}
	}
	return w
}

// copy takes the real ledger's entries over.
func (s *shop) copy(t testing.TB) {
	t.Helper()
	must(t, s.book.CatchUp(t.Context()))
	must(t, s.book.StreamEntries(t.Context(), 1, 0, func(_ *commission.Seal, entries []*commission.Entry) error {
		s.ledger.entries = append(s.ledger.entries, entries...)
		return nil
	}))
}

func (s *shop) check(t testing.TB, config Config) *Report {
	t.Helper()
	r, err := Run(t.Context(), Deps{
		Orders: s.orders, Ledger: s.ledger, Withdrawals: s.withdrawals, Clock: s.clock, Config: config,
	}, nil)
	must(t, err)
	return r
}

func busyShop(t testing.TB) *shop {
	t.Helper()
	s := newShop(t)
	a := s.sell(t, "a", 1000, 333)
	s.refund(t, a, 1, 100)
	s.refund(t, a, 1, 1) // perhaps too little to take anything back
	s.refund(t, a, 2, 333)
	s.sell(t, "b", 5000)
	s.sell(t, "c", 1) // no commission: an accrual without postings
	s.copy(t)
	s.orders["open"] = &order.Order{Doc: docstore.Doc{ID: "open"}, State: order.StatePlaced}
	s.withdraw("W1", withdrawal.Paid, 1000, 36)
	s.withdraw("W2", withdrawal.Failed, 500, 0)
	s.withdraw("W3", withdrawal.Returned, 700, 7)
	s.withdraw("W4", withdrawal.Waiting, 300, 3)
	s.withdraw("W5", withdrawal.Refused, 200, 0)
	s.clock.Advance(time.Hour)
	return s
}

func TestBooksThatAgree(t *testing.T) {
	t.Parallel()
	s := busyShop(t)
	got := s.check(t, Config{Batch: 2})
	want := &Report{Orders: 3, Refunds: 3, Entries: int64(len(s.ledger.entries)), Withdrawals: 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// TestEveryDamageIsNamed damages one thing at a time; the report names it, and nothing else.
func TestEveryDamageIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		damage string
		do     func(*testing.T, *shop)
		want   string // rule subject; … per difference
	}{
		{"an accrual is gone", func(_ *testing.T, s *shop) { s.ledger.drop("accrue/b") }, "accrual b"},
		{"a line was sold for another amount", func(_ *testing.T, s *shop) { s.orders["b"].Lines[0].Paid++ }, "accrual b"},
		{"a line was sold in another category", func(_ *testing.T, s *shop) { s.orders["b"].Lines[0].Category = "x" }, "accrual b"},
		{"the accrual has one line less", func(t *testing.T, s *shop) {
			e := s.ledger.find(t, "accrue/b")
			e.Lines = nil
		}, "accrual b"},
		{"somebody else was credited", func(_ *testing.T, s *shop) { s.orders["b"].Referral.Direct = "eve" }, "accrual b"},
		{"the order is gone", func(_ *testing.T, s *shop) { delete(s.orders, "b") }, "accrual accrue/b"},
		{"the order was never confirmed", func(_ *testing.T, s *shop) { s.orders["b"].ConfirmedAt = time.Time{} }, "accrual accrue/b"},
		{"a claw-back is gone", func(_ *testing.T, s *shop) { s.ledger.drop("clawback/a/ar1") }, "claw-back a; claw-back a"},
		{"a claw-back took a fen less from one", func(t *testing.T, s *shop) {
			e := s.ledger.find(t, "clawback/a/ar3")
			e.Postings[len(e.Postings)-1].Amount++
		}, "claw-back a"},
		{"a claw-back took from a stranger", func(t *testing.T, s *shop) {
			e := s.ledger.find(t, "clawback/a/ar1")
			e.Postings = append(e.Postings, commission.Posting{Account: "member:eve:pending", Amount: -1, Line: 1, Role: commission.Host})
		}, "claw-back a"},
		{"the refund was never done", func(_ *testing.T, s *shop) { s.orders["a"].Refunds[2].Stage = order.StageAbnormal }, "claw-back clawback/a/ar3"},
		{"the refund is gone", func(_ *testing.T, s *shop) { s.orders["a"].Refunds = s.orders["a"].Refunds[:2] }, "claw-back clawback/a/ar3"},
		{"settled without a receipt", func(_ *testing.T, s *shop) {
			s.ledger.entries = append(s.ledger.entries, &commission.Entry{ID: "settle/b", Kind: commission.Settle, Order: "b"})
		}, "settle settle/b"},
		{"a reservation is gone", func(_ *testing.T, s *shop) { s.ledger.drop("withdraw/W4") }, "withdrawal W4"},
		{"an outcome is gone", func(_ *testing.T, s *shop) { s.ledger.drop("outcome/W1") }, "withdrawal W1"},
		{"tax is gone", func(_ *testing.T, s *shop) { s.ledger.drop("tax/W3") }, "withdrawal W3"},
		{"a return is gone", func(_ *testing.T, s *shop) { s.ledger.drop("return/W3") }, "withdrawal W3"},
		{"another amount", func(_ *testing.T, s *shop) { s.orders["a"].Amount += 1_000_000 }, "order a"},
		{"another buyer", func(_ *testing.T, s *shop) { s.orders["a"].Member = "eve" }, "order a"},
		{"an unpaid order's amount", func(_ *testing.T, s *shop) { s.orders["open"].Amount = 5 }, "order open"},
		{"another tax", func(t *testing.T, s *shop) { s.ledger.find(t, "tax/W1").Postings[1].Amount++ }, "withdrawal W1"},
		{
			"paid although it failed", func(t *testing.T, s *shop) { s.ledger.find(t, "outcome/W2").Kind = commission.Confirm },
			"withdrawal outcome/W2; withdrawal W2",
		},
		{"the withdrawal is gone", func(_ *testing.T, s *shop) { delete(s.withdrawals, "W2") }, "withdrawal withdraw/W2; withdrawal outcome/W2"},
		{"the platform never paid", func(_ *testing.T, s *shop) { s.withdrawals["W1"].Platform = withdrawal.TransferFailed }, "transfer W1"},
		{"the platform paid what we gave back", func(_ *testing.T, s *shop) { s.withdrawals["W2"].Platform = withdrawal.TransferSuccess }, "transfer W2"},
		{"the platform contradicts itself", func(_ *testing.T, s *shop) {
			s.withdrawals["W1"].Incidents = []withdrawal.Incident{{Kind: withdrawal.Contradiction, Detail: "success then failed"}}
		}, "transfer W1"},
	} {
		t.Run(c.damage, func(t *testing.T) {
			t.Parallel()
			s := busyShop(t)
			c.do(t, s)
			r := s.check(t, Config{})
			got := make([]string, len(r.Differences))
			for i, d := range r.Differences {
				got[i] = d.Rule + " " + d.Subject
				t.Log(d.Text)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestWhatIsYoungIsPassedOverAndCounted(t *testing.T) {
	t.Parallel()
	s := busyShop(t)
	s.ledger.drop("accrue/b")
	s.orders["b"].ConfirmedAt = s.clock.Now()
	s.ledger.drop("clawback/a/ar3")
	s.orders["a"].Refunds[2].DoneAt = s.clock.Now()
	s.ledger.drop("outcome/W1")
	s.ledger.drop("tax/W1")
	s.withdrawals["W1"].Posted, s.withdrawals["W1"].EndedAt = "", s.clock.Now()
	if r := s.check(t, Config{}); !r.Good() || r.Young != 3 {
		t.Fatal(r.Young, r.Differences)
	}
	s.clock.Advance(11 * time.Minute)
	s.orders["b"].ConfirmedAt = start
	if r := s.check(t, Config{}); len(r.Differences) != 5 || r.Young != 0 { // claw-back twice: two people; outcome and tax
		t.Fatal(r.Young, r.Differences)
	}
}

func TestADifferenceIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	s := busyShop(t)
	accrual := s.ledger.find(t, "accrue/b")
	s.ledger.drop("accrue/b")
	s.ledger.late = func() { // it arrives between the two looks
		s.ledger.entries = append(s.ledger.entries, accrual)
		s.ledger.late = nil
	}
	if r := s.check(t, Config{}); !r.Good() {
		t.Fatal(r.Differences)
	}
}

func TestAllAreCountedAndTheFirstAreNamed(t *testing.T) {
	t.Parallel()
	s := busyShop(t)
	s.ledger.entries = nil
	r := s.check(t, Config{Differences: 2})
	if len(r.Differences) != 2 || r.Differences[0].Subject != "a" || r.More != 11 {
		t.Fatal(r.More, r.Differences)
	}
}

func TestAnAnswerThatFailsEndsIt(t *testing.T) {
	t.Parallel()
	s := busyShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Deps{Orders: s.orders, Ledger: cancelled{s.ledger}, Clock: s.clock}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := Run(ctx, Deps{}, nil); err == nil {
		t.Fatal("nothing to work with")
	}
}

type cancelled struct{ *copied }

func (cancelled) Entries(ctx context.Context, _ []string) (map[string]*commission.Entry, error) {
	return nil, ctx.Err()
}

// TestRandomRefundsAgreeUntilAFenIsMoved: any pieces in any order agree with the real ledger; a fen moved anywhere shows.
func TestRandomRefundsAgreeUntilAFenIsMoved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(t)
		for n := range rapid.IntRange(1, 3).Draw(rt, "orders") {
			var paid []money.Fen
			for range rapid.IntRange(1, 3).Draw(rt, "lines") {
				paid = append(paid, money.Fen(rapid.Int64Range(0, 2000).Draw(rt, "paid")))
			}
			o := s.sell(t, fmt.Sprintf("o%d", n), paid...)
			left := slices.Clone(paid)
			for range rapid.IntRange(0, 6).Draw(rt, "refunds") {
				line := rapid.IntRange(1, len(paid)).Draw(rt, "line")
				if left[line-1] > 0 {
					amount := money.Fen(rapid.Int64Range(1, int64(left[line-1])).Draw(rt, "amount"))
					left[line-1] -= amount
					s.refund(t, o, line, amount)
				}
			}
		}
		s.copy(t)
		s.clock.Advance(time.Hour)
		if r := s.check(t, Config{Batch: rapid.IntRange(1, 5).Draw(rt, "batch")}); !r.Good() {
			rt.Fatal(r.Differences)
		}
		var backs []*commission.Entry
		for _, e := range s.ledger.entries {
			if e.Kind == commission.ClawBack {
				backs = append(backs, e)
			}
		}
		if len(backs) == 0 {
			return
		}
		e := rapid.SampledFrom(backs).Draw(rt, "entry")
		e.Postings[rapid.IntRange(1, len(e.Postings)-1).Draw(rt, "posting")].Amount--
		r := s.check(t, Config{})
		if len(r.Differences) != 1 || r.Differences[0].Rule != ruleClawBack || r.Differences[0].Subject != e.Order {
			rt.Fatal(r.Differences)
		}
	})
}
