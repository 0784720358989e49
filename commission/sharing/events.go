package sharing

import (
	"time"

	"guanxi/internal/money"
)

// Names of the events.
const (
	EventDone = "sharing.Done" // Done
	EventLeft = "sharing.Left" // Left
	// EventTrouble: TroubleEvent, something people must look at.
	EventTrouble = "sharing.Trouble"
)

// TroubleEvent: an answer that cannot be, or a state that lasts too long.
type TroubleEvent struct {
	Order   string    `bson:"order"`
	What    string    `bson:"what"`
	State   State     `bson:"state"`
	Overdue bool      `bson:"overdue,omitempty"`
	At      time.Time `bson:"at"`
}

// Done: a member's part is in his wallet and in the ledger.
type Done struct {
	Order  string    `bson:"order"`
	Number string    `bson:"number"`
	Member string    `bson:"member"`
	Amount money.Fen `bson:"amount"`
	At     time.Time `bson:"at"`
}

// Left: a member's part was not paid like this; it is in his purse and can be withdrawn.
type Left struct {
	Order  string    `bson:"order"`
	Number string    `bson:"number"`
	Member string    `bson:"member"`
	Amount money.Fen `bson:"amount"`
	Code   Code      `bson:"code"`
	Why    string    `bson:"why"` // Chinese, for the member
	At     time.Time `bson:"at"`
}
