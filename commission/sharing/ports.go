package sharing

import (
	"context"
	"errors"
	"time"

	"guanxi/commission"
	"guanxi/internal/money"
)

// Ledger is what the commission ledger does for a sharing. Every call is repeatable by number.
type Ledger interface {
	ShareOut(ctx context.Context, order string) (commission.Plan, error)
	Reserve(ctx context.Context, h commission.Hold) error
	ConfirmPayout(ctx context.Context, p commission.Payout) error
	FailPayout(ctx context.Context, p commission.Payout) error
}

var _ Ledger = (*commission.Service)(nil)

// Shares is profit sharing at the payment platform. One number is one request for ever: the same content again is safe.
//
// An error that is a *Refusal means that the platform has said no to this request for certain. Every other error means
// that the outcome is unknown.
type Shares interface {
	// AddReceiver makes a person known as a receiver; again is fine.
	AddReceiver(ctx context.Context, openID string) error
	Share(ctx context.Context, r Request) (Answer, error)
	// QueryShare asks about a sharing or an unfreezing; ErrUnknownNumber when the platform never heard of it.
	QueryShare(ctx context.Context, number, transactionID string) (Answer, error)
	// Unfreeze gives the merchant what is left of a payment, under a number of its own.
	Unfreeze(ctx context.Context, number, transactionID string) (Answer, error)
}

// Request asks to give one person a part of a payment.
type Request struct {
	Number        string
	TransactionID string
	Total         money.Fen // what the buyer paid and did not get back
	Shared        money.Fen // what goes to others under other numbers
	PaidAt        time.Time
	AfterSaleOver time.Time
	OpenID        string
	Amount        money.Fen
	Note          string // the receiver sees it
}

// Answer is how far a request is. A finished sharing was paid unless it was closed.
type Answer struct {
	Number   string
	Finished bool
	OpenID   string    // "" of an unfreezing
	Amount   money.Fen // 0 of an unfreezing
	Closed   bool
	Reason   string // the platform's code, when closed
	At       time.Time
}

// ErrUnknownNumber: the platform has nothing under this number.
var ErrUnknownNumber = errors.New("sharing: the platform does not know this number")

// Refusal is a certain no.
type Refusal struct {
	Code string // the platform's code
}

func (r *Refusal) Error() string { return "sharing: refused: " + r.Code }

// Order is what must be known of an order.
type Order struct {
	TransactionID string
	Paid          money.Fen
	Refunded      money.Fen // what is back with the buyer, or on its way
	PaidAt        time.Time
	AfterSaleOver time.Time
}

// Orders knows them.
type Orders interface {
	Order(ctx context.Context, order string) (Order, error)
}

// Payees knows members' wallets.
type Payees interface {
	// OpenID is the wallet. A fault means that there is none.
	OpenID(ctx context.Context, member string) (string, error)
}

// Taxes knows whether tax would be withheld from a payment to a member.
type Taxes interface {
	Withholds(ctx context.Context, member string, at time.Time) (bool, error)
}
