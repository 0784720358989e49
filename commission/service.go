package commission

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/commission/internal/lane"
	"guanxi/commission/policy"
	"guanxi/commission/voucher"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/lease"
)

// Deps is what commission needs. All fields but Config and Leases are required.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	IDs    id.Source
	Config Config
	// Leases lets one of several processes seal. Optional: without, every process that runs Run seals, which is as right
	// and slower.
	Leases *lease.Keeper
}

// Config tunes the ledger; the zero value is the default.
type Config struct {
	// Book is the name of the business book entries are posted to: [a-z0-9-], at most 20. Default "main".
	Book string
	// Window is for goods of every category that has none of its own. Default: both 7 days.
	Window Window
	// Categories has shorter or longer windows by category, e.g. fresh food.
	Categories map[string]Window
	// PolicyLead is how long before it takes effect a new policy must be published, so that every process knows
	// it in time. The first policy of all may take effect at any time. Default 1 minute.
	PolicyLead time.Duration
	// PolicyHorizon is how far ahead a policy may take effect. Default 366 days.
	PolicyHorizon time.Duration
	// Carried lists the roles the orders of a moment can name somebody in: a policy that pays others is not published,
	// because it would pay nobody. Default: direct, upline, host and pickup.
	Carried func(ctx context.Context, at time.Time) ([]Role, error)
	// SealEvery is how long the sealer waits for more entries before it seals. Default 200 ms.
	SealEvery time.Duration
	// SealBatch is the most entries one seal takes. Default and maximum 16384.
	SealBatch int
	// Alone says that no other process posts to this store (the embedded one): the sealer then takes what it has
	// just posted from memory instead of reading it again. Were it not true, entries of others would wait for a
	// second.
	Alone bool
	// SettlePage is how many due settlements one step takes. Default and maximum 500.
	SettlePage int
	// SettleWorkers is how many pages one call of SettleDue works on side by side. Default 2, maximum 4.
	SettleWorkers int
	// Vouchers bounds what people post by hand.
	Vouchers voucher.Limits
	// Key signs checkpoints of the chain; without one there are none.
	Key ed25519.PrivateKey
	// CheckpointEvery is how often Tend signs a checkpoint. Default 1 hour.
	CheckpointEvery time.Duration
	// Anchor is told the line of every new checkpoint, to keep it where who can write the store cannot. Optional.
	Anchor func(line string)
	// Facts gives the head of the chain of facts, which checkpoints sign together with the book. Optional.
	Facts func(ctx context.Context) (number int64, hash []byte, err error)
}

// Window says when commission on a kind of goods may be withdrawn, counted from receipt.
type Window struct {
	AfterSale time.Duration // how long the buyer may ask for after-sale
	Settle    time.Duration // when the commission becomes available; never shorter than AfterSale
}

// Service is the commission ledger. Its methods are safe for concurrent use, also by several processes on one store.
type Service struct {
	Policies *policy.Service // the rules, and who publishes them

	clock  clock.Clock
	ids    id.Source
	config Config

	book        *book.Store
	settlements *docstore.Collection[Settlement]
	rounds      *docstore.Collection[settleRound]
	vouchers    *docstore.Collection[Voucher]
	desk        *voucher.Desk
	disputes    *docstore.Collection[Dispute]
	periods     *docstore.Collection[Period]
	statements  *docstore.Collection[PeriodStatement]

	lane     *lane.Poster
	lease    *lease.Lease // nil: nobody else seals, or it does not matter
	sealer   sealer
	settling settling
	// nextCheckpoint is when the newest checkpoint may be too old, in nanoseconds.
	nextCheckpoint atomic.Int64
	hook           func(step string) error // tests stop the work at a named step; nil otherwise
}

// New opens the collections and checks the configuration.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.IDs == nil {
		return nil, errors.New("commission: store, clock and ids are required")
	}
	if err := d.Config.complete(); err != nil {
		return nil, err
	}
	s := &Service{clock: d.Clock, ids: d.IDs, config: d.Config, lane: lane.NewPoster()}
	if d.Leases != nil {
		s.lease = d.Leases.Seek("sealer/" + s.config.Book)
	}
	s.sealer.posted = make(chan struct{}, 1)
	s.settling.slots = make(chan struct{}, maxSettling)
	if err := s.open(ctx, d.Store); err != nil {
		return nil, fmt.Errorf("commission: %w", err)
	}
	return s, nil
}

const day = 24 * time.Hour

func (c *Config) complete() error {
	orDefault(&c.Book, "main")
	orDefault(&c.Window, Window{7 * day, 7 * day})
	orDefault(&c.PolicyLead, time.Minute)
	orDefault(&c.PolicyHorizon, 366*day)
	if c.Carried == nil {
		c.Carried = func(context.Context, time.Time) ([]Role, error) { return []Role{Direct, Upline, Host, Pickup}, nil }
	}
	orDefault(&c.SealEvery, 200*time.Millisecond)
	orDefault(&c.SealBatch, book.MaxSealBatch)
	orDefault(&c.SettlePage, 500)
	orDefault(&c.SettleWorkers, 2)
	orDefault(&c.CheckpointEvery, time.Hour)
	if err := c.Vouchers.Complete(); err != nil {
		return fmt.Errorf("commission: config: %w", err)
	}
	switch {
	case !book.Named(c.Book) || len(c.Book) > 20:
		return errors.New("commission: config: book")
	case c.SealBatch < 1 || c.SealBatch > book.MaxSealBatch || c.SealEvery < 0:
		return errors.New("commission: config: sealing")
	case c.SettleWorkers < 1 || c.SettleWorkers > maxSettling:
		return errors.New("commission: config: settle workers")
	case c.SettlePage < 1 || c.SettlePage > 500:
		return errors.New("commission: config: settle page")
	case len(c.Key) != 0 && len(c.Key) != ed25519.PrivateKeySize || c.CheckpointEvery < 0:
		return errors.New("commission: config: checkpoints")
	case !c.Window.valid():
		return errors.New("commission: config: the window is shorter than the after-sale window")
	}
	for category, w := range c.Categories {
		if !w.valid() {
			return fmt.Errorf("commission: config: the window of category %q is shorter than its after-sale window", category)
		}
	}
	return nil
}

func (w Window) valid() bool {
	return w.AfterSale >= 0 && w.Settle >= w.AfterSale && w.Settle <= 366*day
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// window is how long after receipt a category's commission waits.
func (c *Config) window(category string) time.Duration {
	if w, ok := c.Categories[category]; ok {
		return w.Settle
	}
	return c.Window.Settle
}

func (s *Service) step(name string) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(name)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
