package app_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/platform/sandbox"
	"guanxi/staff"
)

// TestATransferInEveryState takes a withdrawal through every state the platform has for it, as the member and the books
// see it.
func TestATransferInEveryState(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	for _, c := range []struct {
		name  string
		play  func(e *earner) string
		state string
		word  string // the platform's last
		trail string
		left  string
	}{
		{"accepted, then waiting, transferring and success", func(e *earner) string {
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:accept", Action: sandbox.ActionHold})
			n := e.asks(1000)
			e.stands(n, "sent", "accepted")
			e.refused(10, "WDR_PURSE_SHORT")
			p.settled()
			e.left("0 1000 0")
			e.untilPackage(n)
			e.stands(n, "waiting", "waiting")
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionLose})
			if !e.taps(n) {
				t.Error("nothing was confirmed")
			}
			p.pass(3 * time.Minute)
			e.stands(n, "waiting", "transferring")
			if got := e.sees(n); got["confirm"] != nil || got.flag("can_cancel") {
				t.Errorf("offered what does nothing any more: %v", got)
			}
			if got := e.cancels(n); got.text("state") != "waiting" { // too late: the platform is paying
				t.Errorf("cancelled while it is paid: %v", got)
			}
			if got := e.sees(n); got["confirm"] != nil || got.flag("can_cancel") || got.text("state_text") != "已确认，微信支付正在转账" {
				t.Errorf("while it is paid the member is told %v", got)
			}
			p.platformGoesOn(n)
			return n
		}, "paid", "success", "withdraw confirm", "0 0 1000"},
		{"failed at once by the platform", func(e *earner) string {
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:accept", Action: sandbox.ActionFail, Code: "ACCOUNT_FROZEN"})
			return e.asks(1000)
		}, "failed", "failed", "withdraw fail", "1000 0 0"},
		{"failed after the member confirmed", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionFail, Code: "DAY_RECEIVED_QUOTA_EXCEED"})
			e.taps(n)
			return n
		}, "failed", "failed", "withdraw fail", "1000 0 0"},
		{"refused before anything was created", func(e *earner) string {
			p.Sandbox.Inject(sandbox.Rule{Match: sendPath, Action: sandbox.ActionFail, Code: "NO_AUTH", Status: 403})
			return e.asks(1000)
		}, "failed", "failed", "withdraw fail", "1000 0 0"},
		{"canceling, then cancelled", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:cancel", Action: sandbox.ActionHold})
			e.cancels(n)
			e.stands(n, "waiting", "canceling")
			if got := e.sees(n); got["confirm"] != nil || got.flag("can_cancel") || got.text("state_text") != "正在撤销，以微信支付的结果为准" {
				t.Errorf("while it is cancelled the member is told %v", got)
			}
			if err := p.Sandbox.ConfirmTransfer(sandbox.ConfirmInput{Number: n}); !errors.Is(err, sandbox.ErrNotConfirmable) {
				t.Errorf("with a sheet that was open before: %v", err)
			}
			return n
		}, "cancelled", "cancelled", "withdraw fail", "1000 0 0"},
		{"cancelled, but the member had been faster", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:cancel", Action: sandbox.ActionFail})
			e.cancels(n)
			return n
		}, "paid", "success", "withdraw confirm", "0 0 1000"},
		{"paid, we do not know, and the member cancels", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "notify:MCHTRANSFER", Action: sandbox.ActionLose})
			e.taps(n)
			p.settled()
			e.stands(n, "waiting", "waiting")
			if got := e.cancels(n); got.text("state") != "paid" { // refused by the platform, so it is asked
				t.Errorf("the member is told %v", got)
			}
			return n
		}, "paid", "success", "withdraw confirm", "0 0 1000"},
		{"cancelled here, success there, and nobody tells us", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:cancel", Action: sandbox.ActionFail},
				sandbox.Rule{Match: "notify:MCHTRANSFER", Action: sandbox.ActionLose})
			e.cancels(n)
			p.settled()
			e.stands(n, "waiting", "canceling")
			e.until(n, "paid")
			return n
		}, "paid", "success", "withdraw confirm", "0 0 1000"},
		{"never confirmed", func(e *earner) string {
			n := e.asks(1000)
			p.pass(23 * time.Hour)
			e.stands(n, "waiting", "waiting")
			p.pass(time.Hour)
			return n
		}, "expired", "failed", "withdraw fail", "1000 0 0"},
		{"never confirmed, and the platform is late to close it", func(e *earner) string {
			n := e.asks(1000)
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:expire", Action: sandbox.ActionLose, Times: 2})
			p.pass(25 * time.Hour)
			e.stands(n, "waiting", "waiting") // a local clock ends nothing
			e.left("0 1000 0")
			p.pass(time.Hour)
			p.pass(time.Hour)
			return n
		}, "expired", "failed", "withdraw fail", "1000 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := p.earner(1000)
			n := c.play(e)
			p.settled()
			e.until(n, c.state)
			p.settled()
			e.stands(n, c.state, c.word)
			e.left(c.left)
			if got := e.trail(n); got != c.trail {
				t.Errorf("the ledger says %q, want %q", got, c.trail)
			}
			for range 2 { // asking again changes nothing
				p.pass(time.Hour)
			}
			e.left(c.left)
		})
	}
	p.balances()
}

