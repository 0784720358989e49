package outreach

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Deps is what a Service needs. Everything but Config is required.
type Deps struct {
	Store   *docstore.Store
	Clock   clock.Clock
	Members Members
	Sender  Sender
	Config  Config
}

// Service carries out the use cases of this domain. Its methods are safe for concurrent use, also by several processes on
// one store.
//
// Besides the faults each method lists, every method may return the store's errors (docstore.ErrUnavailable, ErrUnclear,
// ErrContended), wrapped.
type Service struct {
	deps   Deps
	config Config
	clock  clock.Clock

	credits *docstore.Collection[Credit]
	notices *docstore.Collection[Notice]

	sent   atomic.Int64
	failed atomic.Int64
	unsent [len(reasonOrder)]atomic.Int64
}

// New checks the dependencies and opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Members == nil || d.Sender == nil {
		return nil, errors.New("outreach: every dependency is required")
	}
	config, err := d.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{deps: d, config: config, clock: d.Clock}
	if err := s.open(ctx, d.Store); err != nil {
		return nil, fmt.Errorf("outreach: %w", err)
	}
	return s, nil
}

// Plan writes down that a member is to be told something; Tend sends it. The same topic and number again change nothing,
// and a topic that is off costs nothing. Error: ErrBadInput.
func (s *Service) Plan(ctx context.Context, t Told) error {
	template, on := s.config.Templates[t.Topic]
	if !on && t.Topic.subject() != nil {
		return nil
	}
	if err := t.check(); err != nil {
		return err
	}
	err := s.notices.Insert(ctx, t.notice(template, s.clock.Now()))
	if index, taken := docstore.ExistsIn(err); taken && index == "" {
		return nil
	}
	return wrap("plan notice", err)
}

// Mine lists what a member was told or should have been, newest first. Error: docstore.ErrPage.
func (s *Service) Mine(ctx context.Context, member string, p docstore.Paging) (docstore.Page[Notice], error) {
	page, err := s.notices.List(ctx, docstore.By(indexMember, member).Newest(), p)
	return page, wrap("list notices", err)
}

// Stats are counters since New.
type Stats struct {
	Sent   int64
	Failed int64 // tries that surely did not reach the platform
	Unsent map[Reason]int64
}

// Stats reads the counters.
func (s *Service) Stats() Stats {
	out := Stats{Sent: s.sent.Load(), Failed: s.failed.Load(), Unsent: map[Reason]int64{}}
	for i, r := range reasonOrder {
		out.Unsent[r] = s.unsent[i].Load()
	}
	return out
}

func (s *Service) count(n *Notice) {
	if n.State == Sent {
		s.sent.Add(1)
		return
	}
	for i, r := range reasonOrder {
		if r == n.Reason {
			s.unsent[i].Add(1)
		}
	}
}

// errUnchanged ends a change that finds its work done already: no write.
var errUnchanged = errors.New("outreach: nothing to change")

// change applies fn to the stored notice; mine tells whether this call made the change. Fn may run more than once.
func (s *Service) change(ctx context.Context, docID string, fn func(n *Notice, now time.Time) error) (now *Notice, mine bool, err error) {
	var seen *Notice
	n, err := s.notices.Update(ctx, docID, func(n *Notice) error {
		seen = n
		return fn(n, s.clock.Now())
	})
	switch {
	case err == nil:
		return n, true, nil
	case errors.Is(err, errUnchanged), errors.Is(err, errWrongState):
		return seen, false, nil // a refused draft is thrown away by the store: it is ours
	}
	return nil, false, err
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
