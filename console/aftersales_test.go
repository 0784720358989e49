package console

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
	"guanxi/order"
	"guanxi/order/authority"
	"guanxi/staff"
)

// Staff answers what waits for the brand, with a line in the audit log; whoever has a part in the order decides nothing.
func TestTheBrandAnswersAfterSales(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.orders.Order = order.Order{
		Doc: docstore.Doc{ID: "o1"}, Member: "bob", Host: "alice", State: order.StateReceived, Amount: 5990, BrandAt: start,
		Pickup: &order.Pickup{Point: "p", Keeper: "guard"}, Code: "12345678", Note: "放门口",
		Lines:   []order.Line{{Name: "脐橙", Units: 1, Paid: 5990}},
		Refunds: []order.Refund{{Number: "o1r1", Stage: order.StageRequested, Desk: order.DeskBrand, Why: []authority.Why{authority.WhyAmount}, AskedAt: start}},
	}
	desk, auditor, host := w.hire("desk", staff.Operations), w.hire("auditor", staff.Auditor), w.hire("twin", staff.Operations)
	w.links[host.operator] = "alice"
	seen := auditor.send("GET", "/console/api/orders/o1", nil)
	want := answer{
		"order": "o1", "member": "bob", "host": "alice", "keeper": "guard", "campaign": "", "state": "received", "amount_fen": 5990.0,
		"returned_fen": 0.0, "placed_at": "0001-01-01T00:00:00Z", "waits_since": start.Format(time.RFC3339),
		"lines": []any{map[string]any{"line": 1.0, "name": "脐橙", "units": 1.0, "paid_fen": 5990.0}},
		"refunds": []any{map[string]any{
			"number": "o1r1", "stage": "requested", "by": "", "amount_fen": 0.0, "lines": []any{}, "reason": "", "waits": "brand",
			"why": []any{"amount"}, "asked_at": start.Format(time.RFC3339),
		}},
		"relations": []any{map[string]any{"kind": "keeper", "members": []any{"guard"}}},
		"nicknames": seen.answer()["nicknames"],
	}
	if d := cmp.Diff(want, seen.answer()); d != "" {
		t.Error(d)
	}
	if list := auditor.must("GET", "/console/api/after-sales", nil, 200).list("orders"); len(list) != 1 {
		t.Error(list)
	}
	say := map[string]any{"words": "核对过照片"}
	auditor.refused("POST", "/console/api/orders/o1/refunds/o1r1/approve", say, 403, "STF_DENIED")
	host.refused("POST", "/console/api/orders/o1/refunds/o1r1/approve", say, 403, "CON_OWN_CASE")
	host.refused("POST", "/console/api/orders/o1/refunds", map[string]any{"reason": "补偿"}, 403, "CON_OWN_CASE")
	desk.refused("POST", "/console/api/orders/o2/refunds/o1r1/approve", say, 404, "ORD_NOT_FOUND")
	desk.must("POST", "/console/api/orders/o1/refunds/o1r1/approve", say, 200)
	desk.must("POST", "/console/api/orders/o1/refunds/o1r1/refuse", say, 200)
	desk.must("POST", "/console/api/orders/o1/refunds", map[string]any{"reason": "补偿", "lines": []any{map[string]any{"line": 1, "units": 1}}}, 201)
	desk.must("POST", "/console/api/orders/o1/ship", map[string]any{"kind": "express", "company": "SF", "tracking": "1"}, 200)
	if d := cmp.Diff([]string{
		"decide o1r1 true 核对过照片", "decide o1r1 false 核对过照片", "refund [{1 1}] 补偿", "ship {express SF 1}",
	}, w.orders.told); d != "" {
		t.Error(d)
	}
	if got := len(w.deeds("order/o1")); got != 6 {
		t.Errorf("%d deeds", got)
	}
}
