package order

import (
	"time"

	"guanxi/internal/money"
	"guanxi/order/authority"
)

// Names of the events an order emits.
const (
	EventPaid         = "order.Paid"            // Paid
	EventClosed       = "order.Closed"          // Closed
	EventConfirmed    = "order.Confirmed"       // Confirmed
	EventRefundAsked  = "order.RefundAsked"     // RefundAsked: send it to the platform
	EventRefunded     = "order.Refunded"        // Refunded: money of a sale went back
	EventOpened       = "order.AfterSaleOpened" // AfterSaleOpened: a refund of a sale was asked for
	EventEnded        = "order.AfterSaleEnded"  // AfterSaleEnded: it was refused, done or replaced
	EventShipped      = "order.Shipped"         // Shipped
	EventReceived     = "order.Received"        // Received
	EventCompleted    = "order.Completed"       // Completed
	EventPaidLate     = "order.PaidLate"        // PaidLate: paid after the close; the money goes back by itself
	EventLateReturned = "order.LateReturned"    // LateReturned: that money is back; nothing was ever sold
	EventBrandAsked   = "order.BrandAsked"      // BrandAsked: a request waits for the brand
	EventIncident     = "order.Incident"        // Incidence: something people should look at
)

// Sale is the part all payloads share: enough that no consumer has to read the order.
type Sale struct {
	Order     string     `bson:"order"`
	Member    string     `bson:"member"`
	Campaign  string     `bson:"campaign"`
	Community string     `bson:"community"`
	Host      string     `bson:"host"`
	Grade     string     `bson:"grade,omitempty"` // the host's when it was placed
	Lines     []SaleLine `bson:"lines"`
	Amount    money.Fen  `bson:"amount"` // sum of the lines' Paid
	Referral  Referral   `bson:"referral"`
	Pickup    string     `bson:"pickup,omitempty"` // pickup point, when one was chosen
	Keeper    string     `bson:"keeper,omitempty"` // the member who keeps that point
	Share     string     `bson:"share,omitempty"`  // the share link the member came by, as told at placing
	PlacedAt  time.Time  `bson:"placed_at"`
}

// SaleLine is one line as it was sold. Paid stays the full amount: what went back since is told beside it and,
// refund by refund, by Refunded.
type SaleLine struct {
	Line     int       `bson:"line"` // counts from 1
	SKU      string    `bson:"sku"`
	Product  string    `bson:"product"`
	Name     string    `bson:"name"`
	Category string    `bson:"category"`
	Units    int64     `bson:"units"`
	Price    money.Fen `bson:"price"` // per unit
	Cost     money.Fen `bson:"cost"`  // per unit
	Paid     money.Fen `bson:"paid"`  // for all units

	RefundedUnits int64     `bson:"refunded_units,omitempty"` // done when the event was written
	Refunded      money.Fen `bson:"refunded,omitempty"`
}

// Paid: the money is there. Emitted once per order.
type Paid struct {
	Sale          `bson:",inline"`
	TransactionID string    `bson:"transaction"`
	PaidAt        time.Time `bson:"paid_at"`
}

// Closed: never paid, and the platform has said that it cannot be paid any more. Give back what was held.
type Closed struct {
	Sale     `bson:",inline"`
	Why      string    `bson:"why"` // expired or cancelled
	ClosedAt time.Time `bson:"closed_at"`
}

// Confirmed: paid, seated, and the campaign is formed: the sale counts.
type Confirmed struct {
	Sale        `bson:",inline"`
	Seat        int64     `bson:"seat"`
	PaidAt      time.Time `bson:"paid_at"`
	ConfirmedAt time.Time `bson:"confirmed_at"`
	Digest      string    `bson:"digest,omitempty"` // Order.Digest: what the ledger seals of the order
}

// RefundAsked: call Service.SubmitRefund with these.
type RefundAsked struct {
	Order  string    `bson:"order"`
	Refund string    `bson:"refund"` // the refund's number
	Amount money.Fen `bson:"amount"`
}

// Refunded: the platform has returned the money of one refund of a sale. Never emitted for money that came after
// the close (see LateReturned).
type Refunded struct {
	Order     string         `bson:"order"`
	Member    string         `bson:"member"`
	Campaign  string         `bson:"campaign"`
	Community string         `bson:"community"`
	Host      string         `bson:"host"`
	Refund    string         `bson:"refund"` // the refund's number: the key of every effect
	Lines     []RefundedLine `bson:"lines"`  // only the lines this refund touches
	Amount    money.Fen      `bson:"amount"` // of this refund
	Total     money.Fen      `bson:"total"`  // returned so far, this refund included
	Paid      money.Fen      `bson:"paid"`   // what the order had cost
	Whole     bool           `bson:"whole"`  // with this refund every unit is refunded
	Restock   bool           `bson:"restock"`
	Referral  Referral       `bson:"referral"`
	Reason    string         `bson:"reason"`
	DoneAt    time.Time      `bson:"done_at"`
}

