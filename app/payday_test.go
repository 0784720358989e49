package app_test

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/commission"
	"guanxi/commission/voucher"
	"guanxi/commission/withdrawal"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/money"
	"guanxi/platform/sandbox"
	"guanxi/proof/crosscheck"
	"guanxi/reconcile"
	"guanxi/staff"
)

// payday is a world in which people withdraw what they earned. Its loops stand still: the test tells when time has come.
type payday struct {
	*world
	earners []*earner
	serial  int
}

// earner is somebody with a purse.
type earner struct {
	*human
	p      *payday
	funded int64
}

const (
	sendPath  = "/v3/fund-app/mch-transfer/transfer-bills"
	askedPath = sendPath + "/out-bill-no/" // queries and cancellations
)

func newPayday(t *testing.T, platform sandbox.Config, tune func(*app.Config)) *payday {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)) // ten in the morning
	platform.Keys, platform.NotifyRetries = keys(), []time.Duration{time.Millisecond, 2 * time.Millisecond}
	return &payday{world: startWorld(t, c, harness.Config{
		Store: docstoretest.NewStore(t, c), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Sandbox: platform,
		Tune: func(a *app.Config) {
			a.Pace = app.Pace{Campaigns: -1, Orders: -1, Stock: -1, Settle: -1, Payouts: -1, Office: -1, Bills: -1, Tidy: -1, Notices: -1, Sharings: -1}
			a.Reconcile = reconcile.Config{Since: clock.Day(c.Now()), Expected: []string{"充值 充值"}}
			a.Withdrawal.AutoLimit = withdrawal.NoLimit
			a.Commission.Vouchers = voucher.Limits{Most: money.Max, MakerDay: money.Max} // what people have earned is given to them by one
			if tune != nil {
				tune(a)
			}
		},
	})}
}

// earner gives somebody new a purse with money in it.
func (p *payday) earner(amount int64) *earner {
	p.t.Helper()
	p.serial++
	e := &earner{human: p.human(fmt.Sprint("推广员", p.serial)), p: p}
	p.earners = append(p.earners, e)
	if amount > 0 {
		e.fund(amount)
	}
	return e
}

func (e *earner) fund(amount int64) {
	e.p.t.Helper()
	e.p.voucher(commission.Adjustment, commission.Available.Of(e.id), amount)
	e.funded += amount
}

func (p *payday) voucher(from, to commission.Account, amount int64) {
	p.t.Helper()
	p.serial++
	v, err := p.Commission.ProposeVoucher(p.t.Context(), commission.VoucherInput{
		Key: fmt.Sprint("v", p.serial), Maker: "clerk", Kind: commission.Adjust, From: from, To: to, Amount: moneyFen(amount), Reason: "测试用的余额",
	})
	for n := 0; err == nil && n < max(v.Needs, 1); n++ { // much money takes two
		_, err = p.Commission.ApproveVoucher(p.t.Context(), v.ID, fmt.Sprint("chief", n), "")
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.settled()
}

// asks for money over the wire and gives the number.
func (e *earner) asks(amount int64) string {
	e.p.t.Helper()
	return e.must("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": amount}, 201).text("number")
}

// refused asks for money and wants to be told no like this.
func (e *earner) refused(amount int64, code string) {
	e.p.t.Helper()
	if status, out := e.do("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": amount}); status != 409 && status != 422 && status != 429 || out.text("code") != code {
		e.p.t.Errorf("%d fen: %d %v; want %s", amount, status, out, code)
	}
}

func (e *earner) sees(number string) answer {
	e.p.t.Helper()
	return e.must("GET", "/v1/purse/withdrawals/"+number, nil, 200)
}

// stands wants a withdrawal to be in a state, and the platform's last word about it.
func (e *earner) stands(number, state, platform string) {
	e.p.t.Helper()
	w, err := e.p.Withdrawals.Get(e.p.t.Context(), number)
	if err != nil {
		e.p.t.Fatal(err)
	}
	if got := e.sees(number); got.text("state") != state || string(w.Platform) != platform {
		e.p.t.Errorf("it is %s (platform %q, code %q), want %s (%q)", got.text("state"), w.Platform, w.Code, state, platform)
	}
}

func (a answer) flag(name string) bool { b, _ := a[name].(bool); return b }

// signsIn again, after a session has run out.
func (e *earner) signsIn() {
	e.p.t.Helper()
	e.token = ""
	e.token = e.must("POST", "/v1/login", map[string]any{"code": e.p.Sandbox.LoginCode(e.name)}, 200).text("token")
}

