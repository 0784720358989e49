package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
)

// Deps is what a Service works with. Cache and IDs may be nil.
type Deps struct {
	Store    *docstore.Store
	Clock    clock.Clock
	IDs      id.Source // not used today: ids are derived and tokens are pure randomness
	Platform Platform
	Cache    SessionCache
	Config   Config
}

// Config tunes a Service; zero values take the defaults.
type Config struct {
	SessionFor  time.Duration // life of a session. Default 30 days.
	MaxSessions int           // sessions one member may hold; the oldest give way. Default 20.
	// CacheFor is how long an answer of the store about a session is believed, and so the longest a session
	// revoked in another process lives on in this one. Default 3 s. Negative: ask the store every time.
	CacheFor  time.Duration
	CacheSize int // answers kept in this process. Default 20,000 (about 8 MB when full).
}

// Service is the member domain. Its methods are safe for concurrent use.
//
// Besides the faults named at each method, the store's own errors (docstore.ErrUnavailable, ErrUnclear,
// ErrContended) come through wrapped.
type Service struct {
	collections
	keys     *docstore.KeyRing
	clock    clock.Clock
	platform Platform
	shared   SessionCache
	memory   *memory
	config   Config
}

// New opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Platform == nil {
		return nil, errors.New("member: store, clock and platform are required")
	}
	c := d.Config
	if c.SessionFor == 0 {
		c.SessionFor = 30 * 24 * time.Hour
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 20
	}
	if c.CacheFor == 0 {
		c.CacheFor = 3 * time.Second
	}
	if c.CacheSize == 0 {
		c.CacheSize = 20_000
	}
	if c.SessionFor < time.Minute || c.MaxSessions < 1 || c.MaxSessions > 1000 || c.CacheFor > time.Minute || c.CacheSize < 0 {
		return nil, errors.New("member: session life, session number or cache settings out of range")
	}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	return &Service{
		collections: opened, keys: d.Store.Keys(), clock: d.Clock, platform: d.Platform, shared: d.Cache,
		memory: newMemory(c.CacheSize), config: c,
	}, nil
}

// change updates a member. A refusal that belongs to somebody else's phone in the same combined write is tried
// again, because it says nothing about this change.
func (s *Service) change(ctx context.Context, member string, fn func(*Member) error) error {
	const tries = 3
	var err error
	for range tries {
		if _, err = s.members.Update(ctx, member, fn); !docstore.Exists(err) {
			return asFault(err, ErrNotFound)
		}
	}
	return err
}

// asFault turns the store's "not found" into the domain's word for it.
func asFault(err error, missing *fault.Fault) error {
	if errors.Is(err, docstore.ErrNotFound) {
		return missing.Because(err)
	}
	return err
}

// errUnchanged ends an update that has nothing to write. It spares the store the comparison.
var errUnchanged = errors.New("member: nothing to change")
