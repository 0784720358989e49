package order

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	failed, seen := failures{}, 0
	for query := due.First(min(tickPage, s.config.TickOrders)); ; {
		page, err := s.orders.Find(ctx, query)
		if err != nil {
			return failed.ok(), fmt.Errorf("tick: %w", err)
		}
		s.together(page.Items, func(o *Order) { failed.add(o.ID, s.step(ctx, o)) })
		seen += len(page.Items)
		left := s.config.TickOrders - seen
		if page.Next == "" || left <= 0 || ctx.Err() != nil {
			return failed.ok(), failed.err()
		}
		query = query.First(min(tickPage, left)).Continue(page.Next)
	}
}

// step does what is due for one order.
func (s *Service) step(ctx context.Context, o *Order) error {
	now := s.clock.Now()
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	var err error
	switch {
	case o.State == StatePlaced && due(o.ExpiresAt):
		_, err = s.giveUp(ctx, o.ID, WhyExpired)
	case o.State == StatePlaced && due(o.LookAt):
		err = s.look(ctx, o.ID)
	case o.State == StateClosing && due(o.LookAt):
		err = s.finishClose(ctx, o.ID)
	case o.State == StateShipped && due(o.Shipment.ReceiveBy):
		_, err = s.receive(ctx, o.ID, HowAutomatic, func(o *Order, now time.Time) error {
			if o.State != StateShipped || now.Before(o.Shipment.ReceiveBy) {
				return errUnchanged
			}
			return nil
		})
	case o.State == StateReceived && due(o.WindowEnds):
		err = s.complete(ctx, o.ID)
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Stage.open() && due(r.NextAt) {
			_, healErr := s.HealRefund(ctx, o.ID, r.Number)
			err = errors.Join(err, healErr)
		}
	}
	return err
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

// together works on orders, at most Config.Workers side by side.
func (s *Service) together(orders []*Order, work func(*Order)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, s.config.Workers)
	for _, o := range orders {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			work(o)
		})
	}
	group.Wait()
}

// failures collects results of many orders and keeps the first few errors.
type failures struct {
	mu     sync.Mutex
	good   int
	count  int
	causes []error
}

func (f *failures) add(order string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.good++
		return
	}
	if f.count++; len(f.causes) < 5 {
		f.causes = append(f.causes, fmt.Errorf("order %s: %w", order, err))
	}
}

func (f *failures) ok() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.good
}

func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%d orders failed: %w", f.count, errors.Join(f.causes...))
}
