package weixinpay_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixinpay"
)

const transferBills = "/v3/fund-app/mch-transfer/transfer-bills"

const goodTransfer = `{"mch_id":"1900000109","out_bill_no":"W1","transfer_bill_no":"1330","state":"SUCCESS",` +
	`"transfer_amount":500,"openid":"o1","create_time":"2026-11-22T16:00:00+08:00","update_time":"2026-11-22T16:01:00+08:00"}`

func (d *desk) transfer(number string) withdrawal.Transfer {
	return withdrawal.Transfer{Number: number, OpenID: d.box.OpenID("lan"), Amount: 12_345, Remark: "十一月佣金"}
}

// send must be accepted.
func (d *desk) send(t *testing.T, in withdrawal.Transfer) withdrawal.Outcome {
	t.Helper()
	o, err := d.pay.Transfers().Send(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (d *desk) state(t *testing.T, number string) withdrawal.Outcome {
	t.Helper()
	o, err := d.pay.Transfers().Query(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func wantState(t *testing.T, o withdrawal.Outcome, want withdrawal.TransferState) {
	t.Helper()
	if o.State != want {
		t.Errorf("state %q, want %q: %+v", o.State, want, o)
	}
}

func TestATransferIsSentConfirmedAndNotified(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	before := d.box.Balance()
	sent := d.send(t, d.transfer("W1"))
	want := withdrawal.Outcome{Number: "W1", State: withdrawal.TransferWaiting}
	if diff := cmp.Diff(want, sent, cmpopts.IgnoreFields(withdrawal.Outcome{}, "Bill", "Package", "At")); diff != "" {
		t.Error(diff)
	}
	if sent.Bill == "" || sent.Package == "" || sent.At.IsZero() || d.box.Balance() != before-12_345 {
		t.Errorf("%+v, balance %d", sent, d.box.Balance())
	}
	c := d.box.Credentials()
	in := sandbox.ConfirmInput{Package: sent.Package, OpenID: d.box.OpenID("lan"), MchID: c.MchID, AppID: c.AppID}
	if err := d.box.ConfirmTransfer(in); err != nil {
		t.Fatal(err)
	}
	notices := d.drain(t)
	if len(notices) != 1 || notices[0].Transfer == nil || notices[0].Payment != nil {
		t.Fatalf("%+v", notices)
	}
	got := d.state(t, "W1")
	want = withdrawal.Outcome{Number: "W1", State: withdrawal.TransferSuccess, Bill: sent.Bill, Amount: 12_345, At: got.At}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, *notices[0].Transfer); diff != "" {
		t.Errorf("the notification and the query differ: %s", diff)
	}
	byBill, err := d.pay.Transfers().QueryBill(t.Context(), sent.Bill)
	if err != nil || byBill != got {
		t.Errorf("by the platform's number: %+v, %v", byBill, err)
	}
	again := d.send(t, d.transfer("W1"))
	wantState(t, again, withdrawal.TransferSuccess)
	if s := d.box.Stats(); s.SentFen != 12_345 || s.Transfers != 1 || s.OpenTransfers != 0 {
		t.Errorf("%+v", s)
	}
	if err := d.box.ConfirmTransfer(in); !errors.Is(err, sandbox.ErrNotConfirmable) {
		t.Errorf("confirmed twice: %v", err)
	}
}

// Every state that the platform can be in is told over the wire.
func TestEveryStateOfATransfer(t *testing.T) {
	t.Parallel()
	at := clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	d := openDesk(t, func(c *sandbox.Config) { c.Clock, c.StartBalance = at, -1 })
	rail := d.pay.Transfers()
	confirm := func(number string) {
		t.Helper()
		if err := d.box.ConfirmTransfer(sandbox.ConfirmInput{Number: number}); err != nil {
			t.Fatal(err)
		}
	}
	wantState(t, d.send(t, d.transfer("Poor")), withdrawal.TransferProcessing)
	wantState(t, d.state(t, "Poor"), withdrawal.TransferProcessing)
	d.box.TopUp(1_000_000)
	wantState(t, d.state(t, "Poor"), withdrawal.TransferWaiting)
	if again := d.send(t, d.transfer("Poor")); again.Package == "" {
		t.Error("the package is told when the number is sent again")
	}

	d.box.Inject(sandbox.Rule{Match: "transfer:accept", Action: sandbox.ActionDelay, DelayMS: 60_000})
	wantState(t, d.send(t, d.transfer("Slow")), withdrawal.TransferAccepted)
	d.box.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionLose})
	d.send(t, d.transfer("Stuck"))
	confirm("Stuck")
	wantState(t, d.state(t, "Stuck"), withdrawal.TransferTransferring)
	confirm("Stuck") // the member may try again
	d.box.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionFail, Code: "PAYEE_ACCOUNT_ABNORMAL"})
	d.send(t, d.transfer("Bad"))
	confirm("Bad")
	d.box.Inject(sandbox.Rule{Match: "transfer:cancel", Action: sandbox.ActionDelay, DelayMS: 60_000})
	d.send(t, d.transfer("Leaving"))
	if o, err := rail.Cancel(t.Context(), "Leaving"); err != nil || o.State != withdrawal.TransferCanceling {
		t.Errorf("%+v, %v", o, err)
	}
	d.send(t, d.transfer("Gone"))
	if o, err := rail.Cancel(t.Context(), "Gone"); err != nil || o.State != withdrawal.TransferCanceling && o.State != withdrawal.TransferCancelled {
		t.Errorf("%+v, %v", o, err)
	}
	for number, want := range map[string]withdrawal.TransferState{
		"Stuck": withdrawal.TransferSuccess, "Bad": withdrawal.TransferFailed, "Gone": withdrawal.TransferCancelled,
		"Leaving": withdrawal.TransferCanceling, "Slow": withdrawal.TransferAccepted,
	} {
		d.until(t, number, want)
	}
	if o := d.state(t, "Bad"); o.Reason != "PAYEE_ACCOUNT_ABNORMAL" {
		t.Errorf("%+v", o)
	}
	at.Advance(24 * time.Hour)
	for number, want := range map[string]withdrawal.TransferState{
		"Poor": withdrawal.TransferFailed, "Slow": withdrawal.TransferFailed, "Stuck": withdrawal.TransferSuccess,
	} {
		wantState(t, d.state(t, number), want)
	}
	if left := d.box.Balance(); left != 1_000_000-2*12_345 { // Stuck is paid, Leaving still set aside
		t.Errorf("balance %d", left)
	}
	at.Advance(30 * 24 * time.Hour)
	if _, err := rail.Query(t.Context(), "Stuck"); !errors.Is(err, withdrawal.ErrUnknownNumber) {
		t.Errorf("queries reach back 30 days: %v", err)
	}
}

