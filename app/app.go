// Package app is the program as a struct: it joins stores, adapters, domains, flow and edge, and runs the loops
// that move things when time passes. cmd/guanxi, the demo, the bench and the end-to-end tests all use it, so that
// what is tested is what runs.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/console"
	"guanxi/distribution"
	"guanxi/flow"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/event"
	"guanxi/internal/id"
	"guanxi/internal/lease"
	"guanxi/internal/notary"
	"guanxi/internal/redisx"
	"guanxi/member"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
	"guanxi/staff"
	"guanxi/staff/task"
)

// Config is everything the program stands on. Store, Clock, Log and the platform adapters are required.
type Config struct {
	Store *docstore.Store
	Clock clock.Clock
	IDs   id.Source // default id.Random
	Log   *slog.Logger

	Platform      member.Platform
	Payments      order.Payments
	Rail          withdrawal.Rail
	Shares        sharing.Shares
	Bills         reconcile.Bills
	Notifications miniprogramapi.Notifications
	Shipping      flow.Shipping
	Messages      outreach.Sender
	Codes         miniprogramapi.CodeImages

	Sessions member.SessionCache    // optional
	Limiter  miniprogramapi.Limiter // optional
	Gate     *redisx.Gate           // optional: answers "sold out" without asking the store every time
	Metrics  *prometheus.Registry   // optional
	Nudges   Nudges                 // optional: where several processes share a Redis

	Orders       order.Config
	Catalog      catalog.Config
	Commission   commission.Config
	Withdrawal   withdrawal.Config
	Sharing      sharing.Config // On together with the payment adapter's
	Outreach     outreach.Config
	Reconcile    reconcile.Config
	Staff        staff.Config
	Passwords    console.Cost
	Wallet       miniprogramapi.Wallet
	Distribution distribution.Config
	Member       member.Config

	TrustProxy   bool
	ConsoleApart bool              // Handler leaves the console out: it is served on an address of its own
	Relay        event.RelayConfig // Store, Clock, Consumers and Log are filled in
	Listeners    []event.Consumer  // stand after the flow's own consumers of the same event; for measuring
	Pace         Pace
}

// App is the joined program.
type App struct {
	Store        *docstore.Store
	Leases       *lease.Keeper // what only one of several processes does
	Members      *member.Service
	Communities  *community.Service
	Hosting      *hosting.Service
	Catalog      *catalog.Service
	Campaigns    *groupbuy.Service
	Orders       *order.Service
	Distribution *distribution.Service
	Commission   *commission.Service
	Taxes        *tax.Book
	Withdrawals  *withdrawal.Service
	Sharings     *sharing.Service
	Outreach     *outreach.Service
	Reconcile    *reconcile.Service
	Staff        *staff.Service
	Tasks        *task.Service
	Console      *console.Console
	Relay        *event.Relay
	Notary       *notary.Notary
	API          *miniprogramapi.API

	apart bool // the console has an address of its own
	gate  *gate
	clock clock.Clock
	log   *slog.Logger
	pace  Pace
	stop  context.CancelFunc
	loops sync.WaitGroup

	alone   bool // no other process uses the store
	nudges  Nudges
	hearing sync.Mutex
	ears    map[string][]chan struct{} // who listens, by collection
	wakes   map[string]chan struct{}   // loops by name
	owned   map[string]*lease.Lease    // by loop, where there are several processes
}