// TestALowBalanceWaitsForATopUp: PROCESSING is not a failure. Sales or a top-up let the same number go on.
func TestALowBalanceWaitsForATopUp(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{StartBalance: -1}, nil)
	first, second, cancelled, forgotten := p.earner(1000), p.earner(500), p.earner(700), p.earner(900)
	a, b, c := first.asks(1000), second.asks(500), cancelled.asks(700)
	for e, n := range map[*earner]string{first: a, second: b, cancelled: c} {
		p.pass(time.Minute)
		e.stands(n, "sent", "processing")
		if e.sees(n)["confirm"] != nil {
			t.Error("something to confirm without money")
		}
	}
	cancelled.cancels(c)
	p.settled()
	cancelled.until(c, "cancelled")
	p.Sandbox.TopUp(1200)
	first.untilPackage(a)
	second.stands(b, "sent", "processing") // 200 are left
	if !first.taps(a) {
		t.Error("not confirmed")
	}
	p.Sandbox.TopUp(300)
	second.untilPackage(b)
	second.taps(b)
	d := forgotten.asks(900)
	p.pass(25 * time.Hour)
	forgotten.until(d, "expired")
	first.stands(a, "paid", "success")
	second.stands(b, "paid", "success")
	p.balances()
}

// TestEveryFinalWordByEveryPost lets each final word arrive in every way a notification can, or not at all.
func TestEveryFinalWordByEveryPost(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	words := []struct {
		state, trail string
		bring        func(e *earner, n string)
	}{
		{"paid", "withdraw confirm", func(e *earner, n string) { e.taps(n) }},
		{"failed", "withdraw fail", func(e *earner, n string) {
			p.Sandbox.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionFail})
			e.taps(n)
		}},
		{"cancelled", "withdraw fail", func(e *earner, n string) { e.cancels(n) }},
		{"expired", "withdraw fail", func(*earner, string) {
			p.clock.Advance(24 * time.Hour)
			p.Sandbox.Transfers("", 1) // the platform looks at its clock
		}},
	}
	posts := []struct {
		action string
		known  bool // without asking
	}{
		{"", true},
		{sandbox.ActionLose, false},
		{sandbox.ActionDuplicate, true},
		{sandbox.ActionReorder, true},
		{sandbox.ActionDelay, true},
		{sandbox.ActionProbe, true},
		{sandbox.ActionStranger, true},
	}
	for _, word := range words {
		for _, post := range posts {
			what := word.state + " " + post.action
			e, other := p.earner(800), p.earner(100)
			n, m := e.asks(800), other.asks(100)
			if post.action != "" {
				p.Sandbox.Inject(sandbox.Rule{Match: "notify:MCHTRANSFER", Action: post.action, DelayMS: 3})
			}
			word.bring(e, n)
			if post.action == sandbox.ActionReorder && word.state != "expired" {
				if other.sees(m).text("state") == "waiting" {
					other.taps(m) // its notification overtakes
				}
			}
			p.settled()
			if got := e.sees(n).text("state"); post.known && got != word.state {
				t.Errorf("%s: without asking it is %s", what, got)
			} else if !post.known && got != "waiting" {
				t.Errorf("%s: it is %s", what, got)
			}
			e.until(n, word.state)
			p.settled()
			if got := e.trail(n); got != word.trail {
				t.Errorf("%s: the ledger says %q", what, got)
			}
		}
	}
	p.balances()
}

