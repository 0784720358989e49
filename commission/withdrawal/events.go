package withdrawal

import (
	"time"

	"guanxi/internal/money"
)

// Names of the events.
const (
	EventWaiting  = "withdrawal.Waiting"  // WaitingEvent: tell the member to confirm
	EventPaid     = "withdrawal.Paid"     // PaidEvent
	EventReturned = "withdrawal.Returned" // ReturnedEvent: the money is in the purse again
	EventIncident = "withdrawal.Incident" // Incidence: something people should look at
)

// Incidence: something people should look at; codes and amounts only.
type Incidence struct {
	Number string       `bson:"number"`
	Kind   IncidentKind `bson:"kind"`
	Detail string       `bson:"detail"`
	State  State        `bson:"state"`
	At     time.Time    `bson:"at"`
}

// WaitingEvent: the member has to confirm in the mini-program before Until.
type WaitingEvent struct {
	Number string    `bson:"number"`
	Member string    `bson:"member"`
	Gross  money.Fen `bson:"gross"`
	Tax    money.Fen `bson:"tax"`
	Net    money.Fen `bson:"net"`
	Until  time.Time `bson:"until"`
}

// PaidEvent: the money is in the member's wallet and in the ledger.
type PaidEvent struct {
	Number string    `bson:"number"`
	Member string    `bson:"member"`
	Gross  money.Fen `bson:"gross"`
	Tax    money.Fen `bson:"tax"`
	Net    money.Fen `bson:"net"`
	Bill   string    `bson:"bill"`
	PaidAt time.Time `bson:"paid_at"`
}

// ReturnedEvent: the money is back in the purse.
type ReturnedEvent struct {
	Number string    `bson:"number"`
	Member string    `bson:"member"`
	Gross  money.Fen `bson:"gross"`
	State  State     `bson:"state"` // rejected, failed, expired, cancelled, or returned when it had been paid
	Code   string    `bson:"code"`
	Why    string    `bson:"why"` // Chinese, for the member
	At     time.Time `bson:"at"`
}