// New joins the program. Nothing moves before Start.
func New(ctx context.Context, c Config) (*App, error) {
	if c.Store == nil || c.Clock == nil || c.Log == nil {
		return nil, errors.New("app: store, clock and log are required")
	}
	if c.IDs == nil {
		c.IDs = id.Random{}
	}
	a := &App{
		Store: c.Store, clock: c.Clock, log: c.Log, pace: c.Pace.withDefaults(), nudges: c.Nudges, apart: c.ConsoleApart,
		alone: c.Commission.Alone, wakes: map[string]chan struct{}{}, owned: map[string]*lease.Lease{},
	}
	var err error
	if a.Leases, err = lease.Open(ctx, lease.Config{Store: c.Store, Died: a.bereaved}); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	if a.Notary, err = notary.New(ctx, c.Store, c.Clock); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	c.Commission.Facts = func(ctx context.Context) (int64, []byte, error) {
		head, err := a.Notary.Head(ctx)
		return head.Number, head.Hash, err
	}
	for _, step := range []func(context.Context, Config) error{a.joinPeople, a.joinGoods, a.joinMoney, a.joinSharing, a.joinOutreach, a.joinOffice, a.joinTasks, a.joinEdge} {
		if err := step(ctx, c); err != nil {
			return nil, fmt.Errorf("app: %w", err)
		}
	}
	if c.Metrics != nil {
		if err := errors.Join(c.Metrics.Register(newGauges(a)), c.Metrics.Register(newUnreadableGauge(a.Store)), c.Metrics.Register(newNoticeGauges(a.Outreach)), c.Metrics.Register(newTaskGauges(a))); err != nil {
			return nil, fmt.Errorf("app: %w", err)
		}
	}
	return a, nil
}

func (a *App) joinPeople(ctx context.Context, c Config) (err error) {
	a.Members, err = member.New(ctx, member.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Platform: c.Platform, Cache: c.Sessions, Config: c.Member,
	})
	if err != nil {
		return err
	}
	a.Distribution, err = distribution.New(ctx, distribution.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Config: c.Distribution,
	})
	return err
}

func (a *App) joinGoods(ctx context.Context, c Config) (err error) {
	if c.Gate != nil {
		a.gate = &gate{gate: c.Gate}
		c.Catalog.Freed = a.gate.reopen
	}
	a.Catalog, err = catalog.New(ctx, catalog.Deps{Store: c.Store, Clock: c.Clock, IDs: c.IDs, Config: c.Catalog})
	if err != nil {
		return err
	}
	if a.gate != nil {
		a.gate.catalog = a.Catalog
	}
	if a.Hosting, err = hosting.New(ctx, hosting.Deps{Store: c.Store, Clock: c.Clock}); err != nil {
		return err
	}
	a.Communities, err = community.New(ctx, community.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Products: products{a.Catalog}, Hosting: a.Hosting,
	})
	if err != nil {
		return err
	}
	if err := a.Hosting.CarryOver(ctx, a.Communities.Hosts); err != nil { // before anybody is refused for lack of a standing
		return err
	}
	a.Campaigns, err = groupbuy.New(ctx, groupbuy.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Goods: goods{a.Catalog}, Communities: villages{a.Communities, a.Hosting},
	})
	return err
}

func (a *App) joinMoney(ctx context.Context, c Config) (err error) {
	var entry order.Campaigns = campaigns{a.Campaigns}
	var goods order.Stock = stock{a.Catalog}
	if a.gate != nil {
		entry, goods = gatedCampaigns{campaigns{a.Campaigns}, a.gate}, gatedStock{goods, a.gate}
	}
	a.Orders, err = order.New(ctx, order.Deps{
		Store: c.Store, Clock: c.Clock, Campaigns: entry, Stock: goods,
		Referrer: referrer{a.Distribution}, Members: a.Members, Pickups: places{a.Communities}, Hosts: a.Hosting, Payments: c.Payments,
		Config: c.Orders,
	})
	if err != nil {
		return err
	}
	c.Commission.Carried = a.carried
	ledger := commission.Deps{Store: c.Store, Clock: c.Clock, IDs: c.IDs, Config: c.Commission}
	if !c.Commission.Alone {
		ledger.Leases = a.Leases
	}
	a.Commission, err = commission.New(ctx, ledger)
	if err != nil {
		return err
	}
	if a.Taxes, err = tax.OpenBook(ctx, c.Store, c.Clock); err != nil {
		return err
	}
	if c.Commission.PolicyHorizon > 0 {
		a.Taxes.Horizon = c.Commission.PolicyHorizon
	}
	a.Withdrawals, err = withdrawal.New(ctx, withdrawal.Deps{
		Store: c.Store, Clock: c.Clock, Ledger: a.Commission, Rail: c.Rail, Payees: payees{a.Members}, Taxes: a.Taxes,
		Config: c.Withdrawal,
	})
	return err
}

