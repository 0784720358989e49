package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Config tunes when policies take effect.
type Config struct {
	// Lead is how long before it takes effect a new policy must be published, so that every process knows it in time. The
	// first policy of all may take effect at any time.
	Lead time.Duration
	// Horizon is how far ahead a policy may take effect.
	Horizon time.Duration
	// Carried lists the roles the orders of a moment can name somebody in: a policy that pays others is not published,
	// because it would pay nobody.
	Carried func(ctx context.Context, at time.Time) ([]book.Role, error)
}

// Service keeps the policies. Its methods are safe for concurrent use, also by several processes on one store.
type Service struct {
	clock    clock.Clock
	config   Config
	versions *docstore.Collection[Policy]
	cache    cache
}

// New opens the collection.
func New(ctx context.Context, store *docstore.Store, c clock.Clock, config Config) (*Service, error) {
	if config.Lead < 0 || config.Horizon <= config.Lead || config.Carried == nil {
		return nil, errors.New("policy: lead, horizon or carried roles")
	}
	versions, err := docstore.Open[Policy](ctx, store, docstore.Spec{Name: "policies", Chained: true})
	if err != nil {
		return nil, err
	}
	return &Service{clock: c, config: config, versions: versions}, nil
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
