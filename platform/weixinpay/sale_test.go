package weixinpay_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/order"
	"guanxi/platform/sandbox"
)

func TestASaleIsPrepaidPaidNotifiedQueriedAndRefunded(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	ctx := t.Context()
	const number = "order-1|a_b"

	params, err := d.pay.Prepay(ctx, d.prepayment(number))
	if err != nil {
		t.Fatal(err)
	}
	open, err := d.pay.Query(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	c := d.box.Credentials()
	want := order.Payment{
		Number: number, AppID: c.AppID, MchID: c.MchID, State: order.PaymentOpen, Total: 4990, Currency: "CNY",
	}
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("open order: %s", diff)
	}

	id, err := d.box.Pay(tap(params))
	if err != nil {
		t.Fatal(err)
	}
	notices := d.drain(t)
	if len(notices) != 1 || notices[0].Payment == nil {
		t.Fatalf("notices: %+v", notices)
	}
	paid, err := d.pay.Query(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	want.State, want.TransactionID, want.OpenID, want.PaidAt = order.PaymentDone, id, d.box.OpenID("lan"), paid.PaidAt
	if diff := cmp.Diff(want, paid); diff != "" {
		t.Errorf("paid order: %s", diff)
	}
	if diff := cmp.Diff(paid, *notices[0].Payment); diff != "" {
		t.Errorf("the notification and the query differ: %s", diff)
	}

	asked := order.RefundOrder{Number: "refund-1@x", OrderNumber: number, TransactionID: id, Reason: "坏果", Refund: 990, Total: 4990}
	receipt, err := d.pay.Refund(ctx, asked)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.State != order.RefundProcessing || receipt.Refund != 990 {
		t.Errorf("refund asked: %+v", receipt)
	}
	notices = d.drain(t)
	if len(notices) != 1 || notices[0].Refund == nil {
		t.Fatalf("notices: %+v", notices)
	}
	done, err := d.pay.QueryRefund(ctx, "refund-1@x")
	if err != nil {
		t.Fatal(err)
	}
	if done.State != order.RefundDone || done.DoneAt.IsZero() {
		t.Errorf("refund done: %+v", done)
	}
	if diff := cmp.Diff(done, *notices[0].Refund); diff != "" {
		t.Errorf("the notification and the query differ: %s", diff)
	}
	again, err := d.pay.Refund(ctx, asked)
	if err != nil || again != done {
		t.Errorf("the same refund again: %+v, %v", again, err)
	}
	after, err := d.pay.Query(ctx, number)
	if err != nil || after.State != order.PaymentRefund {
		t.Errorf("a partial refund shows REFUND: %+v, %v", after, err)
	}
}

func TestPrepayAgain(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	in := d.prepayment("again-1")
	first, err := d.pay.Prepay(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.pay.Prepay(t.Context(), in)
	if err != nil || second.PrepayID != first.PrepayID {
		t.Errorf("the same content: %v, %v, %v", first.PrepayID, second.PrepayID, err)
	}
	in.Total++
	_, err = d.pay.Prepay(t.Context(), in)
	wantRefused(t, err, "OUT_TRADE_NO_USED")
}

func TestCloseTwiceAndCloseWhatWasPaid(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	params, err := d.pay.Prepay(t.Context(), d.prepayment("close-1"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.pay.Close(t.Context(), "close-1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.box.Pay(tap(params)); !errors.Is(err, sandbox.ErrNotPayable) {
		t.Errorf("a closed order was paid: %v", err)
	}
	p, err := d.pay.Query(t.Context(), "close-1")
	if err != nil || p.State != order.PaymentClosed {
		t.Errorf("closed: %+v, %v", p, err)
	}
	_, err = d.pay.Prepay(t.Context(), d.prepayment("close-1"))
	if err == nil {
		t.Error("a closed number was prepaid again")
	}
	d.paid(t, "close-2")
	wantRefused(t, d.pay.Close(t.Context(), "close-2"), "ORDERPAID")
	wantRefused(t, d.pay.Close(t.Context(), "never-heard"), "ORDER_NOT_EXIST")
}

func TestUnknownNumbersAreAnswersNotErrors(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p, err := d.pay.Query(t.Context(), "nobody-knows")
	if err != nil || p != (order.Payment{Number: "nobody-knows", State: order.PaymentUnknown}) {
		t.Errorf("query: %+v, %v", p, err)
	}
	r, err := d.pay.QueryRefund(t.Context(), "nobody-knows")
	if err != nil || r != (order.RefundReceipt{Number: "nobody-knows", State: order.RefundUnknown}) {
		t.Errorf("query refund: %+v, %v", r, err)
	}
}

func TestTheSandboxRefusesWhatThePlatformRefuses(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	long := strings.Repeat("字", 128)
	for name, change := range map[string]func(*order.Prepayment){
		"number too short":   func(p *order.Prepayment) { p.Number = "short" },
		"number too long":    func(p *order.Prepayment) { p.Number = strings.Repeat("1", 33) },
		"number's alphabet":  func(p *order.Prepayment) { p.Number = "number.with.dots" },
		"description":        func(p *order.Prepayment) { p.Description = long },
		"no description":     func(p *order.Prepayment) { p.Description = "" },
		"attach":             func(p *order.Prepayment) { p.Attach = long + "字" },
		"nothing to pay":     func(p *order.Prepayment) { p.Total = 0 },
		"negative":           func(p *order.Prepayment) { p.Total = -1 },
		"nobody pays":        func(p *order.Prepayment) { p.OpenID = "" },
		"expired beforehand": func(p *order.Prepayment) { p.ExpiresAt = time.Now().Add(-time.Hour) },
	} {
		in := d.prepayment("strict-1")
		change(&in)
		_, err := d.pay.Prepay(t.Context(), in)
		if !errors.Is(err, order.ErrPaymentRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := d.box.Stats().Orders; n != 0 {
		t.Errorf("%d orders exist after refusals", n)
	}
}

func TestRefundRules(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	p := d.paid(t, "rules-1")
	refund := func(change func(*order.RefundOrder)) error {
		in := order.RefundOrder{Number: "rules-r", OrderNumber: p.Number, TransactionID: p.TransactionID, Refund: 1000, Total: 4990}
		change(&in)
		_, err := d.pay.Refund(t.Context(), in)
		return err
	}
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Refund = 4991 }), "INVALID_REQUEST")
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Total = 5000 }), "INVALID_REQUEST")
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Refund = 0 }), "PARAM_ERROR")
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Reason = strings.Repeat("长", 81) }), "PARAM_ERROR")
	wantRefused(t, refund(func(r *order.RefundOrder) { r.TransactionID = "420000" }), "RESOURCE_NOT_EXISTS")
	if err := refund(func(*order.RefundOrder) {}); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Refund = 999 }), "INVALID_REQUEST")
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Number, r.Refund = "rules-rest", 3991 }), "INVALID_REQUEST")
	if _, err := d.pay.Prepay(t.Context(), d.prepayment("rules-2")); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, refund(func(r *order.RefundOrder) { r.Number, r.OrderNumber, r.TransactionID = "x", "rules-2", "" }), "RESOURCE_NOT_EXISTS")
}

func TestAtMostFiftyPartialRefunds(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.RefundDelay = time.Millisecond })
	p := d.paid(t, "fifty-1")
	for i := range 51 {
		_, err := d.pay.Refund(t.Context(), order.RefundOrder{
			Number: "part-" + strconv.Itoa(i), OrderNumber: p.Number, Refund: 1, Total: 4990,
		})
		if i < 50 && err != nil {
			t.Fatal(i, err)
		}
		if i == 50 {
			wantRefused(t, err, "INVALID_REQUEST")
		}
	}
	if n := d.drain(t); len(n) != 51 {
		t.Errorf("%d notices, want one payment and fifty refunds", len(n))
	}
}

func wantRefused(t *testing.T, err error, code string) {
	t.Helper()
	if !errors.Is(err, order.ErrPaymentRefused) || !strings.Contains(err.Error(), code) {
		t.Errorf("want a refusal with %s, have: %v", code, err)
	}
}

func wantAway(t *testing.T, err error, words string) {
	t.Helper()
	if !errors.Is(err, order.ErrPaymentsAway) || !strings.Contains(err.Error(), words) {
		t.Errorf("want away with %q, have: %v", words, err)
	}
}
