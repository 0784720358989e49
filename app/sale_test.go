package app_test

import (
	"testing"
	"time"

	"guanxi/community/hosting"
	"guanxi/internal/money"
	"guanxi/platform/sandbox"
)

func moneyFen(n int64) money.Fen { return money.Fen(n) }

// approved applies to host, and the brand says yes; once is enough.
func (h *human) approved() {
	h.w.t.Helper()
	if h.must("GET", "/v1/host/application", nil, 200).text("state") == "approved" {
		return
	}
	h.must("POST", "/v1/host/application", map[string]any{"words": "小区三百户，做了两年水果"}, 200)
	if _, err := h.w.Hosting.Decide(h.w.t.Context(), hosting.Decision{
		Member: h.id, Step: hosting.StepApprove, By: "clerk", Reason: "面谈过",
	}); err != nil {
		h.w.t.Fatal(err)
	}
}

// openCampaign makes a community of the host and an open campaign over the SKU.
func (h *human) openCampaign(sku string, more map[string]any) (communityID, campaignID string) {
	h.w.t.Helper()
	h.approved()
	c := h.must("POST", "/v1/host/communities", map[string]any{"name": "阳光花园", "words": "邻里团购"}, 201)
	body := map[string]any{
		"title": "周三水果接龙", "items": []any{map[string]any{"sku": sku}},
		"starts_at": h.w.clock.Now().Format(time.RFC3339), "ends_at": h.w.clock.Now().Add(24 * time.Hour).Format(time.RFC3339),
	}
	for k, v := range more {
		body[k] = v
	}
	d := h.must("POST", "/v1/host/communities/"+c.text("id")+"/campaigns", body, 201)
	h.must("POST", "/v1/host/campaigns/"+d.text("id")+"/publish", nil, 200)
	return c.text("id"), d.text("id")
}

// buy goes from share to payment as a mini-program does.
func (h *human) buy(campaign, sku string, units int) answer {
	h.w.t.Helper()
	o := h.must("POST", "/v1/orders", map[string]any{
		"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": units}},
	}, 201)
	h.pay(o.text("id"))
	return o
}

func (h *human) pay(orderID string) {
	h.w.t.Helper()
	p := h.must("POST", "/v1/orders/"+orderID+"/prepay", nil, 200)
	if _, err := h.w.Sandbox.Pay(sandbox.PayInput{
		Package: p.text("package"), OpenID: h.w.Sandbox.OpenID(h.name), TimeStamp: p.text("timeStamp"), NonceStr: p.text("nonceStr"),
		SignType: p.text("signType"), PaySign: p.text("paySign"),
	}); err != nil {
		h.w.t.Fatal(err)
	}
}

func TestTheFirstSaleGoesThroughEveryFloor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sku := w.product("赣南脐橙", 5990, 40)
	host, friend, shopper := w.human("王姐"), w.human("小李"), w.human("小陈")
	_, campaign := host.openCampaign(sku, nil)

	share := friend.must("POST", "/v1/shares", map[string]any{"kind": "campaign", "target": campaign}, 201)
	shopper.must("POST", "/v1/shares/"+share.text("id")+"/open", map[string]any{"scene": 1007}, 200)
	page := shopper.must("GET", "/v1/campaigns/"+campaign, nil, 200)
	if got := page.list("items")[0].(map[string]any)["left"].(float64); got != 40 {
		t.Errorf("left before = %v, want 40", got)
	}
	o := shopper.buy(campaign, sku, 2)
	w.settled()

	o = shopper.must("GET", "/v1/orders/"+o.text("id"), nil, 200)
	if o.text("state") != "confirmed" || o.num("seat") != 1 || o.num("amount_fen") != 11980 {
		t.Fatalf("order = %v", o)
	}
	purse := friend.must("GET", "/v1/purse", nil, 200)
	if purse.num("pending_fen") != 1198 {
		t.Errorf("the friend who shared has %v pending, want 1198", purse)
	}
	if got := host.must("GET", "/v1/purse", nil, 200); got.num("pending_fen") != 599 {
		t.Errorf("the host has %v pending, want 599", got)
	}
	entry := purse.list("newest")[0].(map[string]any)["entry"].(string)
	why := friend.must("GET", "/v1/purse/explain?entry="+entry, nil, 200)
	if why.text("sentence") == "" || len(why.list("steps")) == 0 {
		t.Errorf("explanation = %v", why)
	}

	refund := shopper.must("POST", "/v1/orders/"+o.text("id")+"/refunds", map[string]any{
		"lines": []any{map[string]any{"line": 1, "units": 1}}, "reason": "坏了一箱",
	}, 201)
	w.settled()
	if got := friend.must("GET", "/v1/purse", nil, 200); got.num("pending_fen") != 599 {
		t.Errorf("after refunding half (%v) the friend has %v pending, want 599", refund, got)
	}
	host.must("POST", "/v1/host/orders/"+o.text("id")+"/ship", map[string]any{"kind": "pickup"}, 200)
	shopper.must("POST", "/v1/orders/"+o.text("id")+"/receive", nil, 200)
	w.settled()
	w.clock.Advance(8 * 24 * time.Hour)
	if _, err := w.Commission.SettleDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.settled()
	friend = w.human("小李")
	if got := friend.must("GET", "/v1/purse", nil, 200); got.num("pending_fen") != 0 || got.num("available_fen") != 599 {
		t.Errorf("after the window the friend has %v, want 599 available", got)
	}
}
