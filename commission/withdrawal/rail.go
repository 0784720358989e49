package withdrawal

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/money"
)

// Rail carries money from the brand to a member's wallet. One Transfer.Number is one transfer for ever: sending it again
// with the same content is safe and gives the transfer's present state.
//
// An error that is a *Refusal means that the platform has said no for certain and that no money will move under this
// number. Every other error means that the outcome is unknown: ask again with Query, for as long as it takes.
type Rail interface {
	Send(ctx context.Context, t Transfer) (Outcome, error)
	Query(ctx context.Context, number string) (Outcome, error) // ErrUnknownNumber when the platform never heard of it
	Cancel(ctx context.Context, number string) (Outcome, error)
}

// Transfer is what the platform has to know.
type Transfer struct {
	Number   string // [A-Za-z0-9], at most 32
	OpenID   string
	Amount   money.Fen // net, what the member gets
	RealName string    // required from 2,000 yuan; "" otherwise
	Remark   string    // the member sees it; at most 32 characters
}

// TransferState is what the platform says of a transfer.
type TransferState string

// The states of a transfer. Success, failed and cancelled are final.
const (
	TransferAccepted     TransferState = "accepted"
	TransferProcessing   TransferState = "processing" // the merchant's balance is too low for the moment
	TransferWaiting      TransferState = "waiting"    // the member must confirm in the mini-program, within 24 hours
	TransferTransferring TransferState = "transferring"
	TransferSuccess      TransferState = "success"
	TransferFailed       TransferState = "failed"
	TransferCanceling    TransferState = "canceling"
	TransferCancelled    TransferState = "cancelled"
)

// Final tells whether the transfer's fate is sealed.
func (s TransferState) Final() bool {
	return s == TransferSuccess || s == TransferFailed || s == TransferCancelled
}

// Outcome is the state of a transfer at a moment.
type Outcome struct {
	Number  string
	State   TransferState
	Bill    string    // the platform's own number
	Package string    // for wx.requestMerchantTransfer, while waiting
	Reason  string    // the platform's code, when failed
	Amount  money.Fen // as the platform knows it; 0 when it did not say
	At      time.Time // when the platform last changed it
}

// ErrUnknownNumber: the platform has no transfer under this number (or only an older one than it remembers).
var ErrUnknownNumber = errors.New("withdrawal: the platform does not know this number")

// Coded is an error that carries the platform's code of a no that is not final: what was sent was read and not taken.
type Coded interface {
	error
	PlatformCode() string // "" when the platform gave none, or said nothing of what was sent
}

// Refusal is a certain no.
type Refusal struct {
	Code  string // the platform's code
	Words string // the platform's words, for the log
}

func (r *Refusal) Error() string { return "withdrawal: refused: " + r.Code }
