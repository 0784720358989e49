package ledgerexport

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// odd is a member whose id holds what plain-text accounting refuses.
const odd = "wx|a:b_c.d@e-f"

type world struct {
	*commission.Service
	clock *clock.Manual
	t     testing.TB
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 10, 8, 2, 0, 0, 0, time.UTC))
	s, err := commission.New(t.Context(), commission.Deps{Store: docstoretest.NewStore(t, c), Clock: c, IDs: id.Random{}, Config: commission.Config{
		Carried: func(context.Context, time.Time) ([]commission.Role, error) {
			return []commission.Role{commission.Direct, commission.Upline, commission.Host, commission.StaffRole}, nil
		},
	}})
	must(t, err)
	_, err = s.Policies.Publish(t.Context(), policy.Policy{
		From: c.Now(), SecondLevel: true, Cap: 2000,
		Rules: []policy.Rule{
			{Pays: []policy.Pay{{Role: commission.Direct, Rate: 1000}, {Role: commission.Upline, Rate: 200}, {Role: commission.Host, Rate: 333}, {Role: commission.StaffRole, Rate: 100}}},
			{SKU: "=sku", Pays: []policy.Pay{{Role: commission.Direct, Fixed: 50}}},
		},
	})
	must(t, err)
	return &world{s, c, t}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) sale(order, direct string, paid ...money.Fen) {
	w.t.Helper()
	s := commission.Sale{Order: order, At: w.clock.Now(), Host: "host1", Staff: "zhang", Referral: commission.Referral{Direct: direct, Upline: "bob", Why: "first-touch"}}
	for i, p := range paid {
		s.Lines = append(s.Lines, commission.SaleLine{Line: i + 1, SKU: fmt.Sprintf("sku%d", i), Category: "水果", Units: 1, Paid: p, Cost: 1})
	}
	if len(s.Lines) > 1 {
		s.Lines[1].SKU = "=sku"
	}
	must(w.t, w.Accrue(w.t.Context(), s))
	must(w.t, w.StartWindow(w.t.Context(), order, w.clock.Now(), time.Time{}))
}

func (w *world) voucher(key string, kind commission.Kind, from, to commission.Account, amount money.Fen, reason string) {
	w.t.Helper()
	v, err := w.ProposeVoucher(w.t.Context(), commission.VoucherInput{
		Key: key, Maker: "clerk", Kind: kind, From: from, To: to, Amount: amount, Reason: reason,
	})
	must(w.t, err)
	v, err = w.ApproveVoucher(w.t.Context(), v.ID, "chief", "")
	must(w.t, err)
	if v.State == commission.VoucherProposed {
		_, err = w.ApproveVoucher(w.t.Context(), v.ID, "director", "")
		must(w.t, err)
	}
	must(w.t, w.CatchUp(w.t.Context())) // the next one may take back what this one gave
}

