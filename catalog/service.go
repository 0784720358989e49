package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Deps is what the service is made of.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	IDs    id.Source
	Config Config
}

// Config holds the tunable values; a zero value means the default.
type Config struct {
	// Grace is how long a hold outlives its `until` before a sweep may give its units back. It must be longer
	// than an order may take to be closed at the payment platform. Default 10 min.
	Grace time.Duration
	// MaxHold is the longest hold anybody may ask for. Default 2 h.
	MaxHold time.Duration
	// BucketUnits is how many units one bucket should hold before stock is split further. Default 128.
	BucketUnits int64
	// MaxBuckets bounds the buckets of one SKU; beyond it buckets grow. Default 256: with claim.MaxOpen holds in each, a
	// SKU carries half a million unpaid orders at once; whoever comes on top is told that it is busy.
	MaxBuckets int
	// Freed, when set, hears that units of a SKU may have become free: goods came in, or a hold was given back. It
	// must not block.
	Freed func(ctx context.Context, sku string)
}

func (c Config) filled() Config {
	if c.Grace == 0 {
		c.Grace = 10 * time.Minute
	}
	if c.MaxHold == 0 {
		c.MaxHold = 2 * time.Hour
	}
	if c.BucketUnits == 0 {
		c.BucketUnits = 128
	}
	if c.MaxBuckets == 0 {
		c.MaxBuckets = 256
	}
	if c.Freed == nil {
		c.Freed = func(context.Context, string) {}
	}
	return c
}

// Service carries out the use cases of the catalog. Its methods are safe for concurrent use.
type Service struct {
	collections
	clock  clock.Clock
	ids    id.Source
	config Config
	hints  *hints
	looks  claim.Readings[*snapshot]
}

// New opens the collections and returns the service.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.IDs == nil {
		return nil, errors.New("catalog: store, clock and ids are required")
	}
	config := d.Config.filled()
	if config.Grace < 0 || config.MaxHold < 0 || config.BucketUnits < 1 || config.MaxBuckets < 1 || config.MaxBuckets > 256 {
		return nil, errors.New("catalog: grace, hold and bucket settings are out of range")
	}
	c, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return &Service{
		collections: c, clock: d.Clock, ids: d.IDs, config: config, hints: newHints(),
	}, nil
}
