package app_test

import (
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/community"
)

// TestASaleKnowsItsGradeAndKeeperAndWaitsForItsAfterSale walks the facts of a sale from where they are kept to the purses,
// and an after-sale case from the shopper's wish to the lines it holds.
func TestASaleKnowsItsGradeAndKeeperAndWaitsForItsAfterSale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.Commission.Policies.Publish(ctx, policy.Policy{Cap: 2000, Rules: []policy.Rule{
		{Pays: []policy.Pay{{Role: commission.Host, Rate: 100}}},
		{Grade: "gold", Pays: []policy.Pay{{Role: commission.Host, Rate: 500}, {Role: commission.Pickup, Rate: 200}}},
	}})
	must(err)
	w.clock.Advance(2 * time.Minute)
	host, keeper, shopper := w.human("王姐"), w.human("小李"), w.human("小陈")
	must(w.Communities.SetGrade(ctx, host.id, "gold", "staff1", "三个月达标"))
	sku := w.product("赣南脐橙", 6000, 40)
	home, campaign := host.openCampaign(sku, nil)
	_, err = w.Communities.Join(ctx, community.JoinInput{Community: home, Member: keeper.id})
	must(err)
	point, err := w.Communities.AddPickupPoint(ctx, host.id, home, community.PickupInput{
		Key: "p1", Name: "南门便利店", Address: "阳光路 1 号", Keeper: keeper.id,
	})
	must(err)
	o := shopper.must("POST", "/v1/orders", map[string]any{
		"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": 1}}, "pickup": point.ID,
	}, 201)
	must(w.Communities.SetGrade(ctx, host.id, "", "staff1", "之后的变化不影响这一单"))
	shopper.pay(o.text("id"))
	w.settled()
	purses := func(when string, available bool, hostGets, keeperGets int64) {
		t.Helper()
		for who, want := range map[string]int64{host.id: hostGets, keeper.id: keeperGets} {
			p, err := w.Commission.Purse(ctx, who)
			must(err)
			is := p.Pending
			if available {
				is = p.Available
			}
			if int64(is) != want || p.Pending+p.Available != is {
				t.Errorf("%s: %s has %+v, want %d", when, who, p.Balance, want)
			}
		}
	}
	purses("placed", false, 300, 120)

	host.must("POST", "/v1/host/orders/"+o.text("id")+"/ship", map[string]any{"kind": "pickup"}, 200)
	shopper.must("POST", "/v1/orders/"+o.text("id")+"/receive", nil, 200)
	w.settled()
	r := shopper.must("POST", "/v1/orders/"+o.text("id")+"/refunds", map[string]any{
		"lines": []any{map[string]any{"line": 1, "units": 1}}, "reason": "坏了",
	}, 201)
	w.settled()
	w.clock.Advance(8 * 24 * time.Hour)
	_, err = w.Commission.SettleDue(ctx)
	must(err)
	w.settled()
	purses("while the after-sale case is open", false, 300, 120)

	_, err = w.Orders.RefuseRefund(ctx, host.id, o.text("id"), r.text("number"), "已协商解决")
	must(err)
	w.settled()
	purses("after it was refused", true, 300, 120)
}
