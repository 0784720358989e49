package distribution

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
)

// Deps is what a Service works with. IDs may be nil.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	IDs    id.Source // not used today: every id here is derived
	Config Config
}

// Config tunes a Service; zero values take the defaults.
type Config struct {
	Policy        Policy        // in force before any published one. Default DefaultPolicy().
	PolicyLead    time.Duration // how far ahead a policy is published. Default 1 minute.
	PolicyHorizon time.Duration // how far ahead a policy may start. Default 366 days.
	PolicyRefresh time.Duration // how often policies are read again; at most half of PolicyLead. Default 10 s.
}

// Service is the distribution domain. Its methods are safe for concurrent use.
//
// Besides the faults named at each method, the store's own errors (docstore.ErrUnavailable, ErrUnclear,
// ErrContended) come through wrapped.
type Service struct {
	collections
	clock  clock.Clock
	config Config

	mu     sync.Mutex
	rules  rulebook
	readAt time.Time
}

// New opens the collections and reads the policies.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil {
		return nil, errors.New("distribution: store and clock are required")
	}
	c := d.Config
	if c.Policy == (Policy{}) {
		c.Policy = DefaultPolicy()
	}
	if c.PolicyLead == 0 {
		c.PolicyLead = time.Minute
	}
	if c.PolicyHorizon == 0 {
		c.PolicyHorizon = days(366)
	}
	if c.PolicyRefresh == 0 {
		c.PolicyRefresh = min(10*time.Second, c.PolicyLead/2)
	}
	if c.PolicyLead <= 0 || c.PolicyRefresh <= 0 || c.PolicyRefresh > c.PolicyLead/2 || c.PolicyHorizon <= c.PolicyLead {
		return nil, errors.New("distribution: policies must be read again at least twice in the time they are published ahead")
	}
	if err := c.Policy.check(); err != nil {
		return nil, fmt.Errorf("distribution: %w", err)
	}
	c.Policy.From = time.Time{}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("distribution: %w", err)
	}
	s := &Service{collections: opened, clock: d.Clock, config: c}
	if _, err := s.rulebook(ctx); err != nil {
		return nil, fmt.Errorf("distribution: %w", err)
	}
	return s, nil
}

// Paging asks for one page.
type Paging = docstore.Paging

func find[T any](ctx context.Context, from *docstore.Collection[T], q docstore.Query, p Paging) (docstore.Page[T], error) {
	page, err := from.List(ctx, q, p)
	switch {
	case errors.Is(err, docstore.ErrPage):
		return page, ErrPageInvalid.Because(err)
	case err != nil:
		return page, fmt.Errorf("distribution list: %w", err)
	}
	return page, nil
}

// asFault turns the store's "not found" into the domain's word for it.
func asFault(err error, missing *fault.Fault) error {
	if errors.Is(err, docstore.ErrNotFound) {
		return missing.Because(err)
	}
	return err
}
