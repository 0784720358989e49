package order

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errStillOpen: the platform neither closed the number nor saw it paid; asked again later.
var errStillOpen = errors.New("order: the platform still holds the number open")

// Cancel gives up a member's unpaid order. The answer may still be closing when the platform is slow: what was held
// is given back once the platform has said that the order cannot be paid. If it says that it was paid meanwhile,
// the order is paid. Repeating is harmless. Errors: ErrNotFound, ErrAlreadyPaid.
func (s *Service) Cancel(ctx context.Context, member, order string) (*Order, error) {
	if _, err := s.GetMine(ctx, member, order); err != nil {
		return nil, err
	}
	o, err := s.giveUp(ctx, order, WhyCancelled)
	switch {
	case o == nil:
		return nil, err
	case o.Payment != nil:
		return nil, ErrAlreadyPaid
	}
	return o, nil // whatever the platform's trouble was, the next look is planned
}

// giveUp moves a placed order to closing and tries to finish at once. The answer is paid when the platform saw
// money meanwhile. An error beside an order means that it is still closing.
func (s *Service) giveUp(ctx context.Context, order, why string) (*Order, error) {
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		switch {
		case o.State != StatePlaced:
			return errUnchanged
		case why == WhyExpired && now.Before(o.lapsesAt()):
			return errUnchanged
		}
		return o.beginClose(why, now)
	})
	if err != nil {
		return nil, fmt.Errorf("give up: %w", err)
	}
	if o.State != StateClosing {
		return o, nil
	}
	trouble := s.finishClose(ctx, order)
	if o, err = s.Get(ctx, order); err != nil {
		return nil, err
	}
	return o, trouble
}

func (o *Order) beginClose(why string, now time.Time) error {
	if err := o.move(byGivingUp); err != nil {
		return err
	}
	o.CloseWhy, o.Looks, o.LookAt = why, 0, now.Add(closeDelay(0))
	return nil
}

// finishClose makes sure at the platform that the number cannot be paid, and only then closes the order.
func (s *Service) finishClose(ctx context.Context, order string) error {
	err := s.deps.Payments.Close(ctx, order)
	if err == nil {
		return s.closed(ctx, order)
	}
	if errors.Is(err, ErrPaymentsAway) {
		return s.closeLater(ctx, order, err)
	}
	// Refused: it was paid, or was closed long ago, or was never heard of. The query knows.
	p, err := s.deps.Payments.Query(ctx, order)
	if err != nil {
		return s.closeLater(ctx, order, err)
	}
	if p.State == PaymentUnknown {
		return s.closed(ctx, order)
	}
	p.Number = order
	outcome, err := s.Settle(ctx, p)
	if err == nil && outcome == OutcomeOpen {
		err = errStillOpen
	}
	if err != nil {
		return s.closeLater(ctx, order, err)
	}
	return nil
}

// closed ends a closing order.
func (s *Service) closed(ctx context.Context, order string) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		_, err := o.unpayable(now)
		return err
	})
	return err
}

// unpayable: the platform says the number will never be paid.
func (o *Order) unpayable(now time.Time) (Outcome, error) {
	switch {
	case o.Payment != nil:
		return OutcomeRepeated, errUnchanged
	case o.State == StateClosed:
		return OutcomeClosed, errUnchanged
	case o.State == StatePlaced:
		if err := o.beginClose(WhyExpired, now); err != nil {
			return "", err
		}
	}
	if err := o.move(byUnpayable); err != nil {
		return "", err
	}
	o.ClosedAt, o.Looks, o.LookAt = now, 0, time.Time{}
	o.Emit(EventClosed, Closed{Sale: o.sale(), Why: o.CloseWhy, ClosedAt: now})
	return OutcomeClosed, nil
}

// closeLater writes down when to try again and passes the cause on.
func (s *Service) closeLater(ctx context.Context, order string, cause error) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if o.State != StateClosing {
			return errUnchanged
		}
		o.Looks++
		o.LookAt = now.Add(closeDelay(o.Looks))
		return nil
	})
	if err != nil {
		return errors.Join(cause, err)
	}
	return fmt.Errorf("close: %w", cause)
}
