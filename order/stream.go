package order

import (
	"context"
	"fmt"

	"guanxi/internal/docstore"
)

// Each walks all orders in the order of their ids, page by page, until visit fails: for verification and exports. It
// checks nobody. An order that changes meanwhile is given once, as it is when its page is read.
func (s *Service) Each(ctx context.Context, visit func(*Order) error) error {
	if err := s.orders.Each(ctx, docstore.All(), visit); err != nil {
		return fmt.Errorf("walk orders: %w", err)
	}
	return nil
}

// Many loads the orders that exist, by id, at most docstore.MaxLimit at once. It checks nobody. Errors: ErrBadInput.
func (s *Service) Many(ctx context.Context, orders []string) (map[string]*Order, error) {
	if len(orders) > docstore.MaxLimit {
		return nil, ErrBadInput.With("orders", "一次查询过多 / too many at once")
	}
	found, err := s.orders.GetMany(ctx, orders)
	if err != nil {
		return nil, fmt.Errorf("load orders: %w", err)
	}
	return found, nil
}