// live posts every kind of entry: most in October, some in November; October is closed.
func (w *world) live() {
	t := w.t
	t.Helper()
	ctx := t.Context()
	w.sale("o1", odd, 3333, 1000)
	w.sale("o2", "alice", 100_000)
	w.sale("o0", "", 1) // nobody gets a fen
	must(t, w.CatchUp(ctx))
	w.clock.Advance(24 * time.Hour)
	must(t, w.ClawBack(ctx, commission.Refund{Order: "o1", Number: "r1", At: w.clock.Now(), Lines: []commission.RefundLine{{Line: 1, Refunded: 1111, Paid: 3333}}}))
	w.clock.Advance(7 * 24 * time.Hour)
	for n := 1; n > 0; {
		var err error
		n, err = w.SettleDue(ctx)
		must(t, err)
	}
	must(t, w.CatchUp(ctx))
	at := w.clock.Now()
	must(t, w.Reserve(ctx, commission.Hold{Member: "alice", Number: "W1", Amount: 5000, At: at, Notes: []commission.Note{{Key: "rail", Value: "weixin-transfer"}}}))
	must(t, w.Reserve(ctx, commission.Hold{Member: "alice", Number: "W2", Amount: 500, At: at}))
	must(t, w.Reserve(ctx, commission.Hold{Member: "alice", Number: "W3", Amount: 700, At: at}))
	must(t, w.ConfirmPayout(ctx, commission.Payout{Member: "alice", Number: "W1", Amount: 5000, Tax: 840, At: at, Notes: []commission.Note{
		{Key: "by", Value: "one"}, {Key: "by", Value: "two, [1/2] date:x; \"q\" \\ \n next "},
	}}))
	must(t, w.FailPayout(ctx, commission.Payout{Member: "alice", Number: "W2", Amount: 500, At: at}))
	must(t, w.CatchUp(ctx))
	w.clock.Advance(20 * 24 * time.Hour) // November
	must(t, w.ConfirmPayout(ctx, commission.Payout{Member: "alice", Number: "W3", Amount: 700, Tax: 100, At: w.clock.Now()}))
	must(t, w.ReturnPayout(ctx, commission.Payout{Member: "alice", Number: "W3", Amount: 700, Tax: 100, At: w.clock.Now()}))
	must(t, w.ClawBack(ctx, commission.Refund{Order: "o1", Number: "r2", At: w.clock.Now(), Lines: []commission.RefundLine{{Line: 1, Refunded: 3333, Paid: 3333}}}))
	zhang := commission.Available.Of(commission.Staff("zhang"))
	w.voucher("k1", commission.Adjust, commission.Adjustment, commission.Available.Of(odd), 327, "=漏记的, 佣金\n补记")
	w.voucher("k2", commission.Incentive, commission.StaffIncentive, zhang, 8800, "季度之星")
	w.voucher("k3", commission.Adjust, zhang, commission.Payroll, 8000, "随工资发放")
	w.voucher("k4", commission.Transfer, commission.Bank, commission.MerchantBalance, 1_000_000, "充值运营账户")
	w.voucher("k5", commission.Transfer, commission.TaxPayable, commission.TaxPaid, 840, "缴纳十月个税")
	w.sale("o9", "staffing", 999)
	must(t, w.CatchUp(ctx))
	_, err := w.ClosePeriod(ctx, "2026-10", "chief")
	must(t, err)
}

func (w *world) export(o Options) ([]byte, *Result) {
	w.t.Helper()
	var out bytes.Buffer
	o.Book = "main"
	r, err := Export(w.t.Context(), w, &out, o)
	must(w.t, err)
	return out.Bytes(), r
}

func november() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Shanghai()) }

// purses are the projection's balances by account; what is zero is left out.
func (w *world) purses(members ...string) map[commission.Account]money.Fen {
	w.t.Helper()
	all := map[commission.Account]money.Fen{}
	for _, m := range members {
		p, err := w.Purse(w.t.Context(), m)
		must(w.t, err)
		for pot, f := range map[commission.Pot]money.Fen{
			commission.Pending: p.Pending, commission.Available: p.Available, commission.Withdrawing: p.Withdrawing, commission.Withdrawn: p.Withdrawn,
		} {
			if f != 0 {
				all[pot.Of(m)] = f
			}
		}
	}
	return all
}

func everybody() []string {
	return []string{"alice", "bob", "host1", odd, "staffing", commission.Staff("zhang")}
}

// balances adds up every account of the ledger; what is zero is left out.
func (w *world) balances() map[commission.Account]money.Fen {
	w.t.Helper()
	all := map[commission.Account]money.Fen{}
	must(w.t, w.StreamEntries(w.t.Context(), 1, 0, func(_ *commission.Seal, entries []*commission.Entry) error {
		for _, e := range entries {
			for _, p := range e.Postings {
				all[p.Account] += p.Amount
			}
		}
		return nil
	}))
	for a, f := range all {
		if f == 0 {
			delete(all, a)
		}
	}
	return all
}
