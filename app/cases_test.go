package app_test

import (
	"strings"
	"testing"
	"time"

	"guanxi/commission/withdrawal"
	"guanxi/internal/docstore"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/staff/task"
)

// work lists the open tasks as "kind subject", after everything that was told has been taken.
func (p *payday) work(state task.State) []string {
	p.t.Helper()
	p.settled()
	if _, err := p.Tasks.Watch(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	page, err := p.Tasks.List(p.t.Context(), task.Filter{State: state}, docstore.Paging{First: 100})
	if err != nil {
		p.t.Fatal(err)
	}
	found := []string{}
	for _, one := range page.Items {
		found = append(found, one.Kind+" "+one.Subject)
	}
	return found
}

// minutes lets time go by and looks at what is due every minute.
func (p *payday) minutes(n int) {
	p.t.Helper()
	for range n {
		p.pass(time.Minute)
	}
}

// TestAtTwentySixHoursNobodyIsOfferedAButtonThatDoesNothing: the platform still says WAIT_USER_CONFIRM.
func TestAtTwentySixHoursNobodyIsOfferedAButtonThatDoesNothing(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	n := e.asks(1000)
	p.settled()
	if got := e.sees(n); got["confirm"] == nil || got["confirm_by"] == nil {
		t.Fatalf("%v", got)
	}
	p.Sandbox.Inject(sandbox.Rule{Match: "transfer:expire", Action: sandbox.ActionHold, Times: 100})
	p.pass(24*time.Hour - time.Minute)
	e.signsIn()
	if got := e.sees(n); got["confirm"] == nil {
		t.Errorf("a minute before the end: %v", got)
	}
	p.pass(2*time.Hour + time.Minute)
	e.signsIn()
	e.stands(n, "waiting", "waiting")
	got := e.sees(n)
	if got["confirm"] != nil || got["confirm_by"] != nil || got["can_cancel"] != false || !strings.Contains(got.text("state_text"), "确认时间已过") {
		t.Errorf("at 26 hours: %v", got)
	}
	if got := p.work(task.Open); len(got) != 1 || got[0] != "withdrawal/overdue withdrawal/"+n {
		t.Errorf("tasks: %v", got)
	}
	p.Sandbox.ClearFaults()
	p.pass(2 * time.Hour)
	e.signsIn()
	if got := e.sees(n); got.text("state") != "expired" {
		t.Errorf("the final word was not asked for: %v", got)
	}
	e.left("1000 0 0")
	p.pass(2 * time.Hour)
	if open, healed := p.work(task.Open), p.work(task.Healed); len(open) != 0 || len(healed) != 1 {
		t.Errorf("open %v, healed %v", open, healed)
	}
}

// TestARefusalThatKeepsComingIsToldWithinMinutesAndCanBeTakenBack: every sending is answered USER_ERROR, every question finds
// nothing.
func TestARefusalThatKeepsComingIsToldWithinMinutesAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	p.Sandbox.Inject(sandbox.Rule{Match: askedPath, Action: sandbox.ActionDelay, Times: 1000}) // questions are answered as ever
	p.Sandbox.Inject(sandbox.Rule{Match: sendPath, Action: sandbox.ActionFail, Code: "USER_ERROR", Status: 400, Times: 1000})
	e := p.earner(2000)
	n := e.asks(1000)
	e.stands(n, "sent", "")
	p.minutes(5)
	w, err := p.Withdrawals.Get(t.Context(), n)
	if err != nil || len(w.Incidents) != 1 || w.Incidents[0].Kind != withdrawal.SendRefused || w.Incidents[0].Detail != "USER_ERROR" {
		t.Fatalf("%+v, %v", w.Incidents, err)
	}
	if got := p.work(task.Open); len(got) != 1 || got[0] != "withdrawal/send-refused withdrawal/"+n {
		t.Errorf("tasks: %v", got)
	}
	got := e.sees(n)
	if got["can_cancel"] != true || !strings.Contains(got.text("state_text"), "撤销") {
		t.Errorf("%v", got)
	}
	e.left("1000 1000 0")
	e.cancels(n)
	p.minutes(20)
	if got := e.sees(n); got.text("state") != "cancelled" {
		t.Errorf("%v", got)
	}
	e.left("2000 0 0")
	p.Sandbox.ClearFaults()
	p.pass(3 * time.Hour)
	if known := p.Sandbox.Transfers("", 10); len(known) != 0 {
		t.Errorf("it was sent after it had been taken back: %+v", known)
	}
	if open := p.work(task.Open); len(open) != 0 {
		t.Errorf("still open: %v", open)
	}
	p.agree()
}