// carried lists the roles an order placed at a moment names somebody in. Nobody helps to sell yet, and no order knows the
// person of staff who looks after its buyer; there is an upline only where the bond policy of that moment names one.
func (a *App) carried(ctx context.Context, at time.Time) ([]commission.Role, error) {
	roles := []commission.Role{commission.Direct, commission.Host, commission.Pickup}
	bonds, err := a.Distribution.PolicyAt(ctx, at)
	if err == nil && bonds.SecondLevel {
		roles = append(roles, commission.Upline)
	}
	return roles, err
}

// joinOffice joins what the brand's staff works with.
func (a *App) joinOffice(ctx context.Context, c Config) (err error) {
	a.Reconcile, err = reconcile.New(ctx, reconcile.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Bills: c.Bills, Ours: ours{a.Orders, a.Withdrawals, a.Sharings.Archive()}, Config: c.Reconcile,
	})
	if err != nil {
		return err
	}
	passwords, err := console.NewArgon(c.Passwords)
	if err != nil {
		return err
	}
	a.Staff, err = staff.New(ctx, staff.Deps{
		Store: c.Store, Clock: c.Clock, IDs: c.IDs, Passwords: passwords, Config: c.Staff,
	})
	return err
}

func (a *App) joinEdge(ctx context.Context, c Config) (err error) {
	relay := c.Relay
	relay.Store, relay.Clock, relay.Log = c.Store, c.Clock, c.Log
	if _, real := c.Clock.(clock.System); real && relay.RestEvery == 0 {
		relay.RestEvery = a.pace.Rest
	}
	relay.Consumers = flow.Table(flow.Deps{
		Members: a.Members, Communities: a.Communities, Catalog: a.Catalog, Campaigns: a.Campaigns, Orders: a.Orders,
		Distribution: a.Distribution, Commission: a.Commission, Sharings: a.Sharings, Outreach: a.Outreach, Shipping: c.Shipping,
		Tasks: a.Tasks, Bills: a.Reconcile,
	})
	relay.Consumers = append(relay.Consumers, c.Listeners...)
	if a.Relay, err = event.NewRelay(ctx, relay); err != nil {
		return err
	}
	var metrics prometheus.Registerer
	if c.Metrics != nil {
		metrics = c.Metrics
	}
	a.API, err = miniprogramapi.New(ctx, miniprogramapi.Deps{
		Store: c.Store, Clock: c.Clock, Log: c.Log, Members: a.Members, Communities: a.Communities, Hosting: a.Hosting, Catalog: a.Catalog,
		Campaigns: a.Campaigns, Orders: a.Orders, Distribution: a.Distribution, Commission: a.Commission,
		Withdrawals: a.Withdrawals, Outreach: a.Outreach, Wallet: c.Wallet, Notifications: c.Notifications, Codes: c.Codes, Limiter: c.Limiter, Metrics: metrics, TrustProxy: c.TrustProxy,
	})
	if err != nil {
		return err
	}
	a.Console, err = console.New(ctx, console.Deps{
		Store: c.Store, Clock: c.Clock, Log: c.Log, Staff: a.Staff, Ledger: a.Commission, Payouts: a.Withdrawals,
		Reconcile: a.Reconcile, Tasks: a.Tasks, Taxes: a.Taxes, Members: a.Members, Hosts: a.Communities, Links: a.Staff, Hosting: a.Hosting,
		Orders: a.Orders, Goods: a.Catalog, Communities: a.Communities, Bonds: a.Distribution,
		Relations: relations{a.Communities, a.Withdrawals}, Limiter: c.Limiter, Metrics: metrics, TrustProxy: c.TrustProxy,
	})
	return err
}

// Handler serves both edges: the console's under /console/, unless it has an address of its own, the mini-program's
// everywhere else.
func (a *App) Handler() http.Handler {
	api, console := a.API.Handler(), a.Console.Handler()
	if a.apart {
		return api
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/console/") {
			console.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// Log is the program's log.
func (a *App) Log() *slog.Logger { return a.log }
