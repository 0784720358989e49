package console

import (
	"slices"
	"testing"

	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/staff"
)

// The brand adds a product, takes goods in, changes and withdraws the offer; twice with one key is once, and who may only
// read writes nothing.
func TestStaffKeepsGoods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, auditor := w.hire("desk", staff.Operations), w.hire("auditor", staff.Auditor)
	product := func(price int) map[string]any {
		return map[string]any{"name": "脐橙", "category": "水果", "skus": []any{
			map[string]any{"code": "5kg", "name": "5 公斤", "price_fen": price, "cost_fen": 3000},
		}}
	}
	auditor.refused("POST", "/console/api/products", product(5990), 403, "STF_DENIED")
	desk.refused("POST", "/console/api/products", product(0), 422, "API_INPUT_INVALID")
	desk.refused("POST", "/console/api/products", map[string]any{"name": "x", "category": "y", "skus": nil}, 422, "API_MALFORMED")
	one := desk.keyed("add-once", "POST", "/console/api/products", product(5990))
	if again := desk.keyed("add-once", "POST", "/console/api/products", product(5990)); one.status != 201 || again.String() != one.String() {
		t.Fatalf("%v, again %v", one, again)
	}
	if other := desk.keyed("add-once", "POST", "/console/api/products", product(6990)); other.status != 409 {
		t.Errorf("another content under the key: %v", other)
	}
	id := one.answer().text("id")
	path, sku := "/console/api/products/"+id, "/console/api/skus/"+id+"-1"
	goods := map[string]any{"units": 40, "reason": "送货单 7"}
	auditor.refused("POST", sku+"/intake", goods, 403, "STF_DENIED")
	desk.refused("POST", "/console/api/skus/nothing-1/intake", goods, 404, "CAT_SKU_NOT_FOUND")
	desk.refused("POST", sku+"/intake", map[string]any{"units": -1, "reason": "送货单"}, 422, "API_INPUT_INVALID")
	desk.keyed("intake-once", "POST", sku+"/intake", goods)
	desk.keyed("intake-once", "POST", sku+"/intake", goods)
	lost := map[string]any{"units": 15, "reason": "盘亏"}
	desk.keyed("lost-once", "POST", sku+"/write-off", lost)
	desk.keyed("lost-once", "POST", sku+"/write-off", lost)
	desk.refused("POST", sku+"/write-off", map[string]any{"units": 26, "reason": "盘亏"}, 409, "CAT_SOLD_OUT")
	if stock := auditor.must("GET", sku+"/stock", nil, 200); stock["free"] != 25.0 || stock["in"] != 40.0 {
		t.Errorf("stock %v", stock)
	}
	auditor.refused("GET", "/console/api/skus/nothing/stock", nil, 404, "CAT_SKU_NOT_FOUND")
	desk.refused("PUT", "/console/api/products/none", product(1), 404, "CAT_PRODUCT_NOT_FOUND")
	if p := desk.must("PUT", path, product(4990), 200); p.list("skus")[0].(map[string]any)["price_fen"] != 4990.0 {
		t.Errorf("changed: %v", p)
	}
	desk.must("POST", path+"/take-off-sale", nil, 200)
	if p := auditor.must("GET", path, nil, 200); p.text("state") != "off" {
		t.Errorf("off sale: %v", p)
	}
	desk.must("POST", path+"/put-on-sale", nil, 200)
	if list := auditor.must("GET", "/console/api/products?limit=1", nil, 200).list("products"); len(list) != 1 {
		t.Errorf("list %v", list)
	}
	if deeds := w.deeds("product/" + id); len(deeds) < 4 {
		t.Errorf("deeds %v", deeds)
	}
	if deeds := w.deeds("sku/" + id + "-1"); len(deeds) < 3 {
		t.Errorf("deeds %v", deeds)
	}
}