// TestARefusalThatEndsIsSentUnderTheSameNumber: the merchant has been unblocked.
func TestARefusalThatEndsIsSentUnderTheSameNumber(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	p.Sandbox.Inject(sandbox.Rule{Match: askedPath, Action: sandbox.ActionDelay, Times: 1000})
	p.Sandbox.Inject(sandbox.Rule{Match: sendPath, Action: sandbox.ActionFail, Code: "USER_ERROR", Status: 400, Times: 1000})
	e := p.earner(1000)
	n := e.asks(1000)
	p.minutes(5)
	p.Sandbox.ClearFaults()
	p.minutes(5)
	e.stands(n, "waiting", "waiting")
	e.taps(n)
	p.settled()
	e.left("0 0 1000")
	p.pass(2 * time.Hour)
	if open := p.work(task.Open); len(open) != 0 {
		t.Errorf("still open: %v", open)
	}
}

// TestAnAbnormalRefundIsATaskUntilItsMoneyIsBack.
func TestAnAbnormalRefundIsATaskUntilItsMoneyIsBack(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	sku := p.product("赣南脐橙", 5990, 40)
	host, buyer := p.human("王姐"), p.human("小陈")
	_, campaign := host.openCampaign(sku, nil)
	o := buyer.buy(campaign, sku, 1)
	p.settled()
	p.Sandbox.Inject(sandbox.Rule{Match: "refund", Action: sandbox.ActionAbnormal})
	if err := p.Orders.RefundWhole(t.Context(), o.text("id"), "test", "测试"); err != nil {
		t.Fatal(err)
	}
	want := "order/refund-abnormal order/" + o.text("id")
	if got := p.work(task.Open); len(got) != 1 || got[0] != want {
		t.Fatalf("tasks: %v", got)
	}
	if got := p.work(task.Open); len(got) != 1 {
		t.Fatalf("twice: %v", got)
	}
	sold, err := p.Orders.Get(t.Context(), o.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	r := sold.Refunds[0]
	if _, err := p.Orders.SettleRefund(t.Context(), order.RefundReceipt{ // settled at the merchant's desk
		Number: r.Number, OrderNumber: sold.ID, RefundID: r.RefundID, State: order.RefundDone, Refund: r.Amount, DoneAt: p.clock.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(2 * time.Hour)
	if open, healed := p.work(task.Open), p.work(task.Healed); len(open) != 0 || len(healed) != 1 || healed[0] != want {
		t.Errorf("open %v, healed %v", open, healed)
	}
}

// TestAnOrderThatStaysTooLongIsATask: nobody ships it.
func TestAnOrderThatStaysTooLongIsATask(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	sku := p.product("赣南脐橙", 5990, 40)
	host, buyer := p.human("王姐"), p.human("小陈")
	_, campaign := host.openCampaign(sku, nil)
	o := buyer.buy(campaign, sku, 1)
	p.settled()
	for range 12 {
		p.clock.Advance(24 * time.Hour)
		if _, err := p.Orders.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.work(task.Open); len(got) != 1 || got[0] != "order/overdue order/"+o.text("id") {
		t.Fatalf("tasks: %v", got)
	}
}
