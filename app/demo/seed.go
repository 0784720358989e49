package demo

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/sqlite"
	"guanxi/platform/sandbox"
)

const (
	daysBack    = 40 // so that a month is over, and the first campaigns' commission was withdrawn since
	seedPatient = 5 * time.Minute
)

// seeder makes the sample data by the real use cases.
type seeder struct {
	app    *harness.Sandboxed
	clock  *clock.Manual
	real   clock.Clock
	now    time.Time // the real moment seeding began: the sample's present
	start  time.Time
	sample *sample
	draw   *rand.Rand // used while planning only: one drawing order, one result
	plan   timeline
	step   func(int) // progress

	products    map[string]string // "egg" → id
	skus        map[string]string // "egg/30" → id
	hosts       []*phone
	shoppers    []*phone
	communities map[string]*place
	campaigns   []*campaign

	office *office
	staff  map[string]string // login → operator
	months []string          // closed
	purses []*phone          // worth opening
	doubts map[string]string // what for → dispute
}

// phone is somebody's phone with the account behind it.
type phone struct {
	name, nickname, words string
	host                  bool
	home                  *place // of a shopper
	member                string
}

// place is a community.
type place struct {
	code, name string
	host       *phone
	id         string
	points     []string
	people     []*phone // shoppers who belong to it
	shares     map[*phone]string
}

// seeding says what seed works on.
type seeding struct {
	folder   *folder
	secrets  *secrets
	log      *slog.Logger
	clock    clock.Clock // tells when seeding begins and ends
	progress func(total int) (step func(int), finish func())
}

// seed fills an empty folder and returns what the page has to know. It leaves the folder marked as half seeded: the
// caller marks it ready.
func seed(ctx context.Context, in seeding) (w *World, err error) {
	ctx, cancel := context.WithTimeout(ctx, seedPatient)
	defer cancel()
	s := &seeder{
		real: in.clock, now: in.clock.Now(), start: midnight(in.clock.Now()).AddDate(0, 0, -daysBack).Add(13 * time.Hour), draw: rand.New(rand.NewPCG(20, 5)),
		products: map[string]string{}, skus: map[string]string{}, communities: map[string]*place{},
		staff: map[string]string{}, doubts: map[string]string{},
	}
	s.clock = clock.NewManual(s.start)
	if s.sample, err = loadSample(); err != nil {
		return nil, err
	}
	s.people()
	if err := s.planCampaigns(); err != nil {
		return nil, err
	}
	s.planMoney()
	step, finish := in.progress(len(s.sample.goods) + len(s.shoppers) + len(s.plan.moments))
	defer finish()
	s.step = step
	store, err := openStore(ctx, in.folder, in.secrets, s.clock)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	keep := &keeper{folder: in.folder, log: in.log}
	s.app, err = harness.Open(ctx, harness.Config{
		Store: store, Log: in.log, Clock: s.clock, Sandbox: platform(in.secrets), Prepare: keep.load,
		Tune: func(c *app.Config) {
			tune(c, in.folder, in.secrets, clock.Day(s.start))
			c.Pace = app.Pace{
				Campaigns: -1, Orders: -1, Stock: -1, Settle: -1, Payouts: -1, Notices: -1, Office: -1, Bills: -1, Tidy: -1,
			}
			c.Reconcile.Runs = maxBills
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.app.Stop(context.WithoutCancel(ctx))) }()
	if err := s.app.Start(ctx); err != nil {
		return nil, err
	}
	if err := s.live(ctx); err != nil {
		return nil, err
	}
	w, err = s.world(ctx)
	return w, errors.Join(err, keep.save())
}

// maxBills is how many bills of the days are matched in one round at the end of seeding.
const maxBills = 100

// tune is what the demo configures otherwise than `guanxi serve`; the rules of money are the product's own.
func tune(c *app.Config, f *folder, keys *secrets, since string) {
	c.StandAlone()
	c.Commission.Key = ed25519.NewKeyFromSeed(keys.Ledger)
	c.Commission.Anchor = func(line string) {
		if err := f.anchor(line); err != nil {
			c.Log.Error("anchor", "error", err.Error())
		}
	}
	c.Reconcile.Since = since
	c.Outreach = noticeTemplates()
}

// platform is the sandbox's configuration.
func platform(keys *secrets) sandbox.Config {
	return sandbox.Config{Keys: keys.Platform, BillsAtOnce: true}
}

func openStore(ctx context.Context, f *folder, keys *secrets, c clock.Clock) (*docstore.Store, error) {
	ring, err := keys.ring()
	if err != nil {
		return nil, err
	}
	driver, err := sqlite.Open(ctx, sqlite.Options{Dir: f.dir})
	if err != nil {
		return nil, err
	}
	return docstore.New(docstore.Config{Driver: driver, Clock: c, Keys: ring})
}

// live carries out the plan.
func (s *seeder) live(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{s.openOffice, s.brand, s.openHosts, s.joinShoppers, s.rest} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	if err := s.plan.run(ctx, s.clock, s.now, s.rest, s.step); err != nil {
		return err
	}
	s.clock.Set(s.real.Now())
	if err := s.rest(ctx); err != nil {
		return err
	}
	for range maxRounds { // a fund bill waits for the trade bills round it
		worked, err := s.app.Reconcile.Tend(ctx)
		if err != nil {
			return fmt.Errorf("demo: seed: bills: %w", err)
		}
		if worked == 0 {
			break
		}
	}
	parked, err := s.app.Relay.Parked(ctx, 10)
	if err != nil {
		return err
	}
	if len(parked) > 0 {
		return fmt.Errorf("demo: seed: event %s of %s was refused too often: %s", parked[0].Name, parked[0].Source, parked[0].Error)
	}
	return nil
}

const maxRounds = 100 // of letting things come to rest

// rest lets everything come to rest: notifications delivered, events taken, time-driven moves made, purses caught up.
func (s *seeder) rest(ctx context.Context) error {
	for range maxRounds {
		if err := s.app.Sandbox.Drain(ctx); err != nil {
			return fmt.Errorf("demo: seed: notifications: %w", err)
		}
		if err := s.app.Relay.Drain(ctx); err != nil {
			return fmt.Errorf("demo: seed: events: %w", err)
		}
		moved := 0
		for _, tick := range []func(context.Context) (int, error){
			s.app.Campaigns.Tick, s.app.Orders.Tick, s.app.Catalog.Lapse, s.app.Commission.SettleDue,
			s.app.Withdrawals.Tend,
		} {
			n, err := tick(ctx)
			if err != nil {
				return fmt.Errorf("demo: seed: %w", err)
			}
			moved += n
		}
		if moved == 0 {
			return errors.Join(s.app.Commission.CatchUp(ctx), s.app.Commission.Tend(ctx))
		}
	}
	return errors.New("demo: seed: things do not come to rest")
}
