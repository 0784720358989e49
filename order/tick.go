package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

const tickPage = 200

// Tick does what time has made due, at most Config.TickOrders orders of it: closes expired orders (the platform
// first), asks for payments and refunds nobody has told us of, receives and completes. Every step is small and
// repeatable, several processes may tick at once, and an order that fails does not stop the others. Moved counts
// the orders whose step went well.
func (s *Service) Tick(ctx context.Context) (moved int, err error) {
	due := docstore.By(indexNext).Between(nil, s.clock.Now().Add(time.Millisecond))
	moved, err = s.orders.Sweep(ctx, due, docstore.Sweep{Most: s.config.TickOrders, Page: tickPage, Workers: s.config.Workers},
		func(o *Order) (bool, error) {
			err := s.step(ctx, o)
			return err == nil, err
		})
	if err != nil {
		return moved, fmt.Errorf("tick: %w", err)
	}
	return moved, nil
}

// step does what is due for one order.
func (s *Service) step(ctx context.Context, o *Order) error {
	now := s.clock.Now()
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	var err error
	switch {
	case o.State == StatePlaced && due(o.lapsesAt()):
		_, err = s.giveUp(ctx, o.ID, WhyExpired)
	case o.State == StatePlaced && due(o.LookAt):
		err = s.look(ctx, o.ID)
	case o.State == StateClosing && due(o.LookAt):
		err = s.finishClose(ctx, o.ID)
	case o.State == StateShipped && due(o.Shipment.ReceiveBy) && !o.refundPending():
		_, err = s.receive(ctx, o.ID, HowAutomatic, func(o *Order, now time.Time) error {
			if o.State != StateShipped || now.Before(o.Shipment.ReceiveBy) || o.refundPending() {
				return errUnchanged
			}
			return nil
		})
	case o.State == StateReceived && due(o.WindowEnds):
		err = s.complete(ctx, o.ID)
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.waitsForHost() && due(r.deadline(s.config.Refunds.Silence)) {
			err = errors.Join(err, s.silent(ctx, o.ID))
			break
		}
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Stage.open() && due(r.NextAt) {
			_, healErr := s.HealRefund(ctx, o.ID, r.Number)
			err = errors.Join(err, healErr)
		}
	}
	return errors.Join(err, s.overdue(ctx, o))
}

// look asks for a payment nobody has told us of, and plans the next question before it passes an error on.
func (s *Service) look(ctx context.Context, order string) error {
	outcome, asked := s.ask(ctx, order)
	if asked == nil && outcome != OutcomeOpen {
		return nil
	}
	_, err := s.change(ctx, order, func(o *Order, _ time.Time) error {
		if o.State != StatePlaced {
			return errUnchanged
		}
		o.Looks++
		o.LookAt = lookAfterPrepay(o.PrepaidAt, o.Looks)
		return nil
	})
	return errors.Join(asked, err)
}
