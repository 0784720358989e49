package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Deps is what a Service needs. Everything but Config is required.
type Deps struct {
	Store  *docstore.Store
	Clock  clock.Clock
	Ledger Ledger
	Shares Shares
	Orders Orders
	Payees Payees
	Taxes  Taxes
	Config Config
}

// Service carries out the use cases of this domain. Its methods are safe for concurrent use, also by several processes
// on one store. Besides the faults each method lists, every method may return the store's errors, wrapped.
type Service struct {
	deps     Deps
	config   Config
	clock    clock.Clock
	sharings *docstore.Collection[Sharing]
}

// New checks the dependencies and opens the collection.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Ledger == nil || d.Shares == nil || d.Orders == nil || d.Payees == nil || d.Taxes == nil {
		return nil, errors.New("sharing: every dependency is required")
	}
	if err := d.Config.complete(); err != nil {
		return nil, err
	}
	s := &Service{deps: d, config: d.Config, clock: d.Clock}
	var err error
	if s.sharings, err = openSharings(ctx, d.Store); err != nil {
		return nil, fmt.Errorf("sharing: %w", err)
	}
	return s, nil
}

// Archive reads what the service writes.
func (s *Service) Archive() *Archive { return &Archive{s.sharings} }

// Begin takes up an order whose after-sale window is over; Tend does the rest. It does nothing while profit sharing is
// off. Repeating is harmless.
// Error: ErrBadOrder.
func (s *Service) Begin(ctx context.Context, order string, completedAt time.Time) error {
	if !s.config.On {
		return nil
	}
	if !orderID(order) || completedAt.IsZero() {
		return ErrBadOrder
	}
	_, err := s.sharings.Upsert(ctx, order, func(d *Sharing) error {
		if !d.Fresh() {
			return errUnchanged
		}
		d.State, d.CompletedAt, d.NextAt = Waiting, clock.Milli(completedAt), s.clock.Now()
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return wrap("begin sharing", err)
}

// errUnchanged ends a change that finds its work done already: no write.
var errUnchanged = errors.New("sharing: nothing to change")

// change applies fn to the stored sharing. Fn may run more than once; it returns errUnchanged when there is nothing to do.
func (s *Service) change(ctx context.Context, order string, fn func(d *Sharing, now time.Time) error) (*Sharing, error) {
	var seen *Sharing
	d, err := s.sharings.Update(ctx, order, func(d *Sharing) error {
		seen = d
		was, now := d.State, s.clock.Now()
		if err := fn(d, now); err != nil {
			return err
		}
		if d.State != was {
			d.StateAt = now
		}
		for i := range d.Parts {
			if p := &d.Parts[i]; p.State == PartPaid && p.EndedAt.After(d.PaidLast) {
				d.PaidLast = p.EndedAt
			}
		}
		return nil
	})
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, errUnchanged):
		return seen, nil
	case errors.Is(err, docstore.ErrNotFound):
		return nil, ErrNotFound
	}
	return nil, err
}

// advanceFrom is change while the sharing still stands where the work began; otherwise it changes nothing.
func (s *Service) advanceFrom(ctx context.Context, was *Sharing, fn func(d *Sharing, now time.Time) error) (*Sharing, error) {
	return s.change(ctx, was.ID, func(d *Sharing, now time.Time) error {
		if d.State != was.State {
			return errUnchanged
		}
		return fn(d, now)
	})
}

func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
