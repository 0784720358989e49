package app_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAPartialWriteKeepsTheRest sends every field of the operations that change something alone: the others stay.
func TestAPartialWriteKeepsTheRest(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	tested := map[string]bool{}
	partly := func(h *human, id, method, path string, full, changes map[string]any, shown func(answer) map[string]any) {
		t.Helper()
		tested[id] = true
		op := w.described()[id]
		schema := op.RequestBody.Content["application/json"].Schema
		if schema.Ref != "" {
			schema = op.schemas[schema.Ref[strings.LastIndexByte(schema.Ref, '/')+1:]]
		}
		was := shown(h.must(method, path, full, 200))
		for name := range schema.Properties {
			if _, known := changes[name]; !known && name != "$schema" {
				t.Errorf("%s: nothing sends %s alone", id, name)
			}
		}
		for name, value := range changes {
			now := shown(h.must(method, path, map[string]any{name: value}, 200))
			if cmp.Equal(was[name], now[name]) {
				t.Errorf("%s: %s did not change from %v", id, name, was[name])
			}
			was[name] = now[name]
			if _, told := now[name]; !told {
				delete(was, name)
			}
			if diff := cmp.Diff(was, now); diff != "" {
				t.Errorf("%s: sending %s alone changed more:\n%s", id, name, diff)
			}
		}
	}
	whole := func(a answer) map[string]any { return maps.Clone(map[string]any(a)) }

	partly(e.host, "edit-community", "PUT", "/v1/host/communities/"+e.community,
		map[string]any{"name": "阳光花园", "words": "给邻居", "notice": "周三到货"},
		map[string]any{"name": "月光花园", "words": "给大家", "notice": "周四到货"}, whole)
	partly(e.host, "pick", "PUT", "/v1/host/communities/"+e.community+"/picks/"+e.product,
		map[string]any{"reason": "甜", "rank": 7}, map[string]any{"reason": "脆", "rank": 9}, whole)
	partly(e.host, "edit-me", "PATCH", "/v1/me",
		map[string]any{"nickname": "王姐", "avatar": "https://example.com/1.png"},
		map[string]any{"nickname": "老王", "avatar": "https://example.com/2.png"}, whole)
	start := e.clock.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	partly(e.host, "edit-campaign", "PUT", "/v1/host/campaigns/"+e.draft(), e.fullDraft(), map[string]any{
		"title": "换了名字", "words": "换了说明", "starts_at": start.Format(time.RFC3339),
		"ends_at": start.Add(30 * time.Hour).Format(time.RFC3339), "per_person": 6, "min_seats": 2, "min_units": 3, "pickup": []any{},
		"items": []any{map[string]any{"sku": e.sku, "price_fen": 6100, "per_person": 2, "total": 40}},
	}, whole)
	for id, op := range w.described() {
		one := map[string]string{
			"set-payee":         "its particulars have their own test (package withdrawal)",
			"set-pickup-keeper": "has one field",
		}
		if (op.method == "PUT" || op.method == "PATCH") && !tested[id] && one[id] == "" {
			t.Errorf("nothing writes %s in part", id)
		}
	}
}

// TestWhatLooksEmptyClearsNothing: optional words are cleared by an empty text and by nothing that only looks like one;
// texts that deceive the eye are refused everywhere, and long ones are counted in characters.
func TestWhatLooksEmptyClearsNothing(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	community, draft := "/v1/host/communities/"+e.community, "/v1/host/campaigns/"+e.draft()
	pick := community + "/picks/" + e.product
	e.host.must("PUT", community, map[string]any{"words": "给邻居", "notice": "周三到货"}, 200)
	refund := e.confirmed()
	for _, one := range []struct{ method, path, field string }{
		{"PUT", community, "name"},
		{"PUT", community, "words"},
		{"PUT", community, "notice"},
		{"PUT", pick, "reason"},
		{"PUT", draft, "title"},
		{"PUT", draft, "words"},
		{"PATCH", "/v1/me", "nickname"},
	} {
		for _, bad := range []any{" ", "\u3000", "\u200b\u200b", "\u2800", "王\u202e姐", "王\u200b姐", "王\x00姐", strings.Repeat("长", 2001), nil} {
			if status, out := e.host.do(one.method, one.path, map[string]any{one.field: bad}); status != 422 {
				t.Errorf("%s %s %q: %d %v", one.path, one.field, bad, status, out)
			}
		}
	}
	for _, bad := range []string{" ", "\u200b", "王\u202e姐", strings.Repeat("长", 81)} {
		if status, out := e.shopper.do("POST", "/v1/orders/"+refund+"/refunds", map[string]any{"reason": bad}); status != 422 {
			t.Errorf("refund reason %q: %d %v", bad, status, out)
		}
	}
	if out := e.host.must("PUT", community, map[string]any{"notice": ""}, 200); out["notice"] != nil || out.text("words") != "给邻居" {
		t.Errorf("%v", out)
	}
	emoji := strings.Repeat("👩\u200d🌾", 10)
	if out := e.host.must("PUT", community, map[string]any{"name": emoji}, 200); out.text("name") != emoji {
		t.Errorf("%v", out)
	}
}

// TestAPointThatTheCampaignIsNotForIsRefused at placing and quoting; a point that is gone keeps a draft from being published.
func TestAPointThatTheCampaignIsNotForIsRefused(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	other := e.host.must("POST", "/v1/host/communities/"+e.community+"/pickup-points", map[string]any{"name": "后门", "address": "阳光路 2 号"}, 201).text("id")
	draft := func() string {
		return e.host.must("POST", "/v1/host/communities/"+e.community+"/campaigns", e.fullDraft(), 201).text("id")
	}
	c := draft()
	e.host.must("POST", "/v1/host/campaigns/"+c+"/publish", nil, 200)
	body := e.wishes()
	body["campaign"], body["pickup"] = c, other
	if status, out := e.shopper.do("POST", "/v1/orders", body); status != 422 || out.text("code") != "ORD_UNKNOWN_PICKUP" {
		t.Errorf("%d %v", status, out)
	}
	quote := map[string]any{"lines": body["lines"], "pickup": other}
	if status, out := e.shopper.do("POST", "/v1/campaigns/"+c+"/quote", quote); status != 422 || out.text("code") != "ORD_UNKNOWN_PICKUP" {
		t.Errorf("%d %v", status, out)
	}
	body["pickup"] = e.point
	e.shopper.must("POST", "/v1/orders", body, 201)

	late := draft()
	if err := w.Communities.ClosePickupPoint(t.Context(), e.host.id, e.community, e.point); err != nil {
		t.Fatal(err)
	}
	if status, out := e.host.do("POST", "/v1/host/campaigns/"+late+"/publish", nil); status != 422 || out.text("code") != "GRP_INVALID" {
		t.Errorf("%d %v", status, out)
	}
}
