package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/sharing"
	"guanxi/commission/tax"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/platform/sandbox"
	"guanxi/proof/auditor"
	"guanxi/proof/crosscheck"
	"guanxi/reconcile"
)

// dividing is a world whose policy pays commission out of the orders' payments. Its loops stand still.
type dividing struct {
	*world
	store               *docstore.Store
	host, friend, buyer *human
	sku, campaign       string

	mu     sync.Mutex
	left   int // calls of profit sharing until the axe falls; negative = never
	after  bool
	axe    context.CancelFunc
	struck bool
}

const sharePath = "/v3/profitsharing/"

func newDividing(t *testing.T, direct money.BasisPoints, tune func(*app.Config)) *dividing {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)) // ten in the morning
	d := &dividing{store: docstoretest.NewStore(t, c), left: -1}
	d.world = startWorld(t, c, harness.Config{
		Store: d.store, Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Platform: d.platform,
		Sandbox: sandbox.Config{Keys: keys(), NotifyRetries: []time.Duration{time.Millisecond}}, Sharing: sharing.Config{On: true},
		Tune: func(a *app.Config) {
			a.Pace = app.Pace{Campaigns: -1, Orders: -1, Stock: -1, Settle: -1, Payouts: -1, Sharings: -1, Office: -1, Bills: -1, Tidy: -1, Notices: -1}
			a.Reconcile = reconcile.Config{Since: clock.Day(c.Now())}
			if tune != nil {
				tune(a)
			}
		},
	})
	_, err := d.Commission.Policies.Publish(t.Context(), policy.Policy{
		Cap: 5000, Rail: policy.RailProfitSharing, Rules: []policy.Rule{{Pays: []policy.Pay{
			{Role: commission.Direct, Rate: direct}, {Role: commission.Host, Rate: 500},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(2 * time.Minute)
	d.sku = d.product("赣南脐橙", 5990, 1000)
	d.host, d.friend, d.buyer = d.human("王姐"), d.human("小李"), d.human("小陈")
	d.opens()
	return d
}

// opens lets the host open a campaign that the buyer comes to by the friend's share.
func (d *dividing) opens() {
	d.t.Helper()
	_, d.campaign = d.host.openCampaign(d.sku, nil)
	share := d.friend.must("POST", "/v1/shares", map[string]any{"kind": "campaign", "target": d.campaign}, 201).text("id")
	d.buyer.must("POST", "/v1/shares/"+share+"/open", map[string]any{"scene": 1007}, 200)
	d.settled()
}

// platform lets the axe fall at a call of profit sharing, right before or right after the platform has done it.
func (d *dividing) platform(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fall := false
		if strings.HasPrefix(r.URL.Path, sharePath) {
			d.mu.Lock()
			fall = d.left == 0
			d.left--
			d.mu.Unlock()
		}
		if fall && !d.after {
			d.fall()
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
		if fall {
			d.fall()
		}
	})
}

func (d *dividing) fall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.struck = true
	d.axe()
}

// sold is an order that is received.
func (d *dividing) sold() string {
	d.t.Helper()
	o := d.buyer.buy(d.campaign, d.sku, 2).text("id") // 119.80 yuan
	d.settled()
	d.host.must("POST", "/v1/host/orders/"+o+"/ship", map[string]any{"kind": "pickup"}, 200)
	d.buyer.must("POST", "/v1/orders/"+o+"/receive", nil, 200)
	d.settled()
	return o
}

// weekLater lets the after-sale window end, and what follows from it.
func (d *dividing) weekLater() {
	d.t.Helper()
	d.clock.Advance(8 * 24 * time.Hour)
	for _, step := range []func(context.Context) (int, error){d.Orders.Tick, d.Commission.SettleDue} {
		if _, err := step(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
		d.settled()
	}
	for _, h := range []*human{d.host, d.friend, d.buyer} { // sessions have run out
		h.token = ""
		h.token = h.must("POST", "/v1/login", map[string]any{"code": d.Sandbox.LoginCode(h.name)}, 200).text("token")
	}
}

// tend lets time pass until nothing more happens.
func (d *dividing) tend() {
	d.t.Helper()
	for range 9 {
		if _, err := d.Sharings.Tend(d.t.Context()); err != nil {
			d.t.Log("tend: ", err)
		}
		d.settled()
		d.clock.Advance(3 * time.Minute)
	}
}

func (d *dividing) stand(order string) string {
	d.t.Helper()
	got, err := d.Sharings.Archive().Get(d.t.Context(), order)
	if err != nil {
		return err.Error()
	}
	names := map[string]string{d.host.id: "host", d.friend.id: "friend"}
	text := string(got.State)
	for _, p := range got.Parts {
		text += fmt.Sprintf("; %s %d %s", names[p.Member], p.Amount, p.State)
		if p.Code != "" {
			text += " " + string(p.Code)
		}
	}
	if got.FreeCode != "" {
		text += "; " + got.FreeCode
	}
	return text
}

// wants compares where an order is, the two purses, what the platform gave to others, and whether anything is still frozen.
func (d *dividing) wants(order, stand, friend, host string, out int64) {
	d.t.Helper()
	if got := d.stand(order); got != stand {
		d.t.Errorf("it is\n%s\nwant\n%s", got, stand)
	}
	for _, c := range []struct {
		who  *human
		want string
	}{{d.friend, friend}, {d.host, host}} {
		u := c.who.must("GET", "/v1/purse", nil, 200)
		if got := fmt.Sprint(u.num("pending_fen"), " ", u.num("available_fen"), " ", u.num("withdrawing_fen"), " ", u.num("withdrawn_fen")); got != c.want {
			d.t.Errorf("%s has %s, want %s", c.who.name, got, c.want)
		}
	}
	if got := d.Sandbox.Stats().SharedFen; got != out {
		d.t.Errorf("the platform gave %d to others, want %d", got, out)
	}
	found, err := d.Orders.Archive().Many(d.t.Context(), []string{order})
	if err != nil {
		d.t.Fatal(err)
	}
	if rest, err := d.Pay.Sharing().Unsplit(d.t.Context(), found[order].Payment.TransactionID); err != nil || rest != 0 {
		d.t.Errorf("%d fen are still frozen, %v", rest, err)
	}
}

// proved holds everything against everything: the ledger, the domains, the auditor, and the platform's bills.
func (d *dividing) proved() {
	d.t.Helper()
	ctx := d.t.Context()
	report, err := d.Commission.Verify(ctx, nil)
	if err != nil || !report.Good() || report.Unsealed != 0 {
		d.t.Errorf("verify: %v %+v", err, report)
	}
	r, err := crosscheck.Run(ctx, crosscheck.Deps{
		Orders: d.Orders.Archive(), Ledger: d.Commission, Withdrawals: d.Withdrawals, Years: d.Withdrawals.Archive(), TaxTables: d.Taxes,
		Sharings: d.Sharings.Archive(), Clock: d.clock,
		Config: crosscheck.Config{Grace: time.Millisecond},
	}, nil)
	if err != nil || !r.Good() || r.Sharings == 0 || r.Young != 0 {
		d.t.Errorf("crosscheck: %v %+v", err, r)
	}
	audit, err := auditor.Audit(ctx, d.store, nil)
	if err != nil || !audit.Good() || audit.Sharings == 0 {
		d.t.Errorf("audit: %v %+v", err, audit)
	}
	now := d.clock.Now().In(clock.Shanghai())
	d.clock.Set(time.Date(now.Year(), now.Month(), now.Day()+1, 10, 5, 0, 0, clock.Shanghai()))
	for range 200 {
		if n, err := d.Reconcile.Tend(ctx); err != nil {
			d.t.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	runs := 0
	for _, statement := range []reconcile.Statement{reconcile.Trade, reconcile.Funds} {
		page, err := d.Reconcile.Runs(ctx, statement, docstore.Paging{First: 100})
		if err != nil {
			d.t.Fatal(err)
		}
		for _, run := range page.Items {
			runs++
			if run.State != reconcile.Balanced && run.State != reconcile.Resolved {
				d.t.Errorf("%s is %s: %s, %d differences", run.ID, run.State, run.Problem, run.Differences)
			}
		}
	}
	if runs == 0 {
		d.t.Error("no bill was looked at")
	}
}

func TestCommissionIsPaidOutOfThePayment(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 1000, nil)
	o := d.sold()
	d.tend()
	if got := d.stand(o); got != sharing.ErrNotFound.Error() {
		t.Errorf("before the window is over it is %s", got)
	}
	d.weekLater()
	if got := d.stand(o); got != "waiting" {
		t.Errorf("it is %s", got)
	}
	d.tend()
	d.wants(o, "unfrozen; friend 1198 paid; host 599 paid", "0 0 0 1198", "0 0 0 599", 1797)
	entry := ""
	for _, line := range d.friend.must("GET", "/v1/purse/statement", nil, 200).list("lines") {
		if l := answer(line.(map[string]any)); l.text("kind") == "confirm" {
			entry = l.text("entry")
		}
	}
	why := d.friend.must("GET", "/v1/purse/explain?entry="+entry, nil, 200)
	if steps := fmt.Sprint(why.list("steps")); !strings.Contains(steps, "微信分账") || !strings.Contains(steps, o) {
		t.Errorf("it is explained by %s", steps)
	}
	late := d.buyer.keyedRefund(o) // the host asks for something back all the same: so late the brand decides
	d.settled()
	if got := d.friend.must("GET", "/v1/purse", nil, 200); got.num("available_fen") != 0 {
		t.Errorf("before the brand has decided the friend has %v", got)
	}
	if _, err := d.Orders.DecideForBrand(t.Context(), order.BrandDecision{Order: o, Refund: late, By: "ops", Release: true}); err != nil {
		t.Fatal(err)
	}
	d.settled() // the purses owe it
	d.tend()
	if got := d.friend.must("GET", "/v1/purse", nil, 200); got.num("available_fen") != -599 {
		t.Errorf("after refund %s the friend has %v", late, got)
	}
	d.proved()
}

// keyedRefund has the host ask for one unit to be given back.
func (h *human) keyedRefund(order string) string {
	h.w.t.Helper()
	return h.w.human("王姐").must("POST", "/v1/host/orders/"+order+"/refunds", map[string]any{
		"lines": []any{map[string]any{"line": 1, "units": 1}}, "reason": "补偿",
	}, 201).text("number")
}

func TestWhatIsAboveTheCeilingStaysInThePurse(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 2800, nil)
	o := d.sold()
	d.weekLater()
	d.tend()
	d.wants(o, "unfrozen; friend 3354 paid; host 599 left CEILING", "0 0 0 3354", "0 599 0 0", 3354)
	d.host.must("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 599}, 201)
	d.settled()
	d.proved()
}

func TestAPartThePlatformClosesIsBackInThePurse(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 1000, nil)
	o := d.sold()
	d.weekLater()
	d.Sandbox.Inject(sandbox.Rule{Match: "sharing:order", Action: sandbox.ActionFail, Code: "NO_RELATION"})
	d.tend()
	d.wants(o, "unfrozen; friend 1198 closed NO_RELATION; host 599 paid", "0 1198 0 0", "0 0 0 599", 599)
	d.proved()
}

func TestTaxIsWithheldOnlyFromWithdrawals(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 1000, nil)
	if _, err := d.Taxes.Publish(t.Context(), tax.PerPaymentTable()); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Hour)
	o := d.sold()
	d.weekLater()
	d.tend()
	d.wants(o, "unfrozen; friend 1198 left TAX; host 599 left TAX", "0 1198 0 0", "0 599 0 0", 0)
	d.proved()
}

// TestAnotherRailOnlyFreesTheRest: orders of the policy before are paid by withdrawal, and the merchant gets its money.
func TestAnotherRailOnlyFreesTheRest(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 1000, nil)
	_, err := d.Commission.Policies.Publish(t.Context(), policy.Policy{
		Cap: 5000, Rules: []policy.Rule{{Pays: []policy.Pay{{Role: commission.Host, Rate: 500}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(2 * time.Minute)
	o := d.sold()
	d.weekLater()
	d.tend()
	d.wants(o, "unfrozen", "0 0 0 0", "0 599 0 0", 0)
	d.proved()
}

// TestAnythingLostOnTheWayEndsTheSame: whatever goes wrong on the wire, at every call.
func TestAnythingLostOnTheWayEndsTheSame(t *testing.T) {
	t.Parallel()
	d := newDividing(t, 1000, nil)
	paid := 0
	for _, path := range []string{"receivers/add", "orders", "orders/unfreeze"} {
		for _, rule := range []sandbox.Rule{
			{Action: sandbox.ActionAfterAccept},
			{Action: sandbox.ActionLose},
			{Action: sandbox.ActionRateLimit, Times: 2},
			{Action: sandbox.ActionFail},
			{Action: sandbox.ActionUnsigned},
			{Action: sandbox.ActionFail, Code: "NO_AUTH", Status: 403},
		} {
			o := d.sold()
			d.weekLater()
			rule.Match = sharePath + path
			d.Sandbox.Inject(rule)
			d.tend()
			d.tend()
			d.Sandbox.ClearFaults()
			if got := d.stand(o); got != "unfrozen; friend 1198 paid; host 599 paid" {
				t.Errorf("%s %s %s: %s", path, rule.Action, rule.Code, got)
			}
			if paid++; d.Sandbox.Stats().SharedFen != int64(paid*1797) {
				t.Errorf("%s %s: the platform gave %d to others", path, rule.Action, d.Sandbox.Stats().SharedFen)
			}
			d.opens()
		}
	}
	d.proved()
}

// TestKilledAtAnyCallItGoesOn cuts a process off at every call of profit sharing, before and after it was done; another one on
// the same store goes on.
func TestKilledAtAnyCallItGoesOn(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := range 7 {
			t.Run(fmt.Sprint(after, n), func(t *testing.T) {
				t.Parallel()
				var made app.Config
				d := newDividing(t, 1000, func(c *app.Config) { made = *c })
				o := d.sold()
				d.weekLater()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d.mu.Lock()
				d.left, d.after, d.axe = n, after, cancel
				d.mu.Unlock()
				for range 4 {
					_, _ = d.Sharings.Tend(ctx) // cut off
					d.clock.Advance(3 * time.Minute)
				}
				if !d.struck {
					t.Error("the axe never fell")
				}
				next, err := app.New(t.Context(), made)
				if err != nil {
					t.Fatal(err)
				}
				d.Sharings = next.Sharings
				d.tend()
				d.wants(o, "unfrozen; friend 1198 paid; host 599 paid", "0 0 0 1198", "0 0 0 599", 1797)
				d.proved()
			})
		}
	}
}
