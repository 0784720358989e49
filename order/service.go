package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/order/authority"
)

// Service carries out the use cases of this domain. Its methods are safe for concurrent use.
//
// Besides the faults each method lists, every method may return the store's errors (docstore.ErrUnavailable,
// ErrUnclear, ErrContended), wrapped.
type Service struct {
	deps   Deps
	config Config
	clock  clock.Clock
	orders *docstore.Collection[Order]
	tabs   *docstore.Collection[Tab]
	gate   gate
	desks  *authority.Desks

	refundDays *docstore.Days
}

// Deps is what a Service needs. Everything is required.
type Deps struct {
	Store     *docstore.Store
	Clock     clock.Clock
	Campaigns Campaigns
	Stock     Stock
	Referrer  Referrer
	Members   Members
	Pickups   Pickups
	Hosts     Hosts
	Payments  Payments
	Config    Config
}

// Config are the tunable rules. Zero values mean the defaults.
type Config struct {
	// AppID and MchID are what every payment must name; empty = not checked.
	AppID, MchID string
	// Hold is how long a placed order may be paid: fixed and told when it is placed (Order.ExpiresAt), the same for
	// everybody, never shortened. Default 15 min, at most 24 h.
	Hold time.Duration
	// HoldGrace is how much longer stock and limits are held, so that closing at the platform comes first; at least
	// ClockSkew. Default 5 min.
	HoldGrace time.Duration
	// Terms bound what one member holds without having paid, from the newest account on. Default: at first 10 orders and
	// 60 units (5 and 40 of them in one campaign); after a day and one paid order 20 and 200 (10 and 100); after 30 days
	// and five paid orders 40 and 1,000 (20 and 500).
	Terms []Terms
	// AutoReceiveExpress and AutoReceiveOther: taken as received that long after shipping. Defaults 10 and 2
	// days, as the platform does it.
	AutoReceiveExpress, AutoReceiveOther time.Duration
	// AfterSale is the after-sale window counted from receipt. Default 7 days.
	AfterSale time.Duration
	// Refunds says how far a host's word reaches, and one operator's.
	Refunds authority.Policy
	// TickOrders bounds the orders one Tick looks at. Default 1,000.
	TickOrders int
	// Workers bounds the orders worked on side by side by Tick, ConfirmCampaign and RefundCampaign.
	// Default 4.
	Workers int
}

const day = 24 * time.Hour

// ClockSkew is how far the clocks of two processes may differ without anybody losing what was promised: nobody is told
// "too late", and nothing is closed, before the promised time has passed by so much on this process's clock.
const ClockSkew = 2 * time.Minute

func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.Hold, 15 * time.Minute},
		{&c.HoldGrace, 5 * time.Minute},
		{&c.AutoReceiveExpress, 10 * day},
		{&c.AutoReceiveOther, 2 * day},
		{&c.AfterSale, 7 * day},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
		if *d.value < 0 {
			return c, errors.New("order: durations must not be negative")
		}
	}
	if c.HoldGrace < ClockSkew {
		return c, errors.New("order: HoldGrace must be at least 2 min")
	}
	if len(c.Terms) == 0 {
		c.Terms = defaultTerms()
	}
	if err := checkTerms(c.Terms); err != nil {
		return c, err
	}
	if c.Hold > day {
		return c, errors.New("order: Hold must be at most 24 h")
	}
	if c.TickOrders == 0 {
		c.TickOrders = 1000
	}
	if c.Workers == 0 {
		c.Workers = 4
	}
	if c.TickOrders < 0 || c.Workers < 0 || c.Workers > 64 {
		return c, errors.New("order: TickOrders and Workers must be positive, Workers at most 64")
	}
	var err error
	c.Refunds, err = c.Refunds.WithDefaults()
	return c, err
}

