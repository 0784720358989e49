package reconcile

import "time"

// EventTrouble tells that the bill of a day cannot be matched: TroubleEvent.
const EventTrouble = "reconcile.Trouble"

// Trouble is why a day is not matched.
type Trouble string

// The troubles.
const (
	TroubleUnreadable Trouble = "unreadable" // the bill is there and cannot be used
	TroubleOverdue    Trouble = "overdue"    // matched by no means for longer than the longest stay
	TroubleLost       Trouble = "lost"       // the platform has forgotten it
)

// TroubleEvent is the payload of EventTrouble.
type TroubleEvent struct {
	Statement Statement `bson:"statement"`
	Day       string    `bson:"day"`
	Trouble   Trouble   `bson:"trouble"`
	Problem   string    `bson:"problem"` // a code
	Reason    string    `bson:"reason,omitempty"`
	At        time.Time `bson:"at"`
}

// LongestStay is how long a run may wait for its bill, or be worked on, before people are told.
const LongestStay = 12 * time.Hour

// EventFinished tells that a statement of a day has been matched to its end.
const EventFinished = "reconcile.Finished"

// Finished is the payload of EventFinished.
type Finished struct {
	Statement   Statement `bson:"statement"`
	Day         string    `bson:"day"`
	State       State     `bson:"state"`
	Attempt     int64     `bson:"attempt"`
	Matched     int64     `bson:"matched"`
	Differences int64     `bson:"differences"`
	At          time.Time `bson:"at"`
}
