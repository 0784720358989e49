package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/commission"
	"guanxi/console/bonds"
	"guanxi/console/communities"
	"guanxi/console/goods"
	"guanxi/console/room"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// Deps is what the console stands on. Limiter and Metrics may be nil.
type Deps struct {
	Store       *docstore.Store
	Clock       clock.Clock
	Log         *slog.Logger
	Staff       *staff.Service
	Ledger      *commission.Service // the books, room by room
	Payouts     Payouts
	Reconcile   Reconciliation
	Tasks       Tasks
	Taxes       TaxTables
	Members     Members
	Hosts       Hosts
	Hosting     Hostings
	Orders      Orders
	Relations   Relations
	Goods       goods.Catalog
	Communities communities.Communities
	Bonds       bonds.Bonds
	Links       Links // optional: which member an operator is
	Limiter     edge.Limiter
	Metrics     prometheus.Registerer
	TrustProxy  bool // take the caller's address from the last hop of X-Forwarded-For
}

// Console is the edge for staff.
type Console struct {
	edge      *edge.Edge
	room      *room.Room
	staff     *staff.Service
	ledger    *commission.Service
	payouts   Payouts
	reconcile Reconciliation
	tasks     Tasks
	taxes     TaxTables
	members   Members
	hosts     Hosts
	hosting   Hostings
	orders    Orders
	relations Relations
	links     Links
	clock     clock.Clock
	long      chan struct{} // one long calculation at a time
}

// New declares every operation on a fresh router.
func New(ctx context.Context, d Deps) (*Console, error) {
	if d.Store == nil || d.Clock == nil || d.Log == nil || d.Staff == nil || d.Ledger == nil || d.Payouts == nil ||
		d.Reconcile == nil || d.Tasks == nil || d.Taxes == nil || d.Members == nil || d.Hosts == nil || d.Hosting == nil || d.Orders == nil || d.Relations == nil ||
		d.Goods == nil || d.Communities == nil || d.Bonds == nil {
		return nil, errors.New("console: store, clock, log, staff and the domains are required")
	}
	c := &Console{
		staff: d.Staff, ledger: d.Ledger, payouts: d.Payouts, reconcile: d.Reconcile, tasks: d.Tasks, taxes: d.Taxes, members: d.Members,
		hosts: d.Hosts, hosting: d.Hosting, orders: d.Orders, relations: d.Relations, links: d.Links, clock: d.Clock, long: make(chan struct{}, 1),
	}
	var err error
	c.edge, err = edge.New(ctx, edge.Config{
		Name: "console", Title: "guanxi 关系 · 管理台接口", Label: "管理台接口",
		Description: "面向品牌员工的接口。每个写操作都要带 Idempotency-Key，并写入操作日志；错误是 RFC 9457 格式，带稳定的错误码。" +
			"每个操作所需的权限见 x-permission。",
		Session: "POST /console/api/login 返回的 token", Caller: "operator", Answers: "console_answers",
		Genuine:      func(token string) bool { return d.Store.Keys().Genuine(staff.TokenPurpose, token) },
		Authenticate: c.authenticate, Permit: func(ctx context.Context, op edge.Operation) error { return c.room.Permit(ctx, op) },
		Store: d.Store, Clock: d.Clock, Log: d.Log, Limiter: d.Limiter, Metrics: d.Metrics, TrustProxy: d.TrustProxy,
	})
	if err != nil {
		return nil, err
	}
	c.room = &room.Room{Edge: c.edge, Staff: c.staff, Members: d.Members, Clock: d.Clock}
	c.declare()
	goods.Declare(c.room, d.Goods)
	communities.Declare(c.room, d.Communities)
	bonds.Declare(c.room, d.Bonds)
	for _, op := range c.edge.Operations() {
		if op.Open == (op.Permission != "") {
			return nil, fmt.Errorf("console: operation %s must be open or name its permission", op.ID)
		}
	}
	return c, c.edge.Describe("/console/openapi.json", "/console/docs")
}

// declare lists every operation, room by room.
func (c *Console) declare() {
	c.declareAccount()
	c.declareEntries()
	c.declareBooks()
	c.declarePurses()
	c.declarePayees()
	c.declareWithdrawals()
	c.declareWorkList()
	c.declareTaxTables()
	c.declareTaxDrafts()
	c.declareTaxOpenings()
	c.declareAdjustments()
	c.declareDisputes()
	c.declarePeriods()
	c.declarePolicies()
	c.declareDryRun()
	c.declareDrafts()
	c.declareGrades()
	c.declareHostings()
	c.declareAfterSales()
	c.declareTasks()
	c.declareWork()
	c.declareExports()
	c.declareOperators()
	c.declareAudit()
}

// Handler serves everything under /console.
func (c *Console) Handler() http.Handler { return c.edge.Handler() }

// OpenAPI is the description of every operation, 3.1, as JSON.
func (c *Console) OpenAPI() ([]byte, error) { return c.edge.OpenAPI() }

// Operations lists what can be called, with permissions.
func (c *Console) Operations() []edge.Operation { return c.edge.Operations() }

// Tidy deletes recorded answers and sessions that are over, a bounded number per call.
func (c *Console) Tidy(ctx context.Context) (int, error) {
	answers, err := c.edge.Tidy(ctx)
	if err != nil {
		return answers, err
	}
	sessions, err := c.staff.PruneSessions(ctx)
	attempts, err2 := c.staff.PruneAttempts(ctx)
	return answers + sessions + attempts, errors.Join(err, err2)
}
