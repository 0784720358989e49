package order

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// refundDays says which orders have a refund that was done on a day: refunds stand inside their orders.
const refundDays = "order_refund_days"

// noteRefundDay marks the day of a refund before the order says that it is done.
func (s *Service) noteRefundDay(ctx context.Context, order string, receipt RefundReceipt) error {
	if receipt.State != RefundDone {
		return nil
	}
	o, err := s.Get(ctx, order)
	if err != nil {
		return err
	}
	if r := o.refund(receipt.Number); r == nil || r.Stage == StageDone || r.Amount == 0 {
		return nil
	}
	return s.refundDays.Note(ctx, clock.Day(receipt.DoneAt), receipt.Number, o.ID)
}

// PaidBetween gives the orders paid in [from, to), by the moment of the payment.
func (a *Archive) PaidBetween(ctx context.Context, from, to time.Time, visit func(*Order) error) error {
	if err := a.orders.Each(ctx, docstore.By(indexPaid).Between(from, to), visit); err != nil {
		return fmt.Errorf("walk paid orders: %w", err)
	}
	return nil
}

// RefundedOn gives the orders with a refund done on a business day (2006-01-02); an order may come more than once.
func (a *Archive) RefundedOn(ctx context.Context, day string, visit func(*Order) error) error {
	if err := a.refundDays.Once(ctx, func() error { return a.markRefunds(ctx) }); err != nil {
		return fmt.Errorf("refunds of a day: %w", err)
	}
	err := a.refundDays.Each(ctx, day, func(ids []string) error {
		orders, err := a.orders.GetMany(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if o := orders[id]; o != nil {
				if err := visit(o); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("refunds of a day: %w", err)
	}
	return nil
}

// markRefunds marks the refunds of orders that earlier programs have written.
func (a *Archive) markRefunds(ctx context.Context) error {
	return a.Each(ctx, func(o *Order) error {
		for i := range o.Refunds {
			r := &o.Refunds[i]
			if r.Stage != StageDone || r.Amount == 0 {
				continue
			}
			if err := a.refundDays.Note(ctx, clock.Day(r.DoneAt), r.Number, o.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
