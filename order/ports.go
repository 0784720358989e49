package order

import (
	"context"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/money"
)

// What order needs from others during a request. Each interface is joined in app.

// Campaigns decides whether a purchase may enter a campaign (groupbuy).
type Campaigns interface {
	// Admit checks the campaign's schedule, items and limits and claims the limits for the order until the
	// given time. Another attempt at the same order joins the claims. Whoever is refused has claimed nothing.
	Admit(ctx context.Context, a Admission) (Offer, error)
	// Quote is Admit without a claim.
	Quote(ctx context.Context, a Admission) (Offer, error)
	// Undo leaves the claims of this attempt; those other attempts count on stay. Unknown claims are fine.
	Undo(ctx context.Context, a Admission) error
}

// Admission is a wish to buy in a campaign.
type Admission struct {
	claim.Try
	Campaign, Member string
	Lines            []Wish
	Until            time.Time
}

// Wish is a number of units of a SKU.
type Wish struct {
	SKU   string
	Units int64
}

// Offer is what the campaign sells at: the price is locked with it.
type Offer struct {
	Host, Community string
	Lines           []OfferLine
	Pickup          []string // the pickup points it is for; none = every open one of the community
}

// OfferLine is one priced line.
type OfferLine struct {
	SKU, Product, Name string
	Units              int64
	Price              money.Fen // per unit
	Cost               money.Fen // per unit, for margin caps; never shown to members
	Category           string
}

// Stock holds units (catalog).
type Stock interface {
	// Hold takes all lines or none, until the given time; another attempt at the same order joins what is held.
	Hold(ctx context.Context, t claim.Try, until time.Time, lines []Wish) error
	// Undo leaves what this attempt holds; what other attempts count on stays held. Unknown holds are fine.
	Undo(ctx context.Context, t claim.Try, lines []Wish) error
}

// Referrer says who is credited for a sale (distribution).
type Referrer interface {
	Attribute(ctx context.Context, buyer, host, community string, at time.Time) (Referral, error)
}

// Referral is the snapshot of the credit on the order; it never changes afterwards.
type Referral struct {
	Policy string `bson:"policy"`           // version of the bond policy that decided
	Direct string `bson:"direct,omitempty"` // member credited for this sale; empty = nobody
	Upline string `bson:"upline,omitempty"` // who is credited for Direct, when a second level is on
	Why    string `bson:"why"`              // code: first-touch, last-touch, permanent, campaign-host, self, none
	Share  string `bson:"share,omitempty"`  // the share link that won
	Touch  string `bson:"touch,omitempty"`  // the touch that won
}

// Members gives what a purchase needs of a person (member).
type Members interface {
	OpenID(ctx context.Context, member string) (string, error)
	// JoinedAt is when the account was made.
	JoinedAt(ctx context.Context, member string) (time.Time, error)
}

// Pickups tells what an order keeps of the community it is placed in (community).
type Pickups interface {
	// PickupPoint gives an open pickup point.
	PickupPoint(ctx context.Context, community, point string) (Pickup, error)
	// Grade is the host's grade at this moment; "" is none.
	Grade(ctx context.Context, host string) (string, error)
}

// Hosts tells what the brand lets a host do (community/hosting).
type Hosts interface {
	// MayRun answers nil while a host's campaigns take orders and the host decides about them; a refusal is a fault of
	// kind Denied.
	MayRun(ctx context.Context, host string) error
}

// Payments is the platform that takes and returns money (platform/weixinpay).
// Errors: ErrPaymentsAway (outcome unknown or platform away: ask again with the same number) or
// ErrPaymentRefused (final, with the platform's code as cause).
type Payments interface {
	Prepay(ctx context.Context, p Prepayment) (PayParams, error)
	// Sign makes fresh parameters for a prepay id that is still valid.
	Sign(ctx context.Context, prepayID string) (PayParams, error)
	// Query asks for the truth about an order number.
	Query(ctx context.Context, number string) (Payment, error)
	// Close makes sure the number can no longer be paid; closing twice is fine.
	Close(ctx context.Context, number string) error
	// Refund asks for money back; the same number with the same content is safe to repeat.
	Refund(ctx context.Context, r RefundOrder) (RefundReceipt, error)
	QueryRefund(ctx context.Context, number string) (RefundReceipt, error)
}

// Prepayment asks the platform to expect a payment.
type Prepayment struct {
	Number      string // out_trade_no: the order's id
	Description string // at most 127 characters
	OpenID      string
	Total       money.Fen
	ExpiresAt   time.Time
	Attach      string
}

// PayParams is what the mini-program hands to wx.requestPayment.
type PayParams struct {
	PrepayID  string
	TimeStamp string
	NonceStr  string
	Package   string
	SignType  string
	PaySign   string
}

// PaymentState is the platform's word for an order number.
type PaymentState string

// The states a query or notification can tell.
const (
	PaymentUnknown PaymentState = "UNKNOWN" // the platform has never heard of the number
	PaymentOpen    PaymentState = "NOTPAY"
	PaymentDone    PaymentState = "SUCCESS"
	PaymentRefund  PaymentState = "REFUND" // paid, and something was refunded since
	PaymentClosed  PaymentState = "CLOSED"
)

// Payment is the platform's record of a payment, verified.
type Payment struct {
	Number        string // out_trade_no
	TransactionID string
	AppID, MchID  string
	OpenID        string
	State         PaymentState
	Total         money.Fen
	Currency      string
	PaidAt        time.Time
}

// RefundOrder asks for money back.
type RefundOrder struct {
	Number        string // out_refund_no
	OrderNumber   string // out_trade_no
	TransactionID string
	Reason        string // at most 80 characters
	Refund, Total money.Fen
}

// RefundState is the platform's word for a refund.
type RefundState string

// The refund states of the platform.
const (
	RefundUnknown    RefundState = "UNKNOWN" // the platform has never heard of the number
	RefundProcessing RefundState = "PROCESSING"
	RefundDone       RefundState = "SUCCESS"
	RefundClosed     RefundState = "CLOSED"   // final: needs a new number
	RefundAbnormal   RefundState = "ABNORMAL" // the money could not be returned to the card: staff
)

// RefundReceipt is the platform's record of a refund, verified.
type RefundReceipt struct {
	Number      string // out_refund_no
	OrderNumber string
	RefundID    string
	State       RefundState
	Refund      money.Fen
	DoneAt      time.Time
}
