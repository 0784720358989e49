package app_test

import (
	"fmt"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/internal/docstore"
	"guanxi/platform/sandbox"
	"guanxi/reconcile"
)

// TestEveryFormOfTheBillsMeetsOurBooks sells, refunds and pays out under each form the platform writes bills in, over the wire.
func TestEveryFormOfTheBillsMeetsOurBooks(t *testing.T) {
	t.Parallel()
	for name, style := range map[string]sandbox.BillStyle{
		"present":               {},
		"fees":                  {FeeRate: 60},
		"fees, net refunds":     {FeeRate: 60, NetRefunds: true},
		"rows processing":       {FeeRate: 60, ProcessingRows: true},
		"operation account":     {TransfersFrom: "OPERATION"},
		"counts with a decimal": {Decimals: true},
		"all of it":             {FeeRate: 54, NetRefunds: true, ProcessingRows: true, Decimals: true, TransfersFrom: "OPERATION"},
		"older":                 {Older: true, FeeRate: 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPayday(t, sandbox.Config{Bills: style}, func(a *app.Config) {
				a.Reconcile.Expected, a.Reconcile.Apps = nil, []string{a.Orders.AppID}
			})
			sku := p.product("赣南脐橙", 10_000, 40)
			host, buyer := p.human("王姐"), p.human("小陈")
			_, campaign := host.openCampaign(sku, nil)
			coupon := int64(1000)
			if style.Older { // it knows no coupon that is not prefunded
				coupon = 0
			}
			whole := buyer.must("POST", "/v1/orders", map[string]any{"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": 1}}}, 201)
			buyer.must("POST", "/v1/orders/"+whole.text("id")+"/prepay", nil, 200)
			if coupon > 0 && !p.Sandbox.Coupon(whole.text("id"), coupon, false) {
				t.Fatal("no coupon")
			}
			buyer.pay(whole.text("id"))
			part := buyer.buy(campaign, sku, 3)
			p.settled()
			buyer.must("POST", "/v1/orders/"+whole.text("id")+"/refunds", map[string]any{"reason": "不想要了"}, 201)
			buyer.must("POST", "/v1/orders/"+part.text("id")+"/refunds", map[string]any{
				"lines": []any{map[string]any{"line": 1, "units": 1}}, "reason": "坏了一箱",
			}, 201)
			p.settled()
			e := p.earner(5000)
			number := e.asks(3000)
			if err := p.Sandbox.ConfirmTransfer(sandbox.ConfirmInput{Number: number}); err != nil {
				t.Fatal(err)
			}
			p.settled()
			p.Sandbox.OtherProgram("wx0000other0000000", "OTHER-77", 12_345)
			p.Sandbox.TopUp(700)
			p.Sandbox.Move(sandbox.Movement{Name: "提现", Kind: "商户提现", Number: "B1", Fen: -20_000})
			p.Sandbox.Move(sandbox.Movement{Account: "FEES", Name: "充值", Kind: "手续费账户充值", Fen: 500})
			p.clock.Advance(24 * time.Hour)
			p.reconciled()
			run, err := p.Reconcile.Get(t.Context(), reconcile.Trade, "2026-03-02")
			if err != nil {
				t.Fatal(err)
			}
			back, coupons := int64(2), map[bool]int64{true: 2}[coupon > 0]
			processing := map[bool]int64{true: back}[style.ProcessingRows]
			got := fmt.Sprint(run.Seen.Foreign, run.Seen.ForeignIn, run.Seen.Coupons, run.Seen.CouponIn, run.Seen.CouponOut, run.Seen.Processing)
			if want := fmt.Sprint(1, moneyFen(12_345), coupons, moneyFen(coupon), moneyFen(coupon), processing); got != want {
				t.Errorf("seen %s, want %s", got, want)
			}
			funds, err := p.Reconcile.Get(t.Context(), reconcile.Funds, "2026-03-02")
			if err != nil || funds.Seen.NetRefunds != map[bool]int64{true: back}[style.NetRefunds] || funds.Seen.Foreign != 1 {
				t.Errorf("%+v, %v", funds.Seen, err)
			}
			operation, err := p.Reconcile.Get(t.Context(), reconcile.Operation, "2026-03-02")
			if err != nil || operation.State != reconcile.Balanced || (operation.Matched == 1) != (style.TransfersFrom != "") {
				t.Errorf("%+v, %v", operation, err)
			}
		})
	}
}

// TestUnknownMovementsAreOneTaskAKindAndDay, however many rows there are.
func TestUnknownMovementsAreOneTaskAKindAndDay(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(a *app.Config) { a.Reconcile.Expected = nil })
	for n := range 30 {
		p.Sandbox.Move(sandbox.Movement{Name: "活动", Kind: "营销返还", Number: fmt.Sprint("M", n), Fen: 100})
	}
	p.clock.Advance(24 * time.Hour)
	for range 5 {
		if _, err := p.Reconcile.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tasks, err := p.Reconcile.TasksOf(t.Context(), reconcile.Funds, "2026-03-02", docstore.Paging{First: 10})
	if err != nil || len(tasks.Items) != 1 || tasks.Items[0].Number != "活动 营销返还" || tasks.Items[0].Counted.Lines != 30 || tasks.Items[0].Counted.In != 3000 {
		t.Errorf("%+v, %v", tasks.Items, err)
	}
}