// TestAnAnswerThatIsLostIsAskedForUnderTheSameNumber: whatever goes wrong on the wire, at every call, there is one
// transfer and the right end.
func TestAnAnswerThatIsLostIsAskedForUnderTheSameNumber(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	for _, rule := range []sandbox.Rule{
		{Action: sandbox.ActionAfterAccept},
		{Action: sandbox.ActionLose},
		{Action: sandbox.ActionRateLimit},
		{Action: sandbox.ActionFail}, // 500 SYSTEM_ERROR
		{Action: sandbox.ActionUnsigned},
		{Action: sandbox.ActionFail, Code: "NOT_ENOUGH", Status: 403},
		{Action: sandbox.ActionFail, Code: "SOME_NEW_CODE", Status: 400},
		{Action: sandbox.ActionFail, Code: "SIGN_ERROR", Status: 401},
		{Action: sandbox.ActionFail, Code: "SYSTEM_ERROR", Status: 502},
	} {
		for _, times := range []int{1, 3} {
			rule.Times = times
			what := fmt.Sprintf("%s %s ×%d", rule.Action, rule.Code, times)

			e := p.earner(600)
			rule.Match = sendPath
			p.Sandbox.Inject(rule)
			n := e.asks(600)
			if got := e.sees(n).text("state"); got != "sent" {
				t.Errorf("send, %s: it is %s", what, got)
			}
			p.settled()
			e.left("0 600 0")
			e.untilPackage(n)
			p.Sandbox.Inject(sandbox.Rule{Match: "notify:MCHTRANSFER", Action: sandbox.ActionLose})
			e.taps(n)
			p.settled()
			rule.Match = askedPath
			p.Sandbox.Inject(rule)
			for range 12 {
				if e.sees(n).text("state") == "paid" {
					break
				}
				p.pass(time.Hour)
			}
			p.settled()
			e.stands(n, "paid", "success")

			e = p.earner(600)
			n = e.asks(600)
			p.Sandbox.Inject(rule)
			e.cancels(n)
			p.settled()
			for range 12 {
				if e.sees(n).text("state") == "cancelled" {
					break
				}
				p.pass(time.Hour)
			}
			e.stands(n, "cancelled", "cancelled")
			p.Sandbox.ClearFaults()
			if got := len(p.Sandbox.Transfers(p.Sandbox.OpenID(e.name), 10)); got != 1 {
				t.Errorf("%s: %d transfers", what, got)
			}
		}
	}
	p.balances()
}

// TestANoAfterALostYesIsNotBelieved: the transfer may be there although its repetition was refused.
func TestANoAfterALostYesIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(600)
	p.Sandbox.Inject(sandbox.Rule{Match: sendPath, Action: sandbox.ActionAfterAccept})
	n := e.asks(600)
	p.Sandbox.Inject(
		sandbox.Rule{Match: askedPath, Action: sandbox.ActionDelay}, // the query goes through
		sandbox.Rule{Match: sendPath, Action: sandbox.ActionFail, Code: "PARAM_ERROR", Status: 400},
	)
	p.pass(time.Minute)
	e.stands(n, "waiting", "waiting")
	if len(p.Sandbox.Faults()) != 0 {
		t.Fatal("the refusal did not strike")
	}
	e.untilPackage(n)
	e.taps(n)
	p.settled()
	e.stands(n, "paid", "success")
	p.balances()
}

