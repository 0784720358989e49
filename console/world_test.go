package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/distribution"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/edge"
	"guanxi/internal/id"
	"guanxi/member"
	"guanxi/order"
	"guanxi/reconcile"
	"guanxi/staff"
	"guanxi/staff/task"
)

var start = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

const ownPassword = "correct horse battery"

// world is a console on a store that can misbehave.
type world struct {
	t       *testing.T
	clock   *clock.Manual
	flaky   *docstoretest.Flaky
	store   *docstore.Store
	staff   *staff.Service
	console *Console
	keys    atomic.Int64
	limiter edge.Limiter

	ledger    *commission.Service
	payouts   *withdrawal.Service
	reconcile *reconcile.Service
	tasks     *task.Service
	taxes     *tax.Book
	hosts     *community.Service
	hosting   *hosting.Service
	orders    *sales
	links     linked
	goods     *catalog.Service
	bonds     *distribution.Service
	rail      *rail
	bills     *bills
}

func newWorld(t *testing.T) *world { return limitedWorld(t, nil) }

func limitedWorld(t *testing.T, limiter edge.Limiter) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewManual(start), flaky: docstoretest.NewFlaky(docstoretest.Embedded(t)), limiter: limiter, rail: &rail{}, bills: &bills{}, links: linked{}, orders: &sales{}}
	w.store = docstoretest.StoreOn(t, w.flaky, w.clock)
	w.openDomains()
	w.staff, w.console = w.process()
	return w
}