// until polls, as the product does, until the platform is done with what it does after its answer.
func (d *desk) until(t *testing.T, number string, want withdrawal.TransferState) {
	t.Helper()
	for range 2000 {
		if d.state(t, number).State == want {
			return
		}
	}
	t.Errorf("%s is %q, want %q", number, d.state(t, number).State, want)
}

func TestAnotherContentUnderAKnownNumberIsNoRefusal(t *testing.T) {
	t.Parallel()
	at := clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	d := openDesk(t, func(c *sandbox.Config) { c.Clock = at })
	in := d.transfer("Same")
	d.send(t, in)
	in.Amount++
	_, err := d.pay.Transfers().Send(t.Context(), in)
	wantUnclear(t, err)
	if !errors.Is(err, weixinpay.ErrOtherTransfer) {
		t.Error(err)
	}
	in.Amount--
	in.Remark = "" // bad or other content beside: the number is known, so its state is the answer
	if o, err := d.pay.Transfers().Send(t.Context(), in); err != nil || o.State != withdrawal.TransferWaiting {
		t.Errorf("%+v, %v", o, err)
	}
	in.Amount = 1 // below the minimum: never sent, but the number is taken
	_, err = d.pay.Transfers().Send(t.Context(), in)
	wantUnclear(t, err)
	at.Advance(31 * 24 * time.Hour) // the query finds it no longer: still no refusal
	in.Amount = 99
	_, err = d.pay.Transfers().Send(t.Context(), in)
	wantUnclear(t, err)
}

func wantUnclear(t *testing.T, err error) {
	t.Helper()
	var refusal *withdrawal.Refusal
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("want an unknown outcome, have %v", err)
	}
}

func wantRefusal(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *withdrawal.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("want a refusal with %s, have %v", code, err)
	}
}

