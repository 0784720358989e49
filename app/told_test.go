package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
	"guanxi/commission/withdrawal"
	"guanxi/console"
	"guanxi/outreach"
	"guanxi/platform/sandbox"
)

const (
	waitingTemplate = "tmpl-waiting"
	endedTemplate   = "tmpl-ended"
	messagePath     = "/cgi-bin/message/subscribe/send"
)

func noticeTemplates() outreach.Config {
	return outreach.Config{Templates: map[outreach.Topic]outreach.Template{
		outreach.WithdrawalWaiting: {ID: waitingTemplate, Page: "pages/purse/index?number={number}", Fields: map[string]string{
			"thing1": "hint", "amount2": "net", "time3": "until", "character_string4": "number",
		}},
		outreach.WithdrawalPaid:     {ID: endedTemplate, Fields: map[string]string{"thing1": "hint", "amount2": "net", "time3": "at"}},
		outreach.WithdrawalReturned: {ID: endedTemplate, Fields: map[string]string{"thing1": "why", "amount2": "amount", "time3": "at"}},
	}}
}

// accepts is the prompt of wx.requestSubscribeMessage: WeChat knows first, then the program is told.
func (e *earner) accepts(template string) {
	e.p.t.Helper()
	out := platformHand(e.p.t, e.p.PlatformURL(), "subscribe", map[string]any{"person": e.name, "template_id": template})
	e.must("POST", "/v1/me/subscriptions", map[string]any{
		"answers": []any{map[string]any{"template": template, "answer": out.text(template)}},
	}, 200)
}

// phone is what the service notifications of this person's phone show, oldest first.
func (e *earner) phone() (all []string) {
	e.p.t.Helper()
	out := platformHand(e.p.t, e.p.PlatformURL(), "messages", map[string]any{"person": e.name})
	for _, m := range out.list("messages") {
		message := answer(m.(map[string]any))
		data, err := json.Marshal(message["data"])
		if err != nil {
			e.p.t.Fatal(err)
		}
		all = append([]string{message.text("template_id") + " " + message.text("page") + " " + string(data)}, all...)
	}
	return all
}

// notices are what the program shows, newest first: topic, state, reason.
func (e *earner) notices() (all []string) {
	e.p.t.Helper()
	for _, n := range e.must("GET", "/v1/me/notices", nil, 200).list("notices") {
		notice := answer(n.(map[string]any))
		if notice.text("text") == "" || notice.text("title") == "" || notice.text("state_text") == "" {
			e.p.t.Errorf("nothing to read: %v", notice)
		}
		all = append(all, strings.TrimSpace(notice.text("topic")+" "+notice.text("state")+" "+notice.text("reason")))
	}
	return all
}

// tells looks once at what is to be told.
func (p *payday) tells() int {
	p.t.Helper()
	p.settled()
	moved, err := p.Outreach.Tend(p.t.Context())
	if err != nil {
		p.t.Log("tell: ", err)
	}
	return moved
}

func (e *earner) credits(template string) string {
	e.p.t.Helper()
	for _, s := range e.must("GET", "/v1/me/subscriptions", nil, 200).list("subscriptions") {
		if sub := answer(s.(map[string]any)); sub.text("template") == template {
			return fmt.Sprint(sub.num("credits"), " ", sub.text("answer"))
		}
	}
	return "off"
}

func (e *earner) wants(what string, got, want []string) {
	e.p.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.p.t.Errorf("%s:\n%s", what, diff)
	}
}

func TestAHostIsToldToConfirmAndThatItWasPaid(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) { c.Metrics = metrics })
	e := p.earner(1000)
	e.accepts(waitingTemplate)
	e.accepts(endedTemplate)
	n := e.asks(1000)
	for range 3 {
		p.tells()
	}
	waiting := waitingTemplate + " pages/purse/index?number=" + n +
		` {"amount2":"10.00元","character_string4":"` + n + `","thing1":"请确认收款，逾期退回可提现","time3":"2026年3月3日 10:00"}`
	e.wants("the phone", e.phone(), []string{waiting})
	if got := e.credits(waitingTemplate) + ", " + e.credits(endedTemplate); got != "0 accept, 1 accept" {
		t.Errorf("credits: %s", got)
	}
	p.clock.Advance(time.Minute)
	e.taps(n)
	for range 3 {
		p.tells()
	}
	e.wants("the phone", e.phone(), []string{waiting, endedTemplate + `  {"amount2":"10.00元","thing1":"已付到微信零钱","time3":"2026年3月2日 10:01"}`})
	e.wants("the program", e.notices(), []string{"withdrawal.Paid sent", "withdrawal.Waiting sent"})
	found, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range found {
		if family.GetName() == "guanxi_notices_total" {
			for _, m := range family.GetMetric() {
				if name := m.GetLabel()[0].GetValue(); name == "sent" && m.GetCounter().GetValue() != 2 || name != "sent" && m.GetCounter().GetValue() != 0 {
					t.Errorf("counted %v", m)
				}
			}
			return
		}
	}
	t.Error("notices are not counted")
}

