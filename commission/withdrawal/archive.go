package withdrawal

import (
	"context"
	"errors"
	"fmt"

	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/docstore"
)

// Archive reads the withdrawals and tax years of a store and nothing else: for verification, beside or without a Service.
type Archive struct {
	withdrawals *docstore.Collection[Withdrawal]
	years       *docstore.Collection[taxyear.Year]
}

// OpenArchive opens the withdrawals for reading.
func OpenArchive(ctx context.Context, store *docstore.Store) (*Archive, error) {
	withdrawals, err := openWithdrawals(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("withdrawal: %w", err)
	}
	years, err := taxyear.Collection(ctx, store)
	if err != nil {
		return nil, fmt.Errorf("withdrawal: %w", err)
	}
	return &Archive{withdrawals, years}, nil
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

// Many loads the withdrawals that exist, by number.
func (a *Archive) Many(ctx context.Context, numbers []string) (map[string]*Withdrawal, error) {
	return a.withdrawals.GetMany(ctx, numbers)
}

// Years walks all tax years as they are stored, for verification.
func (a *Archive) Years(ctx context.Context, visit func(*taxyear.Year) error) error {
	return a.years.Each(ctx, docstore.All(), visit)
}

// ManyYears loads the tax years that exist, by id (taxyear.ID).
func (a *Archive) ManyYears(ctx context.Context, ids []string) (map[string]*taxyear.Year, error) {
	return a.years.GetMany(ctx, ids)
}
