package commission

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

// TestWhatIsLeftOfAnOrder follows one order: not known, not ready, settled in parts, refunded before and after.
func TestWhatIsLeftOfAnOrder(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), clock.NewManual(time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC))
	s, err := New(ctx, Deps{Store: docstoretest.NewStore(t, c), Clock: c, IDs: id.Random{}, Config: Config{
		Carried:    everyRole,
		Categories: map[string]Window{"生鲜": {Settle: 2 * day}},
	}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	_, err = s.Policies.Publish(ctx, policy.Policy{From: c.Now(), Cap: 5000, Rail: policy.RailProfitSharing, Rules: []policy.Rule{{Pays: []policy.Pay{
		{Role: Host, Rate: 1000}, {Role: Pickup, Rate: 500}, {Role: StaffRole, Rate: 100},
	}}}})
	must(err)
	is := func(want Plan) {
		t.Helper()
		got, err := s.ShareOut(ctx, "o1")
		must(err)
		want.Order, got.Due = "o1", time.Time{}
		if want.Known {
			want.Policy, want.Rail = 1, policy.RailProfitSharing
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	is(Plan{})
	must(s.Accrue(ctx, Sale{
		Order: "o1", At: c.Now(), Host: "ann", Pickup: "ben", Staff: "zhang", Lines: []SaleLine{
			{Line: 1, SKU: "a", Product: "a", Category: "生鲜", Units: 1, Paid: 10_00},
			{Line: 2, SKU: "b", Product: "b", Category: "茶", Units: 1, Paid: 20_00},
			{Line: 3, SKU: "c", Product: "c", Category: "茶", Units: 1, Paid: 5_00},
		},
	}))
	is(Plan{Known: true, Shares: nil})
	must(s.ClawBack(ctx, Refund{Order: "o1", Number: "r1", At: c.Now(), Lines: []RefundLine{{Line: 3, Refunded: 5_00, Paid: 5_00}}}))
	must(s.StartWindow(ctx, "o1", c.Now(), time.Time{}))
	c.Advance(3 * day)
	_, err = s.SettleDue(ctx)
	must(err)
	is(Plan{Known: true, Shares: []PlanShare{{"ann", 1_00}, {"ben", 50}}})
	c.Advance(5 * day)
	_, err = s.SettleDue(ctx)
	must(err)
	is(Plan{Known: true, Ready: true, Shares: []PlanShare{{"ann", 3_00}, {"ben", 1_50}}})
	must(s.ClawBack(ctx, Refund{Order: "o1", Number: "r2", At: c.Now(), Lines: []RefundLine{{Line: 2, Refunded: 20_00, Paid: 20_00}}}))
	is(Plan{Known: true, Ready: true, Shares: []PlanShare{{"ann", 1_00}, {"ben", 50}}})
	must(s.ClawBack(ctx, Refund{Order: "o1", Number: "r3", At: c.Now(), Lines: []RefundLine{{Line: 1, Refunded: 10_00, Paid: 10_00}}}))
	is(Plan{Known: true, Ready: true, Shares: []PlanShare{}})
	if _, err := s.ShareOut(ctx, "o/1"); !errors.Is(err, ErrSaleInvalid) {
		t.Error(err)
	}
}