// AfterSaleOpened: somebody asks for money of a sale back. What is paid on these lines waits until AfterSaleEnded names
// the same refund; the two may arrive in any order. Never emitted for money that came after the close.
type AfterSaleOpened struct {
	Order  string    `bson:"order"`
	Refund string    `bson:"refund"` // the refund's number
	Lines  []int     `bson:"lines"`  // the lines it touches, counted from 1
	At     time.Time `bson:"at"`
}

// AfterSaleEnded: the after-sale case of one refund is over. A refund the platform closed is replaced by the one in
// Next, which keeps the case of the same Lines open; so is a request that goes with a refund of everything.
type AfterSaleEnded struct {
	Order  string    `bson:"order"`
	Refund string    `bson:"refund"`
	Why    string    `bson:"why"` // AfterSaleRefused, AfterSaleDone or AfterSaleReplaced
	Next   string    `bson:"next,omitempty"`
	Lines  []int     `bson:"lines"`
	At     time.Time `bson:"at"`
}

// How an after-sale case ends.
const (
	AfterSaleRefused  = "refused"  // the host said no
	AfterSaleDone     = "done"     // the money is back: Refunded tells how much
	AfterSaleReplaced = "replaced" // the platform closed the number, or it goes with everything: another refund took its place
)

// RefundedLine is what one refund did to one line.
type RefundedLine struct {
	Line        int       `bson:"line"`
	SKU         string    `bson:"sku"`
	Product     string    `bson:"product"`
	Category    string    `bson:"category"`
	Units       int64     `bson:"units"`        // of this refund
	Amount      money.Fen `bson:"amount"`       // of this refund
	TotalUnits  int64     `bson:"total_units"`  // refunded so far, this refund included
	TotalAmount money.Fen `bson:"total_amount"` // returned so far, this refund included
	SoldUnits   int64     `bson:"sold_units"`
	Paid        money.Fen `bson:"paid"`
}

// Shipped: the goods are on their way or wait at the pickup point.
type Shipped struct {
	Sale          `bson:",inline"`
	TransactionID string    `bson:"transaction"`
	Kind          ShipKind  `bson:"kind"`
	Company       string    `bson:"company,omitempty"`
	Tracking      string    `bson:"tracking,omitempty"`
	Words         string    `bson:"words"` // what is in it, at most 120 characters
	ShippedAt     time.Time `bson:"shipped_at"`
}

// Received: the member has the goods; the after-sale window runs from here.
type Received struct {
	Sale       `bson:",inline"`
	How        string    `bson:"how"` // HowMember, HowCode or HowAutomatic; HowHost in old ones
	ReceivedAt time.Time `bson:"received_at"`
	WindowEnds time.Time `bson:"window_ends"`
}

// Completed: the after-sale window is over and no refund is open.
type Completed struct {
	Sale        `bson:",inline"`
	CompletedAt time.Time `bson:"completed_at"`
}

// PaidLate: money came for an order that was closed. It is being returned; nothing is sold.
type PaidLate struct {
	Order         string    `bson:"order"`
	Member        string    `bson:"member"`
	Campaign      string    `bson:"campaign"`
	TransactionID string    `bson:"transaction"`
	Amount        money.Fen `bson:"amount"`
	PaidAt        time.Time `bson:"paid_at"`
}

// LateReturned: the money of PaidLate is back with the member.
type LateReturned struct {
	Order  string    `bson:"order"`
	Member string    `bson:"member"`
	Refund string    `bson:"refund"`
	Amount money.Fen `bson:"amount"`
	DoneAt time.Time `bson:"done_at"`
}

// BrandAsked: a request for a refund waits for the brand's answer.
type BrandAsked struct {
	Order  string          `bson:"order"`
	Refund string          `bson:"refund"`
	Why    []authority.Why `bson:"why,omitempty"`
	At     time.Time       `bson:"at"`
}

// Incidence tells that an incident was recorded on an order.
type Incidence struct {
	Order  string       `bson:"order"`
	Kind   IncidentKind `bson:"kind"`
	Detail string       `bson:"detail"`
	At     time.Time    `bson:"at"`
}
