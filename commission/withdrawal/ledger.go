package withdrawal

import (
	"context"

	"guanxi/commission"
)

// Ledger is what the commission ledger does for a withdrawal. Every call is repeatable by number.
type Ledger interface {
	Reserve(ctx context.Context, h commission.Hold) error
	ConfirmPayout(ctx context.Context, p commission.Payout) error
	FailPayout(ctx context.Context, p commission.Payout) error
	ReturnPayout(ctx context.Context, p commission.Payout) error
	Spendable(ctx context.Context, member string) (commission.Spendable, error)
}

var _ Ledger = (*commission.Service)(nil)