func TestWhatThePlatformRefuses(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.SetRealName("lan", "王兰")
	for name, c := range map[string]struct {
		config func(*weixinpay.Config)
		change func(*withdrawal.Transfer)
		code   string
	}{
		"a scene it was not given": {config: func(c *weixinpay.Config) {
			c.Transfer = weixinpay.TransferConfig{Scene: "1006", Infos: []weixinpay.ReportInfo{{"报销说明", "x"}}}
		}, code: "INVALID_REQUEST"},
		"another scene's infos": {config: func(c *weixinpay.Config) {
			c.Transfer.Infos = []weixinpay.ReportInfo{{"活动名称", "a"}, {"奖励说明", "b"}}
		}, code: "PARAM_ERROR"},
		"an info missing": {config: func(c *weixinpay.Config) {
			c.Transfer.Infos = []weixinpay.ReportInfo{{"岗位类型", "a"}}
		}, code: "PARAM_ERROR"},
		"another perception": {config: func(c *weixinpay.Config) { c.Transfer.Perception = "工资" }, code: "INVALID_REQUEST"},
		"another app":        {config: func(c *weixinpay.Config) { c.AppID = "wx0" }, code: "APPID_MCHID_NOT_MATCH"},
		"too much":           {change: func(t *withdrawal.Transfer) { t.Amount, t.RealName = 2_000_001, "王兰" }, code: "INVALID_REQUEST"},
		"too little":         {change: func(t *withdrawal.Transfer) { t.Amount = 9 }, code: "PARAM_ERROR"},
		"too little, sent": {
			config: func(c *weixinpay.Config) { c.Transfer.Min = 1 },
			change: func(t *withdrawal.Transfer) { t.Amount = 9 }, code: "INVALID_REQUEST",
		},
		"no name from 2,000 yuan": {change: func(t *withdrawal.Transfer) { t.Amount = 200_000 }, code: "PARAM_ERROR"},
		"long remark":             {change: func(t *withdrawal.Transfer) { t.Remark = strings.Repeat("备", 33) }, code: "PARAM_ERROR"},
		"no openid":               {change: func(t *withdrawal.Transfer) { t.OpenID = "" }, code: "PARAM_ERROR"},
		"long number":             {change: func(t *withdrawal.Transfer) { t.Number = strings.Repeat("n", 33) }, code: "PARAM_ERROR"},
		"a number with a dash":    {change: func(t *withdrawal.Transfer) { t.Number = "a-b" }, code: "PARAM_ERROR"},
	} {
		in := d.transfer("Refused")
		if c.change != nil {
			c.change(&in)
		}
		_, err := d.adapter(t, c.config).Transfers().Send(t.Context(), in)
		t.Log(name)
		wantRefusal(t, err, c.code)
	}
	if n := d.box.Stats().Transfers; n != 0 {
		t.Errorf("%d transfers", n)
	}
	other := d.adapter(t, func(c *weixinpay.Config) {
		c.Transfer = weixinpay.TransferConfig{Scene: "1011", Perception: "退款", Infos: []weixinpay.ReportInfo{{"赔付原因", "坏果"}}}
	})
	if _, err := other.Transfers().Send(t.Context(), d.transfer("Scene1011")); err != nil {
		t.Error(err)
	}
}

func TestTheRealNameIsEncryptedAndCompared(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.SetRealName("lan", "王兰")
	in := d.transfer("Named")
	in.Amount, in.RealName = 200_000, "王兰"
	wantState(t, d.send(t, in), withdrawal.TransferWaiting)
	wantState(t, d.send(t, in), withdrawal.TransferWaiting) // encrypted anew, still the same content
	in.Number, in.RealName = "Misnamed", "王蓝"
	d.send(t, in)
	d.drain(t)
	if o := d.state(t, "Misnamed"); o.State != withdrawal.TransferFailed || o.Reason != "NAME_NOT_CORRECT" {
		t.Errorf("%+v", o)
	}
	strict := openDesk(t, func(c *sandbox.Config) { c.RefuseWrongName = true })
	strict.box.SetRealName("lan", "王兰")
	_, err := strict.pay.Transfers().Send(t.Context(), in)
	wantRefusal(t, err, "NAME_NOT_CORRECT")
	wantNothing(t, err, "王蓝", "王兰", in.OpenID)
}

