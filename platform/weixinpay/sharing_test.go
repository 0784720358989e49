package weixinpay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/clock"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

// sharingDesk has a paid order of 49.90 that can be shared, and two receivers.
func sharingDesk(t *testing.T) (*desk, *clock.Manual, order.Payment) {
	t.Helper()
	at := clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	d := openDesk(t, func(c *sandbox.Config) { c.Clock = at })
	d.pay = d.adapter(t, func(c *weixinpay.Config) { c.ShareProfit, c.Clock = true, at })
	d.cfg.ShareProfit = true
	d.box.SetRealName("hong", "红")
	for _, r := range []weixinpay.Receiver{
		{Kind: weixinpay.ReceiverPerson, Account: d.box.OpenID("hong"), Name: "红", Relation: "DISTRIBUTOR"},
		{Kind: weixinpay.ReceiverMerchant, Account: "1900000200", Name: "果园有限公司", Relation: "CUSTOM", Custom: "果园"},
	} {
		for range 2 { // again is fine
			if err := d.pay.Sharing().AddReceiver(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d, at, d.paid(t, "shared-1")
}

func (d *desk) share(p order.Payment, number string, parts ...weixinpay.SharePart) weixinpay.ShareOrder {
	return weixinpay.ShareOrder{
		Number: number, TransactionID: p.TransactionID, Total: p.Total, PaidAt: p.PaidAt,
		AfterSaleOver: p.PaidAt.Add(time.Minute), Parts: parts,
	}
}

func toOrchard(amount money.Fen) weixinpay.SharePart {
	return weixinpay.SharePart{Kind: weixinpay.ReceiverMerchant, Account: "1900000200", Name: "果园有限公司", Amount: amount, Note: "货款"}
}

func (d *desk) toHong(amount money.Fen) weixinpay.SharePart {
	return weixinpay.SharePart{Kind: weixinpay.ReceiverPerson, Account: d.box.OpenID("hong"), Name: "红", Amount: amount, Note: "佣金"}
}

func TestAnOrderIsSharedReturnedAndSetFree(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	share, before := d.pay.Sharing(), d.box.Balance()
	at.Advance(time.Minute)
	in := d.share(p, "S-1|a", d.toHong(300), toOrchard(700))
	first, err := share.Share(t.Context(), in)
	if err != nil || first.Finished || len(first.Parts) != 2 || first.Parts[0].Result != weixinpay.SharePending {
		t.Fatalf("%+v, %v", first, err)
	}
	d.drain(t)
	again, err := share.Share(t.Context(), in) // names are encrypted anew
	if err != nil {
		t.Fatal(err)
	}
	done, err := share.QueryShare(t.Context(), "S-1|a", p.TransactionID)
	if err != nil {
		t.Fatal(err)
	}
	want := weixinpay.ShareState{Number: "S-1|a", ID: first.ID, Finished: true, Parts: []weixinpay.SharedPart{
		{Kind: weixinpay.ReceiverPerson, Account: d.box.OpenID("hong"), Amount: 300, Result: weixinpay.ShareDone, DoneAt: at.Now()},
		{Kind: weixinpay.ReceiverMerchant, Account: "1900000200", Amount: 700, Result: weixinpay.ShareDone, DoneAt: at.Now()},
	}}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(done, again); diff != "" {
		t.Errorf("the same sharing again: %s", diff)
	}
	if rest, err := share.Unsplit(t.Context(), p.TransactionID); err != nil || rest != 3990 || d.box.Balance() != before-1000 {
		t.Errorf("left %d, balance %d, %v", rest, d.box.Balance(), err)
	}
	back := weixinpay.ShareReturn{Number: "R-1", ShareNumber: "S-1|a", MchID: "1900000200", Amount: 200, Note: "坏果"}
	if state, err := share.Return(t.Context(), back); err != nil || state.Result == weixinpay.ReturnFailed {
		t.Fatalf("%+v, %v", state, err)
	}
	d.drain(t)
	returned, err := share.QueryReturn(t.Context(), "R-1", "S-1|a")
	wantReturn := weixinpay.ReturnState{Number: "R-1", Amount: 200, Result: weixinpay.ReturnDone, DoneAt: at.Now()}
	if diff := cmp.Diff(wantReturn, returned, cmpopts.IgnoreFields(weixinpay.ReturnState{}, "ID")); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := share.Unfreeze(t.Context(), "U-1", p.TransactionID, "售后期结束"); err != nil {
		t.Fatal(err)
	}
	d.drain(t)
	free, err := share.QueryShare(t.Context(), "U-1", p.TransactionID)
	if err != nil || !free.Finished || len(free.Parts) != 1 || free.Parts[0].Amount != 3990 || free.Parts[0].Account != p.MchID {
		t.Errorf("%+v, %v", free, err)
	}
	if rest, err := share.Unsplit(t.Context(), p.TransactionID); err != nil || rest != 0 {
		t.Errorf("left %d, %v", rest, err)
	}
	_, err = share.Unfreeze(t.Context(), "U-2", p.TransactionID, "再来")
	wantRefused(t, err, "NOT_ENOUGH")
	d.billOfSharing(t, at)
}

func (d *desk) billOfSharing(t *testing.T, at *clock.Manual) {
	t.Helper()
	at.Set(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	sums := map[string]money.Fen{}
	if err := d.pay.FundFlowBill(t.Context(), weixinpay.AccountBasic, "2026-11-22", func(l weixinpay.FundLine) error {
		sums[l.Name] += l.Amount
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]money.Fen{"交易": 4990, "分账": 1000, "分账回退": 200}, sums); diff != "" {
		t.Error(diff)
	}
}

func TestTrapAShareIsCheckedBeforeItIsAsked(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	at.Advance(10 * time.Minute)
	for name, c := range map[string]struct {
		change func(*weixinpay.ShareOrder)
		want   error
	}{
		"above 30 %":              {func(o *weixinpay.ShareOrder) { o.Parts[0].Amount = 1498 }, weixinpay.ErrShareTooMuch},
		"above it together":       {func(o *weixinpay.ShareOrder) { o.Parts = append(o.Parts, toOrchard(1198)) }, weixinpay.ErrShareTooMuch},
		"above it with the past":  {func(o *weixinpay.ShareOrder) { o.Shared = 1198 }, weixinpay.ErrShareTooMuch},
		"huge":                    {func(o *weixinpay.ShareOrder) { o.Parts[0].Amount = 1 << 62 }, weixinpay.ErrShareTooMuch},
		"before after-sale":       {func(o *weixinpay.ShareOrder) { o.AfterSaleOver = at.Now().Add(time.Millisecond) }, weixinpay.ErrShareTooEarly},
		"without after-sale":      {func(o *weixinpay.ShareOrder) { o.AfterSaleOver = time.Time{} }, weixinpay.ErrShareTooEarly},
		"29 s after payment":      {func(o *weixinpay.ShareOrder) { o.PaidAt = at.Now().Add(-29 * time.Second) }, weixinpay.ErrShareTooEarly},
		"never paid":              {func(o *weixinpay.ShareOrder) { o.PaidAt = time.Time{} }, weixinpay.ErrShareTooEarly},
		"nobody":                  {func(o *weixinpay.ShareOrder) { o.Parts = nil }, weixinpay.ErrShareInvalid},
		"somebody twice":          {func(o *weixinpay.ShareOrder) { o.Parts = append(o.Parts, o.Parts[0]) }, weixinpay.ErrShareInvalid},
		"nothing":                 {func(o *weixinpay.ShareOrder) { o.Parts[0].Amount = 0 }, weixinpay.ErrShareInvalid},
		"no note":                 {func(o *weixinpay.ShareOrder) { o.Parts[0].Note = "" }, weixinpay.ErrShareInvalid},
		"no number":               {func(o *weixinpay.ShareOrder) { o.Number = "" }, weixinpay.ErrShareInvalid},
		"no order":                {func(o *weixinpay.ShareOrder) { o.TransactionID = "" }, weixinpay.ErrShareInvalid},
		"more than 50":            {func(o *weixinpay.ShareOrder) { o.Parts = make([]weixinpay.SharePart, 51) }, weixinpay.ErrShareInvalid},
		"less than nothing, past": {func(o *weixinpay.ShareOrder) { o.Shared = -1 }, weixinpay.ErrShareInvalid},
	} {
		in := d.share(p, "S-1", d.toHong(300))
		c.change(&in)
		if _, err := d.pay.Sharing().Share(t.Context(), in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.pay.Sharing().QueryShare(t.Context(), "S-1", p.TransactionID); !errors.Is(err, weixinpay.ErrShareUnknown) {
		t.Errorf("something was sent: %v", err)
	}
	if _, err := d.pay.Sharing().Share(t.Context(), d.share(p, "S-1", d.toHong(300), toOrchard(1197))); err != nil {
		t.Errorf("exactly 30 %%: %v", err)
	}
	generous := d.adapter(t, func(c *weixinpay.Config) { c.Sharing.Ceiling, c.Clock = 5_000, at })
	_, err := generous.Sharing().Share(t.Context(), d.share(p, "S-2", d.toHong(900)))
	wantRefused(t, err, "INVALID_REQUEST") // the platform's own ceiling
	bad := d.cfg
	bad.Sharing.Ceiling = 10_001
	if _, err := weixinpay.New(bad); err == nil {
		t.Error("a ceiling above everything was accepted")
	}
}

func TestWhatThePlatformRefusesToShare(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	share := d.pay.Sharing()
	hasty := d.adapter(t, func(c *weixinpay.Config) { c.Sharing.Wait, c.Clock = -1, at })
	early := d.share(p, "S-1", d.toHong(300))
	early.AfterSaleOver = early.PaidAt
	_, err := hasty.Sharing().Share(t.Context(), early)
	wantRefused(t, err, "INVALID_REQUEST") // 30 s
	plain := d.adapter(t, func(c *weixinpay.Config) { c.ShareProfit = false })
	params, err := plain.Prepay(t.Context(), d.prepayment("plain-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.box.Pay(tap(params)); err != nil {
		t.Fatal(err)
	}
	unshared, err := d.pay.Query(t.Context(), "plain-1")
	if err != nil {
		t.Fatal(err)
	}
	at.Advance(time.Hour)
	_, err = share.Share(t.Context(), d.share(unshared, "S-2", d.toHong(300)))
	wantRefused(t, err, "INVALID_REQUEST") // not frozen
	if rest, err := share.Unsplit(t.Context(), unshared.TransactionID); err != nil || rest != 0 {
		t.Error(rest, err)
	}
	if _, err := share.Share(t.Context(), d.share(p, "S-3", d.toHong(300))); err != nil {
		t.Fatal(err)
	}
	_, err = share.Share(t.Context(), d.share(p, "S-3", d.toHong(301)))
	wantRefused(t, err, "INVALID_REQUEST") // another content
	d.drain(t)
	_, err = share.Return(t.Context(), weixinpay.ShareReturn{Number: "R", ShareNumber: "S-3", MchID: d.box.OpenID("hong"), Amount: 1, Note: "x"})
	wantRefused(t, err, "INVALID_REQUEST") // a person cannot give back
	if _, err := share.Return(t.Context(), weixinpay.ShareReturn{Number: "R", ShareNumber: "S-9", MchID: "1", Amount: 1, Note: "x"}); !errors.Is(err, weixinpay.ErrShareUnknown) {
		t.Error(err)
	}
	if _, err := share.QueryReturn(t.Context(), "R", "S-3"); !errors.Is(err, weixinpay.ErrShareUnknown) {
		t.Error(err)
	}
	if _, err := share.Unsplit(t.Context(), "4200"); !errors.Is(err, weixinpay.ErrShareUnknown) {
		t.Error(err)
	}
	err = share.AddReceiver(t.Context(), weixinpay.Receiver{Kind: weixinpay.ReceiverPerson, Account: d.box.OpenID("hong"), Name: "绿", Relation: "STAFF"})
	wantRefused(t, err, "INVALID_REQUEST")
	wantNothing(t, err, "绿", d.box.OpenID("hong"))
	err = share.AddReceiver(t.Context(), weixinpay.Receiver{Kind: weixinpay.ReceiverMerchant, Account: "1", Relation: "STORE"})
	wantRefused(t, err, "PARAM_ERROR")
}

func TestPartsThatCannotBePaidAreClosed(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	share := d.pay.Sharing()
	at.Advance(time.Hour)
	if err := share.RemoveReceiver(t.Context(), weixinpay.ReceiverMerchant, "1900000200"); err != nil {
		t.Fatal(err)
	}
	wrong := d.toHong(100)
	wrong.Name = "绿"
	d.box.Inject(sandbox.Rule{Match: "sharing:order", Action: sandbox.ActionHold})
	for number, c := range map[string]struct {
		part   weixinpay.SharePart
		reason string
	}{
		"S-1": {toOrchard(100), "NO_RELATION"}, "S-2": {wrong, "RECEIVER_REAL_NAME_NOT_VERIFIED"},
	} {
		if _, err := share.Share(t.Context(), d.share(p, number, c.part)); err != nil {
			t.Fatal(err)
		}
		d.wantClosed(t, p, number, c.reason)
	}
	d.box.Inject(sandbox.Rule{Match: "sharing:order", Action: sandbox.ActionFail, Code: "ACCOUNT_ABNORMAL"})
	if _, err := share.Share(t.Context(), d.share(p, "S-3", d.toHong(100))); err != nil {
		t.Fatal(err)
	}
	d.wantClosed(t, p, "S-3", "ACCOUNT_ABNORMAL")
	if rest, err := share.Unsplit(t.Context(), p.TransactionID); err != nil || rest != p.Total {
		t.Errorf("what was closed can be shared again: %d, %v", rest, err)
	}
}

func (d *desk) wantClosed(t *testing.T, p order.Payment, number, reason string) {
	t.Helper()
	d.drain(t)
	state, err := d.pay.Sharing().QueryShare(t.Context(), number, p.TransactionID)
	if err != nil || !state.Finished || state.Parts[0].Result != weixinpay.ShareClosed || state.Parts[0].Reason != reason {
		t.Errorf("%s: %+v, %v", number, state, err)
	}
}

func TestTroubleWithSharingIsAway(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	at.Advance(time.Hour)
	in := d.share(p, "S-1", d.toHong(300))
	for name, rule := range map[string]sandbox.Rule{
		"429": {Action: sandbox.ActionRateLimit}, "500": {Action: sandbox.ActionFail}, "cut": {Action: sandbox.ActionLose},
		"cut after": {Action: sandbox.ActionAfterAccept}, "unsigned": {Action: sandbox.ActionUnsigned},
	} {
		rule.Match = "/v3/profitsharing/orders"
		d.box.Inject(rule)
		_, err := d.pay.Sharing().Share(t.Context(), in)
		if !errors.Is(err, order.ErrPaymentsAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.drain(t)
	if state, err := d.pay.Sharing().Share(t.Context(), in); err != nil || !state.Finished {
		t.Errorf("%+v, %v", state, err)
	}
	if shared := d.box.Stats().SharedFen; shared != 300 {
		t.Errorf("one number is one sharing: %d", shared)
	}
	d.box.Inject(sandbox.Rule{Match: "sharing:return", Action: sandbox.ActionFail, Code: "BALANCE_NOT_ENOUGH"})
	if _, err := d.pay.Sharing().Share(t.Context(), d.share(p, "S-2", toOrchard(100))); err != nil {
		t.Fatal(err)
	}
	d.drain(t)
	if _, err := d.pay.Sharing().Return(t.Context(), weixinpay.ShareReturn{Number: "R", ShareNumber: "S-2", MchID: "1900000200", Amount: 100, Note: "x"}); err != nil {
		t.Fatal(err)
	}
	d.drain(t)
	if back, err := d.pay.Sharing().QueryReturn(t.Context(), "R", "S-2"); err != nil || back.Result != weixinpay.ReturnFailed || back.Reason != "BALANCE_NOT_ENOUGH" {
		t.Errorf("%+v, %v", back, err)
	}
	for name, body := range map[string]string{
		"another number": `{"out_order_no":"S-9","state":"FINISHED"}`, "an unknown state": `{"out_order_no":"S-1","state":"DONE"}`,
		"an unknown result": `{"out_order_no":"S-1","state":"FINISHED","receivers":[{"type":"MERCHANT_ID","amount":1,"result":"PAID"}]}`,
		"half a receiver":   `{"out_order_no":"S-1","state":"FINISHED","receivers":[{}]}`, "null": "null", "no JSON": "<html>",
	} {
		state, err := answering(t, d, 200, body, true).Sharing().QueryShare(t.Context(), "S-1", p.TransactionID)
		if !errors.Is(err, order.ErrPaymentsAway) || state.Number != "" {
			t.Errorf("%s: %+v, %v", name, state, err)
		}
	}
}

func TestTrapNamesAreNeverSentInTheClear(t *testing.T) {
	t.Parallel()
	d, at, p := sharingDesk(t)
	at.Advance(time.Hour)
	var heard strings.Builder
	pay := d.through(t, func(r *httpRequest, body string) { heard.WriteString(r.RequestURI + body) })
	_ = pay.Sharing().AddReceiver(t.Context(), weixinpay.Receiver{Kind: weixinpay.ReceiverPerson, Account: d.box.OpenID("hong"), Name: "红", Relation: "USER"})
	_, _ = pay.Sharing().Share(t.Context(), d.share(p, "S-1", d.toHong(300)))
	in := d.transfer("W1")
	in.RealName = "红"
	_, _ = pay.Transfers().Send(t.Context(), in)
	if text := heard.String(); strings.Contains(text, "红") || !strings.Contains(text, `"user_name":"`) {
		t.Error(text)
	}
}
