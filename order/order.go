package order

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Order is one purchase in one campaign: what was agreed, what was paid, what went back. Its id is derived
// from the member and the idempotency key, and is also the payment platform's order number.
type Order struct {
	docstore.Doc `bson:",inline"`

	Member    string `bson:"member"`
	Campaign  string `bson:"campaign"`
	Host      string `bson:"host"`
	Community string `bson:"community"`
	Grade     string `bson:"grade,omitempty"` // the host's when it was placed

	State     State     `bson:"state"`
	PlacedAt  time.Time `bson:"placed_at"`
	ExpiresAt time.Time `bson:"expires_at"`         // payable until then
	StateAt   time.Time `bson:"state_at,omitempty"` // when it came into its state; absent while it is as placed
	NextAt    time.Time `bson:"next_at,omitempty"`  // the next automatic look; absent = none
	LookAt    time.Time `bson:"look_at,omitempty"`  // the next question to the platform about the payment
	Looks     int       `bson:"looks,omitempty"`    // how often it was asked in this state

	Lines    []Line             `bson:"lines"`
	Amount   money.Fen          `bson:"amount"`
	Referral Referral           `bson:"referral"`
	Pickup   *Pickup            `bson:"pickup,omitempty"`
	Note     docstore.Encrypted `bson:"note,omitempty"`
	Share    string             `bson:"share,omitempty"`
	Content  string             `bson:"content"`           // hash of the canonical request
	Attempt  string             `bson:"attempt,omitempty"` // which attempt at the request wrote it; see package claim

	PrepayID  string    `bson:"prepay,omitempty"`
	PrepaidAt time.Time `bson:"prepaid_at,omitempty"` // when the platform gave PrepayID

	Payment     *Settlement `bson:"payment,omitempty"`
	Seat        int64       `bson:"seat,omitempty"`
	Formed      bool        `bson:"formed,omitempty"` // the campaign is known to be formed
	ConfirmedAt time.Time   `bson:"confirmed_at,omitempty"`
	Shipment    *Shipment   `bson:"shipment,omitempty"`
	ReceivedAt  time.Time   `bson:"received_at,omitempty"`
	ReceivedHow string      `bson:"received_how,omitempty"`
	WindowEnds  time.Time   `bson:"window_ends,omitempty"` // end of the after-sale window
	CompletedAt time.Time   `bson:"completed_at,omitempty"`
	CloseWhy    string      `bson:"close_why,omitempty"` // WhyExpired or WhyCancelled
	ClosedAt    time.Time   `bson:"closed_at,omitempty"`

	Refunds    []Refund   `bson:"refunds,omitempty"`
	Incidents  []Incident `bson:"incidents,omitempty"`
	IncidentAt time.Time  `bson:"incident_at,omitempty"` // of the newest incident
	BrandAt    time.Time  `bson:"brand_at,omitempty"`    // since when a request waits for the brand; absent = none

	Code      docstore.Encrypted `bson:"code,omitempty"`       // collection code: the buyer shows it at the pickup point
	CodeTries int                `bson:"code_tries,omitempty"` // since CodeSince
	CodeSince time.Time          `bson:"code_since,omitempty"`
}

// Line is one priced and locked line.
type Line struct {
	SKU      string    `bson:"sku"`
	Product  string    `bson:"product"`
	Name     string    `bson:"name"`
	Category string    `bson:"category"`
	Units    int64     `bson:"units"`
	Price    money.Fen `bson:"price"` // per unit
	Cost     money.Fen `bson:"cost"`  // per unit; never shown to members
	Paid     money.Fen `bson:"paid"`  // for all units; due until the order is paid
}

// Pickup is the chosen pickup point, with its name and its keeper as they were then.
type Pickup struct {
	Point  string `bson:"point"`
	Name   string `bson:"name"`
	Keeper string `bson:"keeper,omitempty"` // the member who keeps it; "" is nobody
}

