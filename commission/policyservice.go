package commission

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// policyConfig tunes when policies take effect.
type policyConfig struct {
	// Lead is how long before it takes effect a new policy must be published, so that every process knows it in time. The
	// first policy of all may take effect at any time.
	Lead time.Duration
	// Horizon is how far ahead a policy may take effect.
	Horizon time.Duration
	// Carried lists the roles the orders of a moment can name somebody in: a policy that pays others is not published,
	// because it would pay nobody.
	Carried func(ctx context.Context, at time.Time) ([]Role, error)
}

// policyService keeps the policies. Its methods are safe for concurrent use, also by several processes on one store.
type policyService struct {
	clock    clock.Clock
	config   policyConfig
	versions *docstore.Collection[Policy]
	cache    policyCache
}

// newPolicies opens the collection.
func newPolicies(ctx context.Context, store *docstore.Store, c clock.Clock, config policyConfig) (*policyService, error) {
	if config.Lead < 0 || config.Horizon <= config.Lead || config.Carried == nil {
		return nil, errors.New("policy: lead, horizon or carried roles")
	}
	versions, err := docstore.Open[Policy](ctx, store, docstore.Spec{Name: "policies", Chained: true})
	if err != nil {
		return nil, err
	}
	return &policyService{clock: c, config: config, versions: versions}, nil
}
