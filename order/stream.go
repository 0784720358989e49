package order

import (
	"context"
	"fmt"

	"guanxi/internal/docstore"
)

// Archive reads the orders of a store and nothing else: for verification and exports, beside or without a Service. It
// checks nobody.
type Archive struct {
	orders     *docstore.Collection[Order]
	refundDays *docstore.Days
}

// OpenArchive opens the orders for reading.
func OpenArchive(ctx context.Context, store *docstore.Store) (*Archive, error) {
	orders, err := openOrders(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	days, err := docstore.OpenDays(ctx, store, refundDays)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	return &Archive{orders, days}, nil
}

// Archive reads what the service writes.
func (s *Service) Archive() *Archive { return &Archive{s.orders, s.refundDays} }

// Each walks all orders in the order of their ids, page by page, until visit fails. An order that changes meanwhile is
// given once, as it is when its page is read.
func (a *Archive) Each(ctx context.Context, visit func(*Order) error) error {
	if err := a.orders.Each(ctx, docstore.All(), visit); err != nil {
		return fmt.Errorf("walk orders: %w", err)
	}
	return nil
}

// Many loads the orders that exist, by id, at most docstore.MaxLimit at once. Errors: ErrBadInput.
func (a *Archive) Many(ctx context.Context, orders []string) (map[string]*Order, error) {
	if len(orders) > docstore.MaxLimit {
		return nil, ErrBadInput.With("orders", "一次查询过多 / too many at once")
	}
	found, err := a.orders.GetWhole(ctx, orders)
	if err != nil {
		return nil, fmt.Errorf("load orders: %w", err)
	}
	return found, nil
}
