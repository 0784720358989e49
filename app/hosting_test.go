package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"guanxi/app/harness"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/platform/sandbox"
)

// decide is the brand's word about somebody's hosting.
func (h *human) decide(step hosting.Step) {
	h.w.t.Helper()
	if _, err := h.w.Hosting.Decide(h.w.t.Context(), hosting.Decision{Member: h.id, Step: step, By: "clerk", Reason: "看过了"}); err != nil {
		h.w.t.Fatal(err)
	}
}

// told expects a refusal with this code.
func (h *human) told(method, path string, body any, status int, code string) {
	h.w.t.Helper()
	if got, out := h.do(method, path, body); got != status || out.text("code") != code {
		h.w.t.Errorf("%s %s: %d %v; want %d %s", method, path, got, out, status, code)
	}
}

// Nobody hosts without the brand's approval; revoking stops orders and decisions at once, not fulfilment and reading.
func TestHostingNeedsTheBrandsApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sku := w.product("赣南脐橙", 5990, 40)
	host, shopper := w.human("王姐"), w.human("小陈")
	found := map[string]any{"name": "阳光花园"}
	host.told("POST", "/v1/host/communities", found, 403, "HST_NOT_APPROVED")
	host.must("POST", "/v1/host/application", map[string]any{"words": "小区三百户"}, 200)
	host.told("POST", "/v1/host/communities", found, 403, "HST_NOT_APPROVED")
	host.decide(hosting.StepRefuse)
	host.told("POST", "/v1/host/communities", found, 403, "HST_NOT_APPROVED")
	if got := host.must("GET", "/v1/host/application", nil, 200); got.text("state") != "refused" || got.text("reason") != "看过了" {
		t.Errorf("standing = %v", got)
	}
	home, campaign := host.openCampaign(sku, nil) // applies again, is approved
	draft := host.must("POST", "/v1/host/communities/"+home+"/campaigns", map[string]any{
		"title": "下一场", "items": []any{map[string]any{"sku": sku}},
		"starts_at": w.clock.Now().Format(time.RFC3339), "ends_at": w.clock.Now().Add(time.Hour).Format(time.RFC3339),
	}, 201)
	o := shopper.buy(campaign, sku, 1)
	w.settled()

	host.decide(hosting.StepRevoke)
	order := map[string]any{"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": 1}}}
	shopper.told("POST", "/v1/orders", order, 409, "ORD_HOST_PAUSED")
	shopper.told("POST", "/v1/campaigns/"+campaign+"/quote", map[string]any{"lines": order["lines"]}, 409, "ORD_HOST_PAUSED")
	host.told("POST", "/v1/host/communities", map[string]any{"name": "另一个"}, 403, "HST_REVOKED")
	host.told("PUT", "/v1/host/communities/"+home, map[string]any{"name": "改名"}, 403, "HST_REVOKED")
	host.told("PUT", "/v1/host/communities/"+home+"/picks/"+sku[:24], map[string]any{"reason": "甜"}, 403, "HST_REVOKED")
	host.told("POST", "/v1/host/campaigns/"+draft.text("id")+"/publish", nil, 403, "HST_REVOKED")
	host.told("POST", "/v1/host/campaigns/"+campaign+"/cancel", map[string]any{"reason": "不做了"}, 403, "HST_REVOKED")
	host.told("POST", "/v1/host/campaigns/"+campaign+"/copy", map[string]any{
		"starts_at": w.clock.Now().Format(time.RFC3339), "ends_at": w.clock.Now().Add(time.Hour).Format(time.RFC3339),
	}, 403, "HST_REVOKED")
	host.must("GET", "/v1/purse", nil, 200)
	host.must("GET", "/v1/host/campaigns/"+campaign+"/orders", nil, 200)
	host.must("POST", "/v1/host/orders/"+o.text("id")+"/ship", map[string]any{"kind": "express", "company": "SF", "tracking": "SF1"}, 200)

	host.decide(hosting.StepReinstate)
	shopper.must("POST", "/v1/orders", order, 201)
	host.must("POST", "/v1/host/campaigns/"+draft.text("id")+"/publish", nil, 200)
}

// A store from before the rule: what runs goes on, nothing new begins, and staff sees the list.
func TestHostsFromBeforeTheRuleAreNotCutOff(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(clock.System{}.Now())
	store := docstoretest.NewStore(t, c)
	old, err := community.New(t.Context(), community.Deps{Store: store, Clock: c, Hosting: everybody{}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := old.Create(t.Context(), community.CreateInput{Host: "old-host", Key: "k", Name: "老团"})
	if err != nil {
		t.Fatal(err)
	}
	w := startWorld(t, c, harness.Config{Store: store, Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Sandbox: sandbox.Config{Keys: keys()}})
	page, err := w.Hosting.ByState(t.Context(), hosting.Carried, docstore.Paging{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != "old-host" {
		t.Fatalf("the list: %v %v", page.Items, err)
	}
	if err := w.Hosting.MayRun(t.Context(), "old-host"); err != nil {
		t.Error(err)
	}
	if _, err := w.Communities.Create(t.Context(), community.CreateInput{Host: "old-host", Key: "new", Name: "新的"}); !errors.Is(err, hosting.ErrUnderReview) {
		t.Errorf("something new: %v", err)
	}
	_, err = w.Communities.Edit(t.Context(), community.EditInput{Host: "old-host", Community: first.ID, Name: new("老团"), Notice: new("周三到货")})
	if err != nil {
		t.Error(err)
	}
}

// everybody is the program before the rule.
type everybody struct{}

func (everybody) MayStart(context.Context, string) error { return nil }
func (everybody) MayRun(context.Context, string) error   { return nil }