func TestAHostIsToldThatItExpired(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	e.accepts(endedTemplate)
	n := e.asks(1000)
	p.tells()
	p.clock.Advance(24*time.Hour + time.Minute)
	p.tend()
	e.signsIn()
	e.until(n, "expired")
	p.tells()
	got := e.phone()
	if len(got) != 1 || !strings.Contains(got[0], `"amount2":"10.00元"`) || !strings.HasPrefix(got[0], endedTemplate) {
		t.Errorf("the phone: %q", got)
	}
	e.wants("the program", e.notices(), []string{"withdrawal.Returned sent", "withdrawal.Waiting unsent no-credit"})

	own := p.earner(500)
	own.accepts(endedTemplate)
	number := own.asks(500)
	p.clock.Advance(time.Second)
	own.cancels(number)
	p.tells()
	own.wants("what one does oneself needs no message", own.phone(), nil)
	own.wants("the program", own.notices(), []string{"withdrawal.Returned unsent quiet", "withdrawal.Waiting unsent overtaken"})
	if got := own.credits(endedTemplate); got != "1 accept" {
		t.Errorf("credits: %s", got)
	}
}

func TestWithoutACreditTheNoticeIsReadInTheProgram(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	n := e.asks(1000)
	if p.tells() != 1 || p.tells() != 0 {
		t.Error("it is looked at again and again")
	}
	e.wants("the phone", e.phone(), nil)
	out := answer(e.must("GET", "/v1/me/notices", nil, 200).list("notices")[0].(map[string]any))
	want := answer{
		"id": "withdrawal.Waiting/" + n, "topic": "withdrawal.Waiting", "title": "提现待确认收款", "number": n, "at": out["at"],
		"text":  "您申请的提现 10.00元 已备好，到账 10.00元。请在 2026年3月3日 10:00 前确认收款，逾期会自动退回可提现。",
		"state": "unsent", "reason": "no-credit", "state_text": "没有可用的订阅，未发微信通知",
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	other := p.earner(0)
	if got := other.notices(); got != nil {
		t.Errorf("somebody else reads %v", got)
	}
	e.accepts(waitingTemplate) // too late for this one, which is not told again
	for range 3 {
		p.clock.Advance(time.Minute)
		p.tells()
	}
	e.wants("the phone", e.phone(), nil)
}

// TestWhatThePlatformSaysAndDoesNotSay: WeChat's answers as the program understands them, over the wire.
func TestWhatThePlatformSaysAndDoesNotSay(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	for _, c := range []struct {
		name    string
		rule    sandbox.Rule
		arrived int
		notice  string
		credits string
	}{
		{"lost reply", sandbox.Rule{Action: sandbox.ActionAfterAccept}, 1, "unsent unknown", "1 accept"},
		{"lost request", sandbox.Rule{Action: sandbox.ActionLose}, 0, "unsent unknown", "1 accept"},
		{"limit, twice", sandbox.Rule{Action: sandbox.ActionRateLimit, Times: 2}, 1, "sent", "1 accept"},
		{"token expired", sandbox.Rule{Action: sandbox.ActionExpire}, 1, "sent", "1 accept"},
		{"bad field", sandbox.Rule{Action: sandbox.ActionFail, Code: "47003"}, 0, "unsent refused", "2 accept"},
		{"no template", sandbox.Rule{Action: sandbox.ActionFail, Code: "40037"}, 0, "unsent no-template", "2 accept"},
		{"no credit there", sandbox.Rule{Action: sandbox.ActionFail, Code: "43101"}, 0, "unsent no-credit", "0 accept"},
	} {
		e := p.earner(1000)
		e.accepts(waitingTemplate)
		e.accepts(waitingTemplate)
		e.asks(1000)
		p.settled()
		c.rule.Match = messagePath
		p.Sandbox.Inject(c.rule)
		for range 5 {
			p.tells()
			p.clock.Advance(10 * time.Minute)
		}
		if got := len(e.phone()); got != c.arrived || len(p.Sandbox.Faults()) != 0 {
			t.Errorf("%s: %d arrived, %v left", c.name, got, p.Sandbox.Faults())
		}
		e.wants(c.name, e.notices(), []string{"withdrawal.Waiting " + c.notice})
		if got := e.credits(waitingTemplate); got != c.credits {
			t.Errorf("%s: credits %s, want %s", c.name, got, c.credits)
		}
	}
}

// TestAnEventThatComesAgainTellsNothingAgain: the relay delivers twice when it dies between a consumer and the mark, and it
// may be behind by a lot.
func TestAnEventThatComesAgainTellsNothingAgain(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, func(c *app.Config) { c.Relay.Queue = 1 })
	e := p.earner(1000)
	for range 3 {
		e.accepts(waitingTemplate)
		e.accepts(endedTemplate)
	}
	n := e.asks(1000)
	p.tells()
	p.clock.Advance(time.Second)
	e.taps(n)
	p.tells()
	w, err := p.Withdrawals.Get(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if w.State != withdrawal.Paid {
		t.Fatalf("it is %s", w.State)
	}
	for range 2 {
		for _, consumer := range []string{"outreach.withdrawalPaid", "outreach.withdrawalWaiting"} { // and the other way round
			if _, err := p.Relay.Replay(t.Context(), consumer, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		p.tells()
		p.clock.Advance(5 * time.Minute)
	}
	if got := e.phone(); len(got) != 2 {
		t.Errorf("the phone: %q", got)
	}
	e.wants("the program", e.notices(), []string{"withdrawal.Paid sent", "withdrawal.Waiting sent"})
	if got := e.credits(waitingTemplate) + ", " + e.credits(endedTemplate); got != "2 accept, 2 accept" {
		t.Errorf("credits: %s", got)
	}
}

// TestAProgramThatDiedBeforeTellingIsFinishedByTheNext: the relay is gone when the withdrawal begins to wait.
func TestAProgramThatDiedBeforeTellingIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	e.accepts(waitingTemplate)
	if err := p.Relay.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := e.asks(1000)
	if _, err := p.Outreach.Tend(t.Context()); err != nil {
		t.Error(err)
	}
	e.wants("the phone", e.phone(), nil)
	c := p.Sandbox.Credentials()
	config := app.Config{
		Store: p.Store, Clock: p.clock, Log: p.Log(), Outreach: noticeTemplates(), Withdrawal: easyPayouts(),
		Passwords: console.Cost{MemoryKiB: 64, Passes: 1},
	}
	config.Use(app.Platforms{Weixin: p.Weixin, Pay: p.Pay, AppID: c.AppID, MchID: c.MchID})
	next, err := app.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(2 * time.Minute) // the dead one's leases are over
	for range 3 {
		if err := next.Relay.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := next.Outreach.Tend(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := e.phone(); len(got) != 1 || !strings.Contains(got[0], n) {
		t.Errorf("the phone: %q", got)
	}
}

// TestSixtyFourLookAtOneNotice: programs side by side on one store look at the same thing.
func TestSixtyFourLookAtOneNotice(t *testing.T) {
	t.Parallel()
	p := newPayday(t, sandbox.Config{}, nil)
	e := p.earner(1000)
	e.accepts(waitingTemplate)
	for range 4 {
		p.Sandbox.Subscribe(e.name, waitingTemplate, 16) // WeChat would take them all
	}
	e.asks(1000)
	p.settled()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := p.Outreach.Tend(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := e.phone(); len(got) != 1 {
		t.Errorf("the phone: %q", got)
	}
}

func TestTemplatesAreReadFromSettings(t *testing.T) {
	t.Parallel()
	const name = "GUANXI_NOTICE_WITHDRAWAL_WAITING"
	for value, good := range map[string]bool{
		"": true,
		"template=abc-1;page=pages/purse?number={number};thing1=hint;amount2=net": true,
		" template=abc-1 ; thing1=hint ":                                          true,
		"template=abc-1":                                                          false,
		"thing1=hint":                                                             false,
		"template=abc-1;thing1":                                                   false,
		"template=abc-1;thing1=hint;thing1=title":                                 false,
		"template=abc-1;thing1=weather":                                           false,
		"template=abc-1;amount1=hint":                                             false,
		"template=abc-1;page=pages/a?b={weather};thing1=":                         false,
	} {
		v, err := app.ReadValues([]string{name + "=" + value}, "")
		if err != nil {
			t.Fatal(err)
		}
		complaint := ""
		for _, line := range v.Check() {
			if strings.HasPrefix(line, name) {
				complaint = line
			}
		}
		if (complaint == "") != good {
			t.Errorf("%q: %s", value, complaint)
		}
	}
}