// taps confirms in WeChat with what the mini-program was given, over the wire.
func (e *earner) taps(number string) bool {
	e.p.t.Helper()
	c, ok := e.sees(number)["confirm"].(map[string]any)
	if !ok {
		e.p.t.Fatalf("nothing to confirm: %v", e.sees(number))
	}
	out := platformHand(e.p.t, e.p.PlatformURL(), "transfer-confirm", map[string]any{
		"package": c["package"], "mchId": c["mch_id"], "appId": c["app_id"], "openid": e.p.Sandbox.OpenID(e.name),
	})
	return strings.HasSuffix(out.text("errMsg"), ":ok")
}

// platformGoesOn lets the platform finish a transfer it left moving: the member has no part in it.
func (p *payday) platformGoesOn(number string) {
	p.t.Helper()
	if err := p.Sandbox.ConfirmTransfer(sandbox.ConfirmInput{Number: number}); err != nil {
		p.t.Error(err)
	}
}

func (e *earner) cancels(number string) answer {
	e.p.t.Helper()
	return e.must("POST", "/v1/purse/withdrawals/"+number+"/cancel", nil, 200)
}

// trail is the kinds of the entries of a withdrawal in the member's statement. Within one seal the statement goes by id, so
// they are put in the order of a life.
func (e *earner) trail(number string) string {
	e.p.t.Helper()
	var kinds []string
	for after := ""; ; {
		page := e.must("GET", "/v1/purse/statement?cursor="+after, nil, 200)
		for _, line := range page.list("lines") {
			if l := answer(line.(map[string]any)); l.text("number") == number {
				kinds = append(kinds, l.text("kind"))
			}
		}
		if after = page.text("next"); after == "" {
			break
		}
	}
	life := []string{"withdraw", "confirm", "fail", "tax", "return"}
	slices.SortFunc(kinds, func(a, b string) int { return slices.Index(life, a) - slices.Index(life, b) })
	return strings.Join(kinds, " ")
}

func (e *earner) left(amount string) {
	e.p.t.Helper()
	u := e.must("GET", "/v1/purse", nil, 200)
	if got := fmt.Sprint(u.num("available_fen"), " ", u.num("withdrawing_fen"), " ", u.num("withdrawn_fen")); got != amount {
		e.p.t.Errorf("available, withdrawing, withdrawn: %s, want %s", got, amount)
	}
}

// tend looks once at everything that is due, and lets what follows arrive. Its errors are the platform's trouble.
func (p *payday) tend() {
	p.t.Helper()
	if _, err := p.Withdrawals.Tend(p.t.Context()); err != nil {
		p.t.Log("tend: ", err)
	}
	p.settled()
}

// pass lets time go by.
func (p *payday) pass(d time.Duration) {
	p.t.Helper()
	p.clock.Advance(d)
	p.tend()
}

// until lets time go by until a withdrawal stands in a state.
func (e *earner) until(number, state string) {
	e.p.t.Helper()
	for range 12 {
		if e.sees(number).text("state") == state {
			return
		}
		e.p.pass(2 * time.Minute)
	}
	e.p.t.Errorf("it never became %s: %v", state, e.sees(number))
}

// untilPackage lets time go by until the mini-program has something to show.
func (e *earner) untilPackage(number string) {
	e.p.t.Helper()
	for range 12 {
		if e.sees(number)["confirm"] != nil {
			return
		}
		e.p.pass(2 * time.Minute)
	}
	e.p.t.Errorf("there is no package: %v", e.sees(number))
}

// reviewer is a member of staff, signed in at the console.
func (p *payday) reviewer(login string) *human {
	p.t.Helper()
	return p.operator(login, staff.FinanceChecker)
}