// Nothing but a known no, confirmed by a query that finds nothing, is a refusal.
func TestTrapTroubleIsNeverARefusal(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	for name, rule := range map[string]sandbox.Rule{
		"429":                 {Action: sandbox.ActionRateLimit},
		"500":                 {Action: sandbox.ActionFail},
		"PARAM_ERROR in 500":  {Action: sandbox.ActionFail, Code: "PARAM_ERROR", Status: 500},
		"a new code":          {Action: sandbox.ActionFail, Code: "SOMETHING_NEW", Status: 400},
		"NOT_ENOUGH":          {Action: sandbox.ActionFail, Code: "NOT_ENOUGH"},
		"401":                 {Action: sandbox.ActionFail, Code: "INVALID_REQUEST", Status: 401},
		"cut before":          {Action: sandbox.ActionLose},
		"cut after":           {Action: sandbox.ActionAfterAccept},
		"unsigned 200":        {Action: sandbox.ActionUnsigned},
		"slower than we wait": {Action: sandbox.ActionDelay, DelayMS: 60_000},
	} {
		rule.Match = transferBills
		d.box.Inject(rule)
		pay := d.pay
		if rule.Action == sandbox.ActionDelay {
			pay = d.adapter(t, func(c *weixinpay.Config) { c.Timeout = 50 * time.Millisecond })
		}
		_, err := pay.Transfers().Send(t.Context(), d.transfer("Trouble"))
		t.Log(name)
		wantUnclear(t, err)
	}
	d.box.ClearFaults()
	wantState(t, d.send(t, d.transfer("Trouble")), withdrawal.TransferWaiting)
	if s := d.box.Stats(); s.Transfers != 1 {
		t.Errorf("one number is one transfer: %+v", s)
	}
	// A known no, but the query fails, or finds the number.
	d.box.Inject(sandbox.Rule{Match: transferBills, Action: sandbox.ActionFail, Code: "NO_AUTH", Times: 2})
	_, err := d.pay.Transfers().Send(t.Context(), d.transfer("Unsure"))
	wantUnclear(t, err)
	d.box.Inject(sandbox.Rule{Match: transferBills, Action: sandbox.ActionFail, Code: "NO_AUTH"})
	if o, err := d.pay.Transfers().Send(t.Context(), d.transfer("Trouble")); err != nil || o.State != withdrawal.TransferWaiting {
		t.Errorf("the number is known: %+v, %v", o, err)
	}
	d.box.Inject(sandbox.Rule{Match: transferBills, Action: sandbox.ActionFail, Code: "NO_AUTH"})
	_, err = d.pay.Transfers().Send(t.Context(), d.transfer("Forbidden"))
	wantRefusal(t, err, "NO_AUTH")
}

func TestTrapNoTransferIsSettledOnAnErrorReply(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	for name, c := range map[string]struct {
		status int
		body   string
		sign   bool
	}{
		"success, says a 500":     {500, goodTransfer, true},
		"success, says a 400":     {400, goodTransfer, false},
		"success, unsigned 200":   {200, goodTransfer, false},
		"202":                     {202, goodTransfer, true},
		"another number's record": {200, strings.Replace(goodTransfer, "W1", "W2", 1), true},
		"another merchant's":      {200, strings.Replace(goodTransfer, "1900000109", "1900000110", 1), true},
		"no amount":               {200, strings.Replace(goodTransfer, "500", "0", 1), true},
		"unknown state":           {200, strings.Replace(goodTransfer, "SUCCESS", "PAID", 1), true},
		"bad time":                {200, strings.Replace(goodTransfer, "2026-11-22T16:01", "soon", 1), true},
		"null":                    {200, "null", true},
		"no JSON":                 {200, "<html>", true},
		"404 without a code":      {404, "", false},
		"404 of a proxy":          {404, "<html>not found</html>", false},
		"404 of another path":     {404, `{"code":"ORDER_NOT_EXIST"}`, false},
	} {
		rail := answering(t, d, c.status, c.body, c.sign).Transfers()
		for op, call := range map[string]func() (withdrawal.Outcome, error){
			"query":  func() (withdrawal.Outcome, error) { return rail.Query(t.Context(), "W1") },
			"cancel": func() (withdrawal.Outcome, error) { return rail.Cancel(t.Context(), "W1") },
			"send":   func() (withdrawal.Outcome, error) { return rail.Send(t.Context(), d.transfer("W1")) },
		} {
			o, err := call()
			if op != "query" && err == nil && c.status == 200 { // they are told neither merchant nor amount
				continue
			}
			if o != (withdrawal.Outcome{}) || errors.Is(err, withdrawal.ErrUnknownNumber) {
				t.Errorf("%s, %s: %+v, %v", name, op, o, err)
			}
			wantUnclear(t, err)
		}
	}
}