// Settlement is the payment that was accepted.
type Settlement struct {
	TransactionID string    `bson:"transaction"`
	PaidAt        time.Time `bson:"paid_at"`
	SettledAt     time.Time `bson:"settled_at"`
	Late          bool      `bson:"late,omitempty"`   // came after the close: nothing was sold
	Double        bool      `bson:"double,omitempty"` // another transaction paid it again: see Incidents
}

// Why an order was closed.
const (
	WhyExpired   = "expired"
	WhyCancelled = "cancelled"
	WhyCampaign  = "campaign" // the campaign failed or was cancelled
)

// ShipKind is the way to the member.
type ShipKind string

// The ways to the member.
const (
	ShipPickup  ShipKind = "pickup"
	ShipExpress ShipKind = "express"
	ShipCity    ShipKind = "city"
)

// Shipment is how the goods travel.
type Shipment struct {
	Kind      ShipKind  `bson:"kind"`
	Company   string    `bson:"company,omitempty"`
	Tracking  string    `bson:"tracking,omitempty"`
	ShippedAt time.Time `bson:"shipped_at"`
	ReceiveBy time.Time `bson:"receive_by"` // taken as received then
}

// How an order was received.
const (
	HowMember    = "member"
	HowCode      = "code" // the collection code was shown at the pickup point
	HowHost      = "host" // by the host's word alone: only orders from before codes
	HowAutomatic = "automatic"
)

// IncidentKind is the class of an incident.
type IncidentKind string

// The kinds of incident.
const (
	IncidentMismatch       IncidentKind = "payment-mismatch"
	IncidentLate           IncidentKind = "paid-after-close"
	IncidentDouble         IncidentKind = "double-payment"
	IncidentForeignRefund  IncidentKind = "refunded-elsewhere"
	IncidentRefundMismatch IncidentKind = "refund-mismatch"
	IncidentRefundAbnormal IncidentKind = "refund-abnormal"
	IncidentRefundRefused  IncidentKind = "refund-refused"
	IncidentRefundStuck    IncidentKind = "refund-stuck"
	IncidentOverdue        IncidentKind = "overdue" // too long in one state, or one refund in one stage: see stays
)

// MaxIncidents bounds the incidents kept on an order; later ones are dropped, the first ones tell the story.
const MaxIncidents = 20

// Incident is something that should not have happened; people look at it.
type Incident struct {
	Kind   IncidentKind `bson:"kind"`
	Detail string       `bson:"detail"` // codes, numbers and amounts; never personal data
	At     time.Time    `bson:"at"`
}

// record keeps an incident once and tells whether it was new.
func (o *Order) record(kind IncidentKind, detail string, now time.Time) bool {
	for _, known := range o.Incidents {
		if known.Kind == kind && known.Detail == detail {
			return false
		}
	}
	if len(o.Incidents) >= MaxIncidents {
		return false
	}
	o.Incidents = append(o.Incidents, Incident{Kind: kind, Detail: detail, At: now})
	o.IncidentAt = now
	o.Emit(EventIncident, Incidence{Order: o.ID, Kind: kind, Detail: detail, At: now})
	return true
}

// sale is the shared part of the payloads.
func (o *Order) sale() Sale {
	s := Sale{
		Order: o.ID, Member: o.Member, Campaign: o.Campaign, Community: o.Community, Host: o.Host,
		Grade: o.Grade, Amount: o.Amount, Referral: o.Referral, Share: o.Share, PlacedAt: o.PlacedAt,
		Lines: make([]SaleLine, len(o.Lines)),
	}
	if o.Pickup != nil {
		s.Pickup, s.Keeper = o.Pickup.Point, o.Pickup.Keeper
	}
	for i, l := range o.Lines {
		units, amount := o.returned(i + 1)
		s.Lines[i] = SaleLine{
			Line: i + 1, SKU: l.SKU, Product: l.Product, Name: l.Name, Category: l.Category, Units: l.Units,
			Price: l.Price, Cost: l.Cost, Paid: l.Paid, RefundedUnits: units, Refunded: amount,
		}
	}
	return s
}