// New checks the dependencies and opens the collection.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Campaigns == nil || d.Stock == nil || d.Referrer == nil ||
		d.Members == nil || d.Pickups == nil || d.Hosts == nil || d.Payments == nil {
		return nil, errors.New("order: every dependency is required")
	}
	config, err := d.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	orders, err := openOrders(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	tabs, err := docstore.Open[Tab](ctx, d.Store, docstore.Spec{Name: "tabs", ShardKey: "_id"})
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	days, err := docstore.OpenDays(ctx, d.Store, refundDays)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	s := &Service{deps: d, config: config, clock: d.Clock, orders: orders, tabs: tabs, refundDays: days}
	if s.desks, err = authority.OpenDesks(ctx, d.Store, d.Clock, config.Refunds, s.turnover); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	return s, nil
}

// Get loads an order for the brand's own eyes: it checks nobody. Errors: ErrNotFound.
func (s *Service) Get(ctx context.Context, order string) (*Order, error) {
	o, err := s.orders.Get(ctx, order)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get order: %w", err)
	}
	return o, nil
}

// GetMine loads a member's own order. Errors: ErrNotFound, also for somebody else's.
func (s *Service) GetMine(ctx context.Context, member, order string) (*Order, error) {
	o, err := s.Get(ctx, order)
	if err != nil {
		return nil, err
	}
	if o.Member != member {
		return nil, ErrNotFound
	}
	return o, nil
}

// GetHosted loads an order of a host's own campaign. Errors: ErrNotFound, also for somebody else's.
func (s *Service) GetHosted(ctx context.Context, host, order string) (*Order, error) {
	o, err := s.Get(ctx, order)
	if err != nil {
		return nil, err
	}
	if o.Host != host {
		return nil, ErrNotFound
	}
	return o, nil
}

// Page says which part of a list is wanted.
type Page struct {
	After string // Next of the page before; empty = the first
	Limit int    // default 20, at most 100
}

func (p Page) query(q docstore.Query) docstore.Query {
	if p.Limit <= 0 {
		p.Limit = 20
	}
	return q.Newest().First(min(p.Limit, 100)).Continue(p.After)
}

// Mine lists a member's orders, newest first. Errors: ErrBadInput for a damaged cursor.
func (s *Service) Mine(ctx context.Context, member string, page Page) (docstore.Page[Order], error) {
	return s.list(ctx, page.query(docstore.By(indexMember, member)))
}

// ByCampaign lists a campaign's orders grouped by state, newest first within each. It checks nobody.
// Errors: ErrBadInput for a damaged cursor.
func (s *Service) ByCampaign(ctx context.Context, campaign string, page Page) (docstore.Page[Order], error) {
	return s.list(ctx, page.query(docstore.By(indexCampaign, campaign)))
}

// WithIncidents lists orders that people should look at, newest incident first.
func (s *Service) WithIncidents(ctx context.Context, page Page) (docstore.Page[Order], error) {
	return s.list(ctx, page.query(docstore.By(indexIncident)))
}

func (s *Service) list(ctx context.Context, q docstore.Query) (docstore.Page[Order], error) {
	page, err := s.orders.Find(ctx, q)
	if errors.Is(err, docstore.ErrInvalid) {
		return page, ErrBadInput.With("page", "翻页标记无效 / the cursor is not valid").Because(err)
	}
	if err != nil {
		return page, fmt.Errorf("list orders: %w", err)
	}
	return page, nil
}

// errUnchanged ends a change that finds its work done already: no write.
var errUnchanged = errors.New("order: nothing to change")

// change applies fn to the stored order and plans its next look. Fn may run more than once; it returns
// errUnchanged when there is nothing to do.
func (s *Service) change(ctx context.Context, order string, fn func(o *Order, now time.Time) error) (*Order, error) {
	var seen *Order
	o, err := s.orders.Update(ctx, order, func(o *Order) error {
		seen = o
		was, stages, now := o.State, o.stages(), s.clock.Now()
		if err := fn(o, now); err != nil {
			return err
		}
		o.entered(was, stages, now)
		o.giveCode()
		o.plan(s.config.Refunds.Silence)
		return nil
	})
	switch {
	case err == nil:
		return o, nil
	case errors.Is(err, errUnchanged):
		return seen, nil // a refused draft is thrown away by the store: it is ours
	case errors.Is(err, docstore.ErrNotFound):
		return nil, ErrNotFound
	}
	return nil, err
}