func (p *payday) operator(login string, role staff.Role) *human {
	p.t.Helper()
	added, err := p.Staff.AddOperator(p.t.Context(), staff.AddInput{
		By: staff.System, Key: login, Login: login, Name: "员工" + login, Roles: []staff.Role{role},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	h := &human{w: p.world, name: login}
	h.token = h.must("POST", "/console/api/login", map[string]any{"login": login, "password": added.Password}, 200).text("token")
	h.must("POST", "/console/api/me/password", map[string]any{"old": added.Password, "new": "correct horse battery"}, 204)
	return h
}

// balances proves everything: purses against the withdrawals, the platform's transfers against them, the ledger against
// itself, the domains against each other. When a day is over it proves the platform's bills, too.
func (p *payday) balances() {
	p.t.Helper()
	p.pass(15 * time.Minute)
	p.agree()
	p.t.Helper()
	now := p.clock.Now().In(clock.Shanghai())
	p.clock.Set(time.Date(now.Year(), now.Month(), now.Day()+1, 10, 5, 0, 0, clock.Shanghai()))
	p.tend()
	p.agree()
	p.reconciled()
}

func (p *payday) agree() {
	p.t.Helper()
	known := map[string]*withdrawal.Withdrawal{}
	sent := int64(0)
	for _, e := range p.earners {
		want := [3]int64{e.funded, 0, 0}
		page, err := p.Withdrawals.Mine(p.t.Context(), e.id, docstore.Paging{First: 100})
		if err != nil || page.Next != "" {
			p.t.Fatal(err, page.Next)
		}
		for _, w := range page.Items {
			known[w.ID] = w
			gross, net := int64(w.Gross), int64(w.Net)
			switch w.State {
			case withdrawal.Paid:
				want[0], want[2], sent = want[0]-gross, want[2]+net, sent+net
			case withdrawal.Returned:
				sent += net
			case withdrawal.Held, withdrawal.Approved, withdrawal.Sent, withdrawal.Waiting:
				want[0], want[1] = want[0]-gross, want[1]+gross
			}
			if w.State.Ended() && w.Posted != w.State {
				p.t.Errorf("%s is %s, but posted only %q", w.ID, w.State, w.Posted)
			}
		}
		u := e.must("GET", "/v1/purse", nil, 200)
		if got := [3]int64{u.num("available_fen"), u.num("withdrawing_fen"), u.num("withdrawn_fen")}; got != want {
			p.t.Errorf("%s has %v, the withdrawals say %v", e.name, got, want)
		}
	}
	p.oneTransferEach(known, sent)
	report, err := p.Commission.Verify(p.t.Context(), nil)
	if err != nil || !report.Good() || report.Unsealed != 0 {
		p.t.Errorf("verify: %v %+v", err, report)
	}
	if r := p.crosscheck(); !r.Good() {
		p.t.Errorf("crosscheck: %+v", r.Differences)
	}
}

func (p *payday) crosscheck() *crosscheck.Report {
	p.t.Helper()
	r, err := crosscheck.Run(p.t.Context(), crosscheck.Deps{
		Orders: p.Orders.Archive(), Ledger: p.Commission, Withdrawals: p.Withdrawals, Years: p.Withdrawals.Archive(),
		TaxTables: p.Taxes, Clock: p.clock, Config: crosscheck.Config{Grace: time.Millisecond},
	}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// oneTransferEach: the platform has at most one transfer for a withdrawal, none without, and it paid what we call paid.
func (p *payday) oneTransferEach(known map[string]*withdrawal.Withdrawal, sent int64) {
	p.t.Helper()
	seen := map[string]bool{}
	for _, v := range p.Sandbox.Transfers("", 10_000) {
		w := known[v.Number]
		switch {
		case w == nil:
			p.t.Errorf("the platform has a transfer %s that nobody asked for", v.Number)
			continue
		case seen[v.Number]:
			p.t.Errorf("the platform has two transfers %s", v.Number)
		case v.Amount != int64(w.Net):
			p.t.Errorf("%s: the platform moves %d, we meant %d", v.Number, v.Amount, w.Net)
		case w.State.Ended() && (v.State == "SUCCESS") != (w.State == withdrawal.Paid || w.State == withdrawal.Returned):
			p.t.Errorf("%s is %s, at the platform it is %s", v.Number, w.State, v.State)
		case w.State.Ended() && v.State != "SUCCESS" && v.State != "FAIL" && v.State != "CANCELLED":
			p.t.Errorf("%s is %s, at the platform it is still %s", v.Number, w.State, v.State)
		}
		seen[v.Number] = true
	}
	for number, w := range known {
		if (w.State == withdrawal.Paid || w.State == withdrawal.Waiting) && !seen[number] {
			p.t.Errorf("%s is %s, the platform does not know it", number, w.State)
		}
	}
	if got := p.Sandbox.Stats().SentFen; got != sent {
		p.t.Errorf("the platform paid out %d, the withdrawals say %d", got, sent)
	}
}

// reconciled: every bill of every day that is over meets our books to the fen.
func (p *payday) reconciled() {
	p.t.Helper()
	for range 100 {
		worked, err := p.Reconcile.Tend(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if worked == 0 {
			break
		}
	}
	for _, statement := range []reconcile.Statement{reconcile.Trade, reconcile.Funds} {
		runs, err := p.Reconcile.Runs(p.t.Context(), statement, docstore.Paging{First: 100})
		if err != nil || len(runs.Items) == 0 {
			p.t.Fatal(len(runs.Items), err)
		}
		for _, r := range runs.Items {
			if r.State != reconcile.Balanced || r.Said != r.Bill {
				tasks, err := p.Reconcile.TasksOf(p.t.Context(), statement, r.Day, docstore.Paging{First: 10})
				p.t.Errorf("%s is %s (%d differences): %s", r.ID, r.State, r.Differences, cmp.Diff(nil, tasks.Items))
				if err != nil {
					p.t.Error(err)
				}
			}
		}
	}
}
