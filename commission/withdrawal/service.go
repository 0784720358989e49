package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Payees tells what other domains know of a member.
type Payees interface {
	// OpenID is the wallet. A fault means that there is none.
	OpenID(ctx context.Context, member string) (string, error)
	MemberSince(ctx context.Context, member string) (time.Time, error)
}

// Taxes is the book of tax tables; *tax.Book satisfies it.
type Taxes interface {
	At(ctx context.Context, at time.Time) (*tax.Table, error)
	Table(ctx context.Context, number int) (*tax.Table, error)
}

// Deps is what a Service needs. Everything but Others and Config is required.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	Ledger Ledger
	Rail   Rail
	Others map[string]Rail // further rails by name; see Config.Rail
	Payees Payees
	Taxes  Taxes
	Config Config
}

// Service carries out the use cases of this domain. Its methods are safe for concurrent use, also by several processes
// on one store.
//
// Besides the faults each method lists, every method may return the store's errors (docstore.ErrUnavailable,
// ErrUnclear, ErrContended), wrapped.
type Service struct {
	deps   Deps
	config Config
	clock  clock.Clock
	keys   *docstore.KeyRing

	withdrawals *docstore.Collection[Withdrawal]
	desks       *docstore.Collection[desk]
	payees      *docstore.Collection[Payee]
	identities  *docstore.Collection[identity]
	years       *docstore.Collection[taxyear.Year]
}

// New checks the dependencies and opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Ledger == nil || d.Rail == nil || d.Payees == nil || d.Taxes == nil {
		return nil, errors.New("withdrawal: every dependency is required")
	}
	config, err := d.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	if config.Rail != "" && d.Others[config.Rail] == nil {
		return nil, errors.New("withdrawal: config: there is no rail of that name")
	}
	s := &Service{deps: d, config: config, clock: d.Clock, keys: d.Store.Keys()}
	if err := s.open(ctx, d.Store); err != nil {
		return nil, fmt.Errorf("withdrawal: %w", err)
	}
	return s, nil
}

// rail is the one a withdrawal was sent on.
func (s *Service) rail(w *Withdrawal) (Rail, error) {
	if w.Rail == "" {
		return s.deps.Rail, nil
	}
	if r := s.deps.Others[w.Rail]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("withdrawal %s: its rail is not configured any more", w.ID)
}

// Get loads a withdrawal for the brand's own eyes: it checks nobody. Error: ErrNotFound.
func (s *Service) Get(ctx context.Context, number string) (*Withdrawal, error) {
	return s.Archive().Get(ctx, number)
}

// Archive reads what the service writes.
func (s *Service) Archive() *Archive { return &Archive{s.withdrawals, s.years} }

// GetMine loads a member's own. Error: ErrNotFound, also for somebody else's.
func (s *Service) GetMine(ctx context.Context, member, number string) (*Withdrawal, error) {
	w, err := s.Get(ctx, number)
	if err != nil {
		return nil, err
	}
	if w.Member != member {
		return nil, ErrNotFound
	}
	return w, nil
}

// Mine lists a member's withdrawals, newest first. Error: docstore.ErrPage.
func (s *Service) Mine(ctx context.Context, member string, p docstore.Paging) (docstore.Page[Withdrawal], error) {
	page, err := s.withdrawals.List(ctx, docstore.By(indexMember, member).Newest(), p)
	return page, wrap("list withdrawals", err)
}

// ByState lists withdrawals in one state, oldest first: what waits longest comes first. Errors: ErrBadInput for an unknown
// state, docstore.ErrPage.
func (s *Service) ByState(ctx context.Context, in State, p docstore.Paging) (docstore.Page[Withdrawal], error) {
	known := false
	for _, state := range States() {
		known = known || state == in
	}
	if !known {
		return docstore.Page[Withdrawal]{}, ErrBadInput.With("state", "未知状态 / unknown state")
	}
	page, err := s.withdrawals.List(ctx, docstore.By(indexState, string(in)), p)
	return page, wrap("list withdrawals", err)
}

// CountState counts withdrawals in one state, up to limit: how long staff's queue is.
func (s *Service) CountState(ctx context.Context, in State, limit int) (int, error) {
	n, err := s.withdrawals.Count(ctx, docstore.By(indexState, string(in)), limit)
	return n, wrap("count withdrawals", err)
}

// WithIncidents lists withdrawals that people should look at, newest incident first. Error: docstore.ErrPage.
func (s *Service) WithIncidents(ctx context.Context, p docstore.Paging) (docstore.Page[Withdrawal], error) {
	page, err := s.withdrawals.List(ctx, docstore.By(indexIncident).Newest(), p)
	return page, wrap("list withdrawals", err)
}

// Each walks all withdrawals in the order of their numbers, for verification.
func (s *Service) Each(ctx context.Context, visit func(*Withdrawal) error) error {
	return s.Archive().Each(ctx, visit)
}

// EndedBetween gives the withdrawals whose final word is of [from, to).
func (s *Service) EndedBetween(ctx context.Context, from, to time.Time, visit func(*Withdrawal) error) error {
	return wrap("walk ended", s.withdrawals.Each(ctx, docstore.By(indexEnded).Between(from, to), visit))
}

// errUnchanged ends a change that finds its work done already: no write.
var errUnchanged = errors.New("withdrawal: nothing to change")

// change applies fn to the stored withdrawal. Fn may run more than once; it returns errUnchanged when there is nothing to
// do.
func (s *Service) change(ctx context.Context, number string, fn func(w *Withdrawal, now time.Time) error) (*Withdrawal, error) {
	var seen *Withdrawal
	w, err := s.withdrawals.Update(ctx, number, func(w *Withdrawal) error {
		seen = w
		was, now := w.State, s.clock.Now()
		if err := fn(w, now); err != nil {
			return err
		}
		if w.State != was {
			w.StateAt = now
		}
		w.plan(now, &s.config)
		return nil
	})
	switch {
	case err == nil:
		return w, nil
	case errors.Is(err, errUnchanged):
		return seen, nil // a refused draft is thrown away by the store: it is ours
	case errors.Is(err, docstore.ErrNotFound):
		return nil, ErrNotFound
	}
	return nil, err
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// memberID tells whether a purse may have this name, as the ledger sees it: it is part of other documents' ids.
func memberID(member string) bool {
	return id.Valid(member) && len(member) <= 64 && !strings.Contains(member, "/")
}