// An error reply that carries a signature must carry a good one.
func TestTrapAForgedRefusalDoesNotCount(t *testing.T) {
	t.Parallel()
	d, other := openDesk(t, nil), openDesk(t, func(c *sandbox.Config) { c.Keys = sandboxKeys(t) })
	forger := newPlatform(t, other.box)
	forger.serial = d.box.Credentials().PublicKeyID
	rail := forging(t, d, forger, http.StatusNotFound, `{"code":"NOT_FOUND","message":"记录不存在"}`).Transfers()
	if _, err := rail.Query(t.Context(), "W1"); err == nil || errors.Is(err, withdrawal.ErrUnknownNumber) {
		t.Errorf("query: %v", err)
	}
	rail = forging(t, d, forger, http.StatusBadRequest, `{"code":"PARAM_ERROR","message":"no"}`).Transfers()
	_, err := rail.Send(t.Context(), d.transfer("W1"))
	wantUnclear(t, err)
}

func TestQueryAndCancelOfAnUnknownNumber(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	rail := d.pay.Transfers()
	for _, number := range []string{"Never", "a/b", "", "a?b", strings.Repeat("n", 33)} {
		if _, err := rail.Query(t.Context(), number); !errors.Is(err, withdrawal.ErrUnknownNumber) {
			t.Errorf("query %q: %v", number, err)
		}
		if _, err := rail.Cancel(t.Context(), number); !errors.Is(err, withdrawal.ErrUnknownNumber) {
			t.Errorf("cancel %q: %v", number, err)
		}
	}
	for _, bill := range []string{"1330", "", "../x"} {
		if _, err := rail.QueryBill(t.Context(), bill); !errors.Is(err, withdrawal.ErrUnknownNumber) {
			t.Errorf("query bill %q: %v", bill, err)
		}
	}
}

func TestCancelTwiceAndTooLate(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	rail := d.pay.Transfers()
	d.send(t, d.transfer("Twice"))
	for range 2 {
		if _, err := rail.Cancel(t.Context(), "Twice"); err != nil {
			t.Fatal(err)
		}
	}
	if notices := d.drain(t); len(notices) != 1 || notices[0].Transfer.State != withdrawal.TransferCancelled {
		t.Errorf("%+v", notices)
	}
	d.send(t, d.transfer("Late"))
	if err := d.box.ConfirmTransfer(sandbox.ConfirmInput{Number: "Late"}); err != nil {
		t.Fatal(err)
	}
	d.drain(t)
	o, err := rail.Cancel(t.Context(), "Late") // too late: the answer is the truth, not a refusal
	if err != nil || o.State != withdrawal.TransferSuccess {
		t.Errorf("%+v, %v", o, err)
	}
	d.box.Inject(sandbox.Rule{Match: "transfer:cancel", Action: sandbox.ActionFail})
	d.send(t, d.transfer("Overtaken"))
	if o, err := rail.Cancel(t.Context(), "Overtaken"); err != nil || o.State.Final() && o.State != withdrawal.TransferSuccess {
		t.Errorf("%+v, %v", o, err)
	}
	d.drain(t)
	wantState(t, d.state(t, "Overtaken"), withdrawal.TransferSuccess)
}

// The merchant cancels while the member taps: exactly one of them wins, and the money agrees with who.
func TestCancelAndConfirmRace(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	before := d.box.Balance()
	paid := int64(0)
	for _, number := range strings.Split("R1 R2 R3 R4 R5 R6 R7 R8", " ") {
		d.send(t, d.transfer(number))
		var confirmed error
		var group sync.WaitGroup
		group.Go(func() { confirmed = d.box.ConfirmTransfer(sandbox.ConfirmInput{Number: number}) })
		group.Go(func() {
			if _, err := d.pay.Transfers().Cancel(t.Context(), number); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		notices := d.drain(t)
		o := d.state(t, number)
		if len(notices) != 1 || *notices[0].Transfer != o || (confirmed == nil) != (o.State == withdrawal.TransferSuccess) {
			t.Errorf("%+v, %v, %+v", o, confirmed, notices)
		}
		if o.State == withdrawal.TransferSuccess {
			paid += 12_345
		}
	}
	if now := d.box.Balance(); now != before-paid {
		t.Errorf("balance %d, want %d", now, before-paid)
	}
}

// The cancel has no body; the SDK's Post would send "null", which the platform does not take.
func TestTrapCancelSendsNoBody(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	var got []string
	pay := d.through(t, func(r *http.Request, body string) { got = append(got, r.Method+" "+r.URL.Path+" "+body) })
	_, _ = pay.Transfers().Cancel(t.Context(), "W1")
	if diff := cmp.Diff([]string{"POST " + transferBills + "/out-bill-no/W1/cancel ", "GET " + transferBills + "/out-bill-no/W1 "}, got); diff != "" {
		t.Error(diff)
	}
}
