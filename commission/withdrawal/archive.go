package withdrawal

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
)

// Archive reads the withdrawals of a store and nothing else: for verification, beside or without a Service.
type Archive struct {
	withdrawals *docstore.Collection[Withdrawal]
}

// OpenArchive opens the withdrawals for reading.
func OpenArchive(ctx context.Context, store *docstore.Store) (*Archive, error) {
	withdrawals, err := openWithdrawals(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("withdrawal: %w", err)
	}
	return &Archive{withdrawals}, nil
}

// Get loads a withdrawal for the brand's own eyes: it checks nobody. Error: ErrNotFound.
func (a *Archive) Get(ctx context.Context, number string) (*Withdrawal, error) {
	w, err := a.withdrawals.Get(ctx, number)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get withdrawal: %w", err)
	}
	return w, nil
}

// Each walks all withdrawals in the order of their numbers, for verification.
func (a *Archive) Each(ctx context.Context, visit func(*Withdrawal) error) error {
	return a.withdrawals.Each(ctx, docstore.All(), visit)
}