// TestAForgedOutcomeMovesNothing: what is not signed is refused; what is signed and contradicts us is an incident that the
// comparison of the books names.
func TestAForgedOutcomeMovesNothing(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) { c.Withdrawal.AutoLimit = 5000 })
	f := newForger(p.world)
	waiting, paid, held := p.earner(600), p.earner(700), p.earner(6000)
	n, m, k := waiting.asks(600), paid.asks(700), held.asks(6000)
	paid.taps(m)
	p.settled()
	held.stands(k, "held", "")
	bills := map[string]string{}
	for _, v := range p.Sandbox.Transfers("", 10) {
		bills[v.Number] = v.Bill
	}
	say := func(number, state string, amount int64, bill string) ([]byte, int) {
		body, head := f.notice("MCHTRANSFER.BILL.FINISHED", "mch_payment", map[string]any{
			"mch_id": p.Sandbox.Credentials().MchID, "out_bill_no": number, "transfer_bill_no": bill, "state": state,
			"transfer_amount": amount, "openid": "o", "create_time": p.clock.Now().Format(time.RFC3339),
			"update_time": p.clock.Now().Format(time.RFC3339),
		})
		return body, p.deliver(body, head).status
	}
	for what, c := range map[string]struct {
		number, state, bill string
		amount              int64
	}{
		"another amount":    {n, "SUCCESS", bills[n], 601},
		"another bill":      {n, "SUCCESS", "1330000000000", 600},
		"a fail after all":  {m, "FAIL", bills[m], 700},
		"was never sent":    {k, "SUCCESS", "1330000000001", 6000},
		"nobody's":          {"nobodys0001", "SUCCESS", "1330000000002", 1},
		"another merchant?": {m, "CANCELLED", bills[m], 700},
	} {
		for range 2 {
			body, status := say(c.number, c.state, c.amount, c.bill)
			if status != 204 {
				t.Errorf("%s: %d", what, status)
			}
			forged := f.signed(body, time.Now())
			forged.Set("Wechatpay-Signature", forged.Get("Wechatpay-Signature")[4:]+"AAAA")
			if r := p.deliver(body, forged); r.status < 400 || r.status >= 500 {
				t.Errorf("%s, not signed: %v", what, r)
			}
		}
	}
	p.settled()
	waiting.stands(n, "waiting", "waiting")
	paid.stands(m, "paid", "success")
	held.stands(k, "held", "")
	waiting.left("0 600 0")
	paid.left("0 0 700")
	held.left("0 6000 0")
	for number, count := range map[string]int{n: 2, m: 2, k: 1} {
		w, err := p.Withdrawals.Get(t.Context(), number)
		if err != nil || len(w.Incidents) != count {
			t.Errorf("%v: %+v", err, w.Incidents)
		}
	}
	if r := p.crosscheck(); len(r.Differences) != 5 {
		t.Errorf("named: %+v", r.Differences)
	}
	if r, err := p.Commission.Verify(t.Context(), nil); err != nil || !r.Good() {
		t.Error(err, r)
	}
}

func TestARealNameFromTwoThousandYuan(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} { // some names are refused at the door, some afterwards
		p := newPayday(t, sandbox.Config{RefuseWrongName: strict}, nil)
		e := p.earner(900_000)
		p.Sandbox.SetRealName(e.name, "李小红")
		e.refused(200_000, "WDR_NEEDS_NAME")
		small := e.asks(199_999)
		e.taps(small)
		e.must("PUT", "/v1/purse/payee", map[string]any{"real_name": "李大红"}, 200)
		wrong := e.asks(200_000)
		p.settled()
		e.until(wrong, "failed")
		if got := e.sees(wrong); got.text("why") != "填写的姓名与微信支付实名不一致，金额已退回可提现" {
			t.Errorf("strict %v: %v", strict, got)
		}
		e.must("PUT", "/v1/purse/payee", map[string]any{"real_name": "李小红"}, 200)
		right := e.asks(200_000)
		e.taps(right)
		p.settled()
		e.stands(right, "paid", "success")
		e.left("500001 0 399999")
		for n, trail := range map[string]string{small: "withdraw confirm", wrong: "withdraw fail", right: "withdraw confirm"} {
			if got := e.trail(n); got != trail {
				t.Errorf("%s: %q, want %q", n, got, trail)
			}
		}
		p.balances()
	}
}