// The brand removes a member with a reason, who cannot come back until readmitted, and closes a pickup point, also when the
// host may not run the community at the moment.
func TestStaffLooksAfterCommunities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, auditor := w.hire("desk", staff.Operations), w.hire("auditor", staff.Auditor)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.hosting.Apply(ctx, hosting.ApplyInput{Member: "host1", Words: "小区三百户"})
	must(err)
	desk.must("POST", "/console/api/hostings/host1/approve", map[string]any{"reason": "面谈过"}, 200)
	c, err := w.hosts.Create(ctx, community.CreateInput{Host: "host1", Key: "k", Name: "东门"})
	must(err)
	point, err := w.hosts.AddPickupPoint(ctx, "host1", c.ID, community.PickupInput{Key: "p", Name: "门卫", Address: "东门 1 号"})
	must(err)
	_, err = w.hosts.Join(ctx, community.JoinInput{Community: c.ID, Member: "bob"})
	must(err)
	desk.must("POST", "/console/api/hostings/host1/revoke", map[string]any{"reason": "投诉属实"}, 200)
	path, why := "/console/api/communities/"+c.ID, map[string]any{"reason": "骚扰他人"}
	auditor.refused("POST", path+"/members/bob/remove", why, 403, "STF_DENIED")
	desk.refused("POST", path+"/members/bob/remove", map[string]any{}, 422, "API_INPUT_INVALID")
	desk.refused("POST", path+"/members/nobody/remove", why, 404, "COMM_NOT_MEMBER")
	desk.refused("POST", path+"/members/host1/remove", why, 409, "COMM_HOST_STAYS")
	desk.refused("POST", "/console/api/communities/none/members/bob/remove", why, 404, "COMM_NOT_FOUND")
	one := desk.keyed("remove-once", "POST", path+"/members/bob/remove", why)
	if again := desk.keyed("remove-once", "POST", path+"/members/bob/remove", why); one.status != 200 || one.String() != again.String() {
		t.Errorf("%v, again %v", one, again)
	}
	if _, err := w.hosts.Join(ctx, community.JoinInput{Community: c.ID, Member: "bob"}); err == nil {
		t.Error("came back alone")
	}
	if list := auditor.must("GET", path+"/members?state=removed", nil, 200).list("members"); len(list) != 1 {
		t.Errorf("removed: %v", list)
	}
	desk.must("POST", path+"/members/bob/readmit", why, 200)
	if m := auditor.must("GET", path+"/members/bob", nil, 200); m.text("state") != "active" || len(m.list("history")) != 3 {
		t.Errorf("member: %v", m)
	}
	desk.refused("POST", path+"/pickup-points/none/close", why, 404, "COMM_POINT_NOT_FOUND")
	desk.must("POST", path+"/pickup-points/"+point.ID+"/close", why, 200)
	if open, err := w.hosts.PickupPoints(ctx, c.ID); err != nil || len(open) != 0 {
		t.Error(open, err)
	}
	if list := auditor.must("GET", "/console/api/communities?host=host1", nil, 200).list("communities"); len(list) != 1 {
		t.Errorf("list: %v", list)
	}
	if list := auditor.must("GET", "/console/api/communities", nil, 200).list("communities"); len(list) != 1 {
		t.Errorf("list: %v", list)
	}
	want := []string{"readmit-member|done||removed|readmit: 骚扰他人", "remove-member|done||active|remove: 骚扰他人"}
	deeds := w.deeds("community/" + c.ID + "/bob")
	for _, one := range want {
		if !slices.Contains(deeds, one) {
			t.Errorf("no %s in %v", one, deeds)
		}
	}
}

// A bond is moved by two people, never by or for themselves, and a stale proposal moves nothing.
func TestABondIsMovedByTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, checker := w.hire("desk", staff.Operations), w.hire("checker", staff.FinanceChecker)
	path := "/console/api/bonds/bob"
	to := func(who string) map[string]any { return map[string]any{"to": who, "reason": "线下带来的"} }
	checker.refused("PUT", path, to("alice"), 403, "STF_DENIED")
	desk.refused("PUT", path, to("bob"), 422, "DIST_SELF")
	desk.refused("PUT", path, to("nobody"), 404, "CON_MEMBER_NOT_FOUND")
	desk.refused("PUT", "/console/api/bonds/nobody", to("alice"), 404, "CON_MEMBER_NOT_FOUND")
	one, other := desk.must("PUT", path, to("alice"), 202), desk.must("PUT", path, to("host1"), 202)
	desk.refused("POST", "/console/api/bond-drafts/"+one.text("id")+"/confirm", nil, 403, "STF_DENIED")
	checker.confirms("bond", one)
	checker.confirms("bond", one)
	checker.refused("POST", "/console/api/bond-drafts/"+other.text("id")+"/confirm", nil, 409, "CON_STALE")
	seen := checker.must("GET", path, nil, 200)
	if bond, _ := seen["bond"].(map[string]any); bond["by"] != "alice" || bond["why"] != "staff" {
		t.Errorf("bond: %v", seen)
	}
	if list := checker.must("GET", "/console/api/bonds/alice/brought", nil, 200).list("members"); len(list) != 1 {
		t.Errorf("brought: %v", list)
	}
}

// Rules of bonds are published and recalled by two people.
func TestBondRulesTakeTwo(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	rules := map[string]any{"version": "v2", "from": start.AddDate(0, 1, 0), "mode": "first-touch", "validity_days": 30, "self_purchase": "self"}
	bad := map[string]any{"version": "v3", "mode": "first-touch", "validity_days": 0, "self_purchase": "self"}
	maker.refused("POST", "/console/api/bond-policies/check", bad, 422, "DIST_POLICY_INVALID")
	maker.refused("POST", "/console/api/bond-policies", map[string]any{"title": "三月", "policy": bad}, 422, "DIST_POLICY_INVALID")
	checker.refused("POST", "/console/api/bond-policies", map[string]any{"title": "三月", "policy": rules}, 403, "STF_DENIED")
	draft := maker.must("POST", "/console/api/bond-policies", map[string]any{"title": "三月", "policy": rules}, 202)
	checker.confirms("bond-policy", draft)
	list := checker.must("GET", "/console/api/bond-policies", nil, 200)
	if list.text("in_force") != "default" || len(list.list("policies")) != 2 {
		t.Errorf("policies: %v", list)
	}
	maker.refused("POST", "/console/api/bond-policies/none/recall", map[string]any{"why": "写错"}, 404, "DIST_POLICY_NOT_FOUND")
	checker.confirms("bond-policy", maker.must("POST", "/console/api/bond-policies/v2/recall", map[string]any{"why": "写错"}, 202))
	if all, err := w.bonds.Policies(t.Context()); err != nil || all[1].Recalled == nil {
		t.Errorf("%+v %v", all, err)
	}
}
