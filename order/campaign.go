package order

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Seated keeps the seat number of a paid order; formed says whether its campaign was formed when the seat was taken.
// A seat that comes early, again, or for an order that is going back is harmless. Errors: ErrNotFound.
func (s *Service) Seated(ctx context.Context, order string, number int64, formed bool) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		seat, known := o.Seat, o.Formed
		switch o.State {
		case StateClosed, StateRefunding, StateRefunded:
			return errUnchanged
		}
		if o.Seat == 0 {
			o.Seat = number
		}
		o.Formed = o.Formed || formed
		if o.Seat == seat && o.Formed == known {
			return errUnchanged
		}
		return o.confirm(now)
	})
	if err != nil {
		return fmt.Errorf("seated: %w", err)
	}
	return nil
}

// confirm makes the sale count once it is paid, seated and formed, in whatever order these were learned.
func (o *Order) confirm(now time.Time) error {
	if o.State != StatePaid || o.Seat == 0 || !o.Formed {
		return nil
	}
	if err := o.move(byForming); err != nil {
		return err
	}
	o.ConfirmedAt = now
	o.Emit(EventConfirmed, Confirmed{Sale: o.sale(), Seat: o.Seat, PaidAt: o.Payment.PaidAt, ConfirmedAt: now, Digest: o.Digest()})
	return nil
}

// ConfirmCampaign tells every paid order of a campaign that it is formed. Orders without a seat yet are confirmed
// when they get it. Repeating is harmless.
func (s *Service) ConfirmCampaign(ctx context.Context, campaign string) error {
	return s.eachOf(ctx, campaign, StatePaid, func(ctx context.Context, order string) error {
		_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
			if o.State != StatePaid || (o.Formed && o.Seat == 0) {
				return errUnchanged
			}
			o.Formed = true
			return o.confirm(now)
		})
		return err
	})
}

// RefundCampaign sends everything back for a campaign that failed: paid and confirmed orders are refunded whole,
// unpaid ones are given up. Repeating is harmless.
func (s *Service) RefundCampaign(ctx context.Context, campaign, reason string) error {
	for _, state := range []State{StatePlaced, StatePaid, StateConfirmed} {
		err := s.eachOf(ctx, campaign, state, func(ctx context.Context, order string) error {
			if state == StatePlaced {
				o, err := s.giveUp(ctx, order, WhyCampaign)
				if o == nil {
					return err
				}
				if o.Payment == nil {
					return nil // closed, or its next look is planned; a payment before that is refused its seat
				}
			}
			return s.RefundWhole(ctx, order, "campaign/"+campaign, reason)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	campaignPage   = 200
	campaignOrders = 1_000_000 // a campaign never gets there
)

// eachOf works through a campaign's orders in one state, page by page, some side by side. An order that fails does
// not stop the others; the first errors are returned at the end, so that the caller's retry finishes the rest.
func (s *Service) eachOf(ctx context.Context, campaign string, state State, work func(context.Context, string) error) error {
	_, err := s.orders.Sweep(ctx, docstore.By(indexCampaign, campaign, state),
		docstore.Sweep{Most: campaignOrders, Page: campaignPage, Workers: s.config.Workers},
		func(o *Order) (bool, error) { return true, work(ctx, o.ID) })
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("orders of a campaign: %w", err)
	}
	return nil
}