// TestTheLimits are those of a brand that has set nothing.
func TestTheLimits(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) { c.Withdrawal = withdrawal.Config{} })
	e := p.earner(100_000_000)
	e.refused(100, "WDR_TOO_NEW")
	p.pass(72*time.Hour - time.Minute)
	e.refused(100, "WDR_TOO_NEW")
	p.pass(time.Minute)
	e.refused(9, "WDR_TOO_SMALL")
	e.refused(500_001, "WDR_TOO_MUCH")
	e.refused(200_000, "WDR_NEEDS_NAME")
	n := e.asks(10)
	e.refused(100, "WDR_OPEN_ONE")
	e.taps(n)
	p.settled()
	e.stands(n, "paid", "success")
	e.must("PUT", "/v1/purse/payee", map[string]any{"real_name": "李小红"}, 200)
	for range 2 {
		e.taps(e.asks(50_000))
		p.settled()
	}
	e.refused(100, "WDR_DAY_COUNT")
	if o := e.must("GET", "/v1/purse/outlook", nil, 200); o.num("now_fen") != 0 || o.num("left_times") != 0 || len(o.list("reasons")) == 0 {
		t.Errorf("outlook %v", o)
	}
	p.pass(25 * time.Hour) // another day, and longer ago than the velocity looks
	staff := [2]*human{p.reviewer("wang"), p.reviewer("zhao")}
	approve := func(n string) {
		for _, s := range staff {
			s.must("POST", "/console/api/withdrawals/"+n+"/approve", map[string]any{"why": "核对无误"}, 200)
		}
		e.taps(n)
		p.settled()
		e.stands(n, "paid", "success")
	}
	for range 3 {
		approve(e.asks(500_000))
	}
	e.refused(10, "WDR_DAY_COUNT")
	poor := p.earner(50)
	p.pass(73 * time.Hour)
	poor.refused(51, "WDR_PURSE_SHORT")
	poor.taps(poor.asks(50))
	poor.refused(10, "WDR_PURSE_SHORT")
	p.settled()
	// Three more rich days; then the month is used up, whatever the purse has.
	staff = [2]*human{p.reviewer("sun"), p.reviewer("li")}
	month := 100_010 + 3*500_000
	for range 30 {
		if month+500_000 > 10_000_000 {
			break
		}
		status, out := e.do("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 500_000})
		if status != 201 {
			p.pass(25 * time.Hour)
			staff = [2]*human{p.reviewer(fmt.Sprint("sun", month)), p.reviewer(fmt.Sprint("li", month))}
			continue
		}
		month += 500_000
		approve(out.text("number"))
	}
	p.pass(25 * time.Hour)
	if left := e.must("GET", "/v1/purse/outlook", nil, 200).num("left_month_fen"); left != int64(10_000_000-month) {
		t.Errorf("%d are left of the month, want %d", left, 10_000_000-month)
	}
	e.refused(500_000, "WDR_MONTH_LIMIT")
	p.balances()
}

// TestPeopleDecideAboutMuchMoney: one above the automatic limit, two different ones above the next.
func TestPeopleDecideAboutMuchMoney(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) { c.Withdrawal.AutoLimit = 0 })
	wang, zhao := p.reviewer("wang"), p.reviewer("zhao")
	review := func(by *human, n, what string, status int) answer {
		return by.must("POST", "/console/api/withdrawals/"+n+"/"+what, map[string]any{"why": "核对无误"}, status)
	}
	e := p.earner(3_000_000)
	e.must("PUT", "/v1/purse/payee", map[string]any{"real_name": "李小红"}, 200)

	auto := e.asks(50_000)
	e.stands(auto, "waiting", "waiting")
	e.taps(auto)

	one := e.asks(50_001)
	p.settled()
	e.stands(one, "held", "")
	if e.sees(one)["confirm"] != nil || len(p.Sandbox.Transfers("", 10)) != 1 {
		t.Error("sent before anybody looked")
	}
	review(wang, one, "approve", 200)
	review(wang, one, "approve", 200) // again: the same
	e.taps(one)

	two := e.asks(200_001)
	p.settled()
	review(wang, two, "approve", 200)
	e.stands(two, "held", "")
	if got := review(wang, two, "approve", 403); got.text("code") != "WDR_SAME_REVIEWER" {
		t.Errorf("%v", got)
	}
	review(zhao, two, "approve", 200)
	e.taps(two)

	no := e.asks(60_000)
	review(zhao, no, "reject", 200)
	review(wang, no, "approve", 409)
	if got := e.sees(no); got.text("why") != "审核未通过：核对无误" {
		t.Errorf("%v", got)
	}
	half := e.asks(300_000)
	review(wang, half, "approve", 200)
	review(zhao, half, "reject", 200)
	mine := e.asks(70_000)
	e.cancels(mine)
	forgotten := e.asks(80_000)
	p.settled()
	p.pass(7*24*time.Hour - time.Minute)
	e.stands(forgotten, "held", "")
	p.pass(time.Minute)
	for n, want := range map[string][2]string{
		auto: {"paid", "withdraw confirm"}, one: {"paid", "withdraw confirm"}, two: {"paid", "withdraw confirm"},
		no: {"rejected", "withdraw fail"}, half: {"rejected", "withdraw fail"}, mine: {"cancelled", "withdraw fail"},
		forgotten: {"expired", "withdraw fail"},
	} {
		if got := [2]string{e.sees(n).text("state"), e.trail(n)}; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	e.left("2699998 0 300002")
	p.balances()
}

