package groupbuy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Goods tells what is sold (catalog). Unknown SKUs are absent from the answer.
type Goods interface {
	SKUs(ctx context.Context, ids []string) (map[string]Good, error)
}

// Good is one variant as a campaign needs it.
type Good struct {
	SKU, Product, Name, Category string
	Price, Cost                  money.Fen
	Floor                        money.Fen // the lowest price a host may ask
	Off                          bool      // not on sale: may stand in a draft, cannot be published
}

// Communities knows who hosts what (community). A refusal is a fault; other errors mean that it could not be asked.
type Communities interface {
	RequireHost(ctx context.Context, community, member string) error
	// PickupPoints lists the open pickup points of a community.
	PickupPoints(ctx context.Context, community string) ([]string, error)
	// MayStart answers nil when the brand lets the member begin a campaign, MayRun when one that runs may be closed or
	// called off. Their faults pass through.
	MayStart(ctx context.Context, member string) error
	MayRun(ctx context.Context, member string) error
}

// Deps is what the service is made of.
type Deps struct {
	Store       *docstore.Store
	Clock       clock.Clock
	IDs         id.Source
	Goods       Goods
	Communities Communities
	Config      Config
}

// Config holds the tunable values; a zero value means the default.
type Config struct {
	// Grace is how long a claim of an unpaid order counts after its `until`: as long as it may take to learn
	// whether the order was paid in the last second. Default 10 min.
	Grace time.Duration
	// MaxHold is the longest claim an order may make. Default 2 h.
	MaxHold time.Duration
	// Memory is how long this process may answer Admit from the campaign it read before; 1 s at most, which is
	// the default. See cache.go why that is safe.
	Memory time.Duration
}

// Service carries out the use cases of group buys. Its methods are safe for concurrent use, and several processes
// may serve one store.
type Service struct {
	collections
	clock       clock.Clock
	goods       Goods
	communities Communities
	config      Config
	known       *known
	looks       claim.Readings[allotted]
	shared      claim.Readings[map[string]int64]
	shown       *recent[map[string]int64]
	numbers     *numbering
}

// New opens the collections and returns the service.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Goods == nil || d.Communities == nil {
		return nil, errors.New("groupbuy: store, clock, goods and communities are required")
	}
	c := d.Config
	if c.Grace == 0 {
		c.Grace = 10 * time.Minute
	}
	if c.MaxHold == 0 {
		c.MaxHold = 2 * time.Hour
	}
	if c.Memory == 0 {
		c.Memory = time.Second
	}
	if c.Grace < 0 || c.MaxHold < 0 || c.Memory < 0 || c.Memory > time.Second {
		return nil, errors.New("groupbuy: grace, hold or memory is out of range")
	}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("groupbuy: %w", err)
	}
	return &Service{
		collections: opened, clock: d.Clock, goods: d.Goods, communities: d.Communities, config: c,
		known: newRecent[*Campaign](c.Memory), shown: newRecent[map[string]int64](time.Second), numbers: newNumbering(),
	}, nil
}

// wrap names the operation, once.
func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
