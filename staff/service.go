package staff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
)

// Passwords hashes passwords slowly and compares in constant time. A hash carries its own parameters.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	// Matches fails with ErrTurns when too many wait for the same turn.
	Matches(ctx context.Context, turn Turn, hash, password string) (bool, error)
}

// Turn is whose passwords wait for one another: comparing is slow, and a crowd of guesses must not delay somebody who is
// known.
type Turn int

// The turns.
const (
	Trusted  Turn = iota // signed in, or at an address they have signed in from
	Stranger             // everybody else
)

// ErrTurns: too many passwords wait to be compared.
var ErrTurns = errors.New("staff: too many passwords wait to be compared")

// Deps is what a Service works with.
type Deps struct {
	Store     *docstore.Store
	Clock     clock.Clock
	IDs       id.Source
	Passwords Passwords
	Config    Config
}

// Config tunes a Service; zero values take the defaults.
type Config struct {
	SessionFor   time.Duration // life of a session. Default 12 h: a working day.
	MaxSessions  int           // sessions one operator may hold; the oldest give way. Default 5.
	Attempts     int           // wrong passwords at one strange address before the next has to wait. Default 5.
	WaitFrom     time.Duration // the first wait; every further failure doubles it. Default 1 s.
	WaitMost     time.Duration // the longest wait. Default 15 min.
	TemporaryFor time.Duration // life of an enrolment code. Default 24 h.
	// Cooling is how long two people, of whom one handed the other an enrolment code, decide nothing the other prepared.
	// Default 72 h.
	Cooling time.Duration
}

// Service is the staff domain. Its methods are safe for concurrent use.
//
// Besides the faults named at each method, the store's own errors (docstore.ErrUnavailable, ErrUnclear, ErrContended)
// come through wrapped.
type Service struct {
	collections
	keys      *docstore.KeyRing
	clock     clock.Clock
	ids       id.Source
	passwords Passwords
	config    Config
	nobody    string // a hash to compare with when there is no account, so that it takes as long
}

// New opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.IDs == nil || d.Passwords == nil {
		return nil, errors.New("staff: store, clock, ids and passwords are required")
	}
	c := d.Config.withDefaults()
	if c.SessionFor < time.Minute || c.SessionFor > 7*24*time.Hour || c.MaxSessions < 1 || c.MaxSessions > 100 ||
		c.Attempts < 1 || c.Attempts > 20 || c.WaitFrom < time.Millisecond || c.WaitMost < c.WaitFrom || c.WaitMost > time.Hour ||
		c.TemporaryFor < time.Minute || c.Cooling < 0 {
		return nil, errors.New("staff: session, wait, code or cooling settings out of range")
	}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	nobody, err := d.Passwords.Hash(ctx, rand.Text())
	if err != nil {
		return nil, fmt.Errorf("staff: hash: %w", err)
	}
	return &Service{
		collections: opened, keys: d.Store.Keys(), clock: d.Clock, ids: d.IDs, passwords: d.Passwords, config: c, nobody: nobody,
	}, nil
}

func (c Config) withDefaults() Config {
	if c.SessionFor == 0 {
		c.SessionFor = 12 * time.Hour
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 5
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{
		{&c.WaitFrom, time.Second}, {&c.WaitMost, 15 * time.Minute}, {&c.TemporaryFor, 24 * time.Hour}, {&c.Cooling, 72 * time.Hour},
	} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	return c
}

// asFault turns the store's "not found" into the domain's word for it and wraps the rest with the operation.
func asFault(operation string, err error, missing *fault.Fault) error {
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return missing.Because(err)
	case errors.Is(err, docstore.ErrPage):
		return ErrQuery.Because(err)
	}
	return fmt.Errorf("staff %s: %w", operation, err)
}