// TestTaxIsWithheldOverTheYear: the numbers are computed by hand from 累计预扣法: 20 % expenses, 5,000 yuan a month, 3 %.
func TestTaxIsWithheldOverTheYear(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) {
		c.Withdrawal.MaxPerTime, c.Withdrawal.TwoPersonLimit = withdrawal.NoLimit, withdrawal.NoLimit
	})
	e := p.earner(3_000_000)
	e.must("PUT", "/v1/purse/payee", map[string]any{"real_name": "李小红"}, 200)
	pay := func(amount, withheld int64) string {
		t.Helper()
		n := e.asks(amount)
		if v := e.sees(n); v.num("tax_fen") != withheld || v.num("net_fen") != amount-withheld {
			t.Errorf("%d: %v; want tax %d", amount, v, withheld)
		}
		e.taps(n)
		p.settled()
		e.stands(n, "paid", "success")
		return n
	}
	pay(800_000, 0) // no table yet
	waiting := e.asks(100_000)
	if _, err := p.Taxes.Publish(t.Context(), tax.CumulativeTable()); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Second)
	e.taps(waiting) // approved before the table: it stays as it was sent
	p.settled()
	// What was paid while nothing was withheld does not count: 3,000 - 600 - 5,000 < 0.
	if got := e.trail(pay(300_000, 0)); got != "withdraw confirm" {
		t.Errorf("%q", got)
	}
	failing := e.asks(200_000) // 5,000 - 1,000 - 5,000 < 0
	if v := e.sees(failing); v.num("tax_fen") != 0 || len(v.list("tax_steps")) == 0 {
		t.Errorf("%v", v)
	}
	p.Sandbox.Inject(sandbox.Rule{Match: "transfer:confirm", Action: sandbox.ActionFail})
	e.taps(failing)
	p.settled()
	e.stands(failing, "failed", "failed")
	if got := e.trail(failing); got != "withdraw fail" {
		t.Errorf("%q", got)
	}
	pay(200_000, 0)             // what failed does not count
	p.pass(31 * 24 * time.Hour) // another month, another 5,000
	e.signsIn()
	pay(100_000, 0)                // 6,000 - 1,200 - 10,000 < 0
	taxed := pay(1_000_000, 8_400) // 16,000 - 3,200 - 10,000 = 2,800; 3 % = 84
	if got := e.trail(taxed); got != "withdraw confirm tax" {
		t.Errorf("%q", got)
	}
	p.balances()
	year := e.must("GET", "/v1/purse/tax/2026", nil, 200)
	if year.num("gross_fen") != 2_500_000 || year.num("tax_fen") != 8_400 || year.num("net_fen") != 2_491_600 {
		t.Errorf("the year: %v", year)
	}
}