// process is another process on the same store.
func (w *world) process() (*staff.Service, *Console) {
	w.t.Helper()
	argon, err := NewArgon(Cost{MemoryKiB: 32, Passes: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	people, err := staff.New(w.t.Context(), staff.Deps{Store: w.store, Clock: w.clock, IDs: id.Random{}, Passwords: argon})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := New(w.t.Context(), w.deps(people))
	if err != nil {
		w.t.Fatal(err)
	}
	return people, c
}

func (w *world) deps(people *staff.Service) Deps {
	return Deps{
		Store: w.store, Clock: w.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Staff: people, Limiter: w.limiter,
		Ledger: w.ledger, Payouts: w.payouts, Reconcile: w.reconcile, Tasks: w.tasks, Taxes: w.taxes, Members: members{}, Hosts: w.hosts, Hosting: w.hosting, Orders: w.orders, Relations: related{}, Links: w.links,
		Goods: w.goods, Communities: w.hosts, Bonds: w.bonds,
	}
}

// sales is one order that waits for the brand.
type sales struct {
	order.Order
	told []string
}

func (s *sales) Get(_ context.Context, number string) (*order.Order, error) {
	if number != s.ID {
		return nil, order.ErrNotFound
	}
	return &s.Order, nil
}

func (s *sales) WaitingForBrand(context.Context, order.Page) (docstore.Page[order.Order], error) {
	return docstore.Page[order.Order]{Items: []*order.Order{&s.Order}}, nil
}

func (s *sales) WithIncidents(ctx context.Context, page order.Page) (docstore.Page[order.Order], error) {
	return s.WaitingForBrand(ctx, page)
}

func (s *sales) DecideForBrand(_ context.Context, d order.BrandDecision) (order.Refund, error) {
	s.told = append(s.told, fmt.Sprint("decide ", d.Refund, " ", d.Release, " ", d.Words))
	return order.Refund{}, nil
}

func (s *sales) BrandRefund(_ context.Context, in order.RefundInput) (order.Refund, error) {
	s.told = append(s.told, fmt.Sprint("refund ", in.Lines, " ", in.Reason))
	return order.Refund{}, nil
}

func (s *sales) BrandShip(_ context.Context, number string, in order.ShipInput) (*order.Order, error) {
	s.told = append(s.told, fmt.Sprint("ship ", in))
	return s.Get(context.Background(), number)
}

// related ties everybody to the guard.
type related struct{}

func (related) Of(context.Context, string) ([]Relation, error) {
	return []Relation{{Kind: "keeper", Members: []string{"guard"}}}, nil
}

// linked are operators known to be members.
type linked map[string]string

func (l linked) MemberOf(_ context.Context, operator string) (string, error) { return l[operator], nil }

// caller is somebody with a token, or nobody.
type caller struct {
	w        *world
	operator string
	token    string
	console  *Console
}

func (w *world) nobody() *caller { return &caller{w: w, console: w.console} }

// hire makes an operator with an own password and signs them in.
func (w *world) hire(login string, roles ...staff.Role) *caller {
	w.t.Helper()
	c, password := w.newcomer(login, roles...)
	c.must("POST", "/console/api/me/password", map[string]any{"old": password, "new": ownPassword}, 204)
	return c
}

// confirms lets somebody confirm a proposal and gives what came of it.
func (c *caller) confirms(kind string, proposal answer) answer {
	c.w.t.Helper()
	return c.must("POST", "/console/api/"+kind+"-drafts/"+proposal.text("id")+"/confirm", nil, 200)
}

// newcomer still has the password that somebody else made.
func (w *world) newcomer(login string, roles ...staff.Role) (*caller, string) {
	w.t.Helper()
	added, err := w.staff.AddOperator(w.t.Context(), staff.AddInput{By: staff.System, Key: login, Login: login, Name: "员工" + login, Roles: roles})
	if err != nil {
		w.t.Fatal(err)
	}
	c := &caller{w: w, operator: added.Operator.ID, console: w.console}
	c.signIn(login, added.Password)
	return c, added.Password
}

func (c *caller) signIn(login, password string) {
	c.w.t.Helper()
	in := (&caller{w: c.w, console: c.console}).must("POST", "/console/api/login", map[string]any{"login": login, "password": password}, 200)
	c.token = in.text("token")
}

type answer map[string]any

func (a answer) text(name string) string { s, _ := a[name].(string); return s }
func (a answer) list(name string) []any  { l, _ := a[name].([]any); return l }

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

func (r reply) answer() answer {
	var a answer
	_ = json.Unmarshal([]byte(r.body), &a)
	return a
}

// send makes a request with a key of its own.
func (c *caller) send(method, path string, body any) reply {
	return c.keyed(fmt.Sprintf("key-%06d", c.w.keys.Add(1)), method, path, body)
}

func (c *caller) keyed(key, method, path string, body any) reply {
	c.w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			c.w.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r := httptest.NewRequestWithContext(context.WithoutCancel(c.w.t.Context()), method, path, reader)
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	recorder := httptest.NewRecorder()
	c.console.Handler().ServeHTTP(recorder, r)
	return reply{recorder.Code, recorder.Header(), recorder.Body.String()}
}

func (c *caller) must(method, path string, body any, status int) answer {
	c.w.t.Helper()
	r := c.send(method, path, body)
	if r.status != status {
		c.w.t.Fatalf("%s %s: %v; want %d", method, path, r, status)
	}
	return r.answer()
}

// refused expects a problem with this code.
func (c *caller) refused(method, path string, body any, status int, code string) {
	c.w.t.Helper()
	if r := c.send(method, path, body); r.status != status || r.answer().text("code") != code {
		c.w.t.Fatalf("%s %s: %v; want %d %s", method, path, r, status, code)
	}
}

// deeds is the audit log about a subject, oldest first, in short.
func (w *world) deeds(subject string) []string {
	w.t.Helper()
	page, err := w.staff.Audit(w.t.Context(), staff.AuditQuery{Subject: subject, Paging: docstore.Paging{First: 200}})
	if err != nil {
		w.t.Fatal(err)
	}
	all := []string{}
	for _, d := range page.Items {
		line := strings.Join([]string{d.Operation, string(d.Outcome), d.Code, d.Before, d.After}, "|")
		all = append([]string{line}, all...)
	}
	return all
}

// openDomains opens the real domains on the world's store; only the platform is made up.
func (w *world) openDomains() {
	w.t.Helper()
	ctx := w.t.Context()
	var err error
	must := func() {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.tasks, err = task.New(ctx, task.Deps{Store: w.store, Clock: w.clock})
	must()
	w.ledger, err = commission.New(ctx, commission.Deps{Store: w.store, Clock: w.clock, IDs: id.Random{}})
	must()
	w.taxes, err = tax.OpenBook(ctx, w.store, w.clock)
	must()
	w.payouts, err = withdrawal.New(ctx, withdrawal.Deps{
		Store: w.store, Clock: w.clock, Ledger: w.ledger, Rail: w.rail, Payees: payees{}, Taxes: w.taxes,
	})
	must()
	w.hosting, err = hosting.New(ctx, hosting.Deps{Store: w.store, Clock: w.clock})
	must()
	w.hosts, err = community.New(ctx, community.Deps{Store: w.store, Clock: w.clock, IDs: id.Random{}, Hosting: w.hosting})
	must()
	w.goods, err = catalog.New(ctx, catalog.Deps{Store: w.store, Clock: w.clock, IDs: id.Random{}})
	must()
	w.bonds, err = distribution.New(ctx, distribution.Deps{Store: w.store, Clock: w.clock})
	must()
	w.reconcile, err = reconcile.New(ctx, reconcile.Deps{
		Store: w.store, Clock: w.clock, IDs: id.Random{}, Bills: w.bills, Ours: ours{}, Config: reconcile.Config{Since: "2026-03-01"},
	})
	must()
}

// payees are people who have been members for long, with wallets.
type payees struct{}

func (payees) OpenID(_ context.Context, member string) (string, error) {
	return "openid-" + member, nil
}

func (payees) MemberSince(context.Context, string) (time.Time, error) {
	return start.AddDate(-1, 0, 0), nil
}

// members is a brand with three members, one of whom never chose a nickname.
type members struct{}

func (members) Profiles(_ context.Context, ids []string) (map[string]member.Profile, error) {
	names := map[string]string{"alice": "艾丽丝", "bob": member.Unnamed, "host1": "王"}
	found := map[string]member.Profile{}
	for _, who := range ids {
		if name := names[who]; name != "" {
			found[who] = member.Profile{ID: who, Nickname: name}
		}
	}
	return found, nil
}

// rail waits for everybody's confirmation.
type rail struct{}

func (rail) Send(_ context.Context, t withdrawal.Transfer) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{
		Number: t.Number, State: withdrawal.TransferWaiting, Bill: "bill-" + t.Number, Package: "package", Amount: t.Amount, At: start,
	}, nil
}

func (rail) Query(context.Context, string) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{}, withdrawal.ErrUnknownNumber
}

func (rail) Cancel(context.Context, string) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{}, withdrawal.ErrUnknownNumber
}

// bills is a platform whose trade bill has one payment that our books do not know.
type bills struct{}

func (bills) Trade(_ context.Context, _ string, each func(reconcile.TradeLine) error) (reconcile.Totals, error) {
	line := reconcile.TradeLine{At: start.Add(-20 * time.Hour), State: "SUCCESS", Number: "stray1", TransactionID: "4200001", Amount: 990}
	return reconcile.Totals{Lines: 1, In: 990}, each(line)
}

func (bills) Funds(context.Context, reconcile.Statement, string, func(reconcile.FundLine) error) (reconcile.Totals, error) {
	return reconcile.Totals{}, reconcile.ErrNoStatement
}

type ours struct{}

func (ours) Lookup(context.Context, reconcile.Movement, []string) (map[string]reconcile.Fact, error) {
	return nil, nil //nolint:nilnil // nothing is known
}

func (ours) Each(context.Context, []reconcile.Movement, time.Time, time.Time, func(reconcile.Fact) error) error {
	return nil
}