// TestPaidMoneyThatComesBack is for two people to say; the tax of it is not owed.
func TestPaidMoneyThatComesBack(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	table := tax.CumulativeTable()
	table.Rules[0].MonthlyDeduction = 0 // so that little money is taxed, too
	if _, err := p.Taxes.Publish(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	wang, zhao := p.reviewer("wang"), p.reviewer("zhao")
	e := p.earner(10_000)
	n := e.asks(10_000) // 80 yuan taxable; 2.40
	e.taps(n)
	p.settled()
	e.left("0 0 9760")
	body := map[string]any{"why": "银行退回"}
	wang.must("POST", "/console/api/withdrawals/"+n+"/return", body, 200)
	p.settled()
	e.left("0 0 9760")
	wang.must("POST", "/console/api/withdrawals/"+n+"/return", body, 403)
	zhao.must("POST", "/console/api/withdrawals/"+n+"/return", body, 200)
	p.settled()
	e.left("10000 0 0")
	if got := e.trail(n); got != "withdraw confirm tax return" {
		t.Errorf("%q", got)
	}
	again := e.asks(10_000)
	if v := e.sees(again); v.num("tax_fen") != 240 {
		t.Errorf("%v", v)
	}
	e.taps(again)
	p.settled()
	e.left("0 0 9760")
	p.balances()
}

// TestFiftyAtOnceNeverTakeMoreThanThereIs: the reservation is a compare-and-swap, not a look and a leap.
func TestFiftyAtOnceNeverTakeMoreThanThereIs(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(730)
	var all sync.WaitGroup
	var mu sync.Mutex
	told, numbers := map[string]int{}, map[string]bool{}
	for range 50 {
		all.Go(func() {
			status, out := e.do("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 100})
			mu.Lock()
			defer mu.Unlock()
			if status == 201 {
				numbers[out.text("number")] = true
			}
			told[fmt.Sprint(status, " ", out.text("code"))]++
		})
	}
	all.Wait()
	p.settled()
	p.pass(2 * time.Minute)
	e.left("30 700 0")
	if len(numbers) != 7 {
		t.Errorf("%d got something: %v", len(numbers), told)
	}
	for n := range numbers {
		e.taps(n)
	}
	p.settled()
	e.left("30 0 700")
	p.balances()
	t.Logf("told: %v", told)
}

// TestSixteenUnderOneKeyAreOneWithdrawal also while the platform's answer is lost.
func TestSixteenUnderOneKeyAreOneWithdrawal(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	p.Sandbox.Inject(sandbox.Rule{Match: sendPath, Action: sandbox.ActionAfterAccept})
	var all sync.WaitGroup
	var mu sync.Mutex
	numbers := map[string]int{}
	for range 16 {
		all.Go(func() {
			status, out := e.keyed("one-key-for-all", "POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 100})
			mu.Lock()
			defer mu.Unlock()
			if status != 201 {
				t.Error(status, out)
			}
			numbers[out.text("number")]++
		})
	}
	all.Wait()
	p.settled()
	if len(numbers) != 1 {
		t.Fatalf("%v", numbers)
	}
	for n := range numbers {
		e.untilPackage(n)
		e.taps(n)
	}
	p.settled()
	e.left("900 0 100")
	p.balances()
}

// TestALateRefundAfterTheWithdrawal takes back what is already in the wallet: the purse goes below zero, the outlook says
// why, and what is earned later fills it first.
func TestALateRefundAfterTheWithdrawal(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	es := newEstate(t, p.world)
	e := &earner{human: es.friend, p: p}
	o := es.shipped()
	es.shopper.must("POST", "/v1/orders/"+o+"/receive", nil, 200)
	p.settled()
	if w := e.must("GET", "/v1/purse", nil, 200); w.num("pending_fen") != 599 {
		t.Fatalf("%v", w)
	}
	p.pass(7*24*time.Hour + time.Minute)
	if n, err := p.Commission.SettleDue(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p.settled()
	n := e.asks(599)
	e.taps(n)
	p.settled()
	e.left("0 0 599")
	r := es.host.must("POST", "/v1/host/orders/"+o+"/refunds", map[string]any{"reason": "迟到的退款"}, 201).text("number")
	es.calm()
	e.left("0 0 599") // so late it is not hers to decide
	desk := p.operator("ops", staff.Operations)
	desk.must("POST", "/console/api/orders/"+o+"/refunds/"+r+"/approve", map[string]any{"words": "情况属实"}, 200)
	es.calm()
	e.left("-599 0 599")
	e.refused(100, "WDR_PURSE_SHORT")
	if out := e.must("GET", "/v1/purse/outlook", nil, 200); out.num("now_fen") != 0 || out.num("free_fen") != -599 {
		t.Errorf("%v", out)
	}
	p.voucher(commission.Adjustment, commission.Available.Of(e.id), 700)
	e.left("101 0 599")
	e.refused(102, "WDR_PURSE_SHORT")
	m := e.asks(101)
	e.taps(m)
	p.settled()
	e.left("0 0 700")
	p.earners, e.funded = append(p.earners, e), 700
	p.balances()
}
