package distribution

import "time"

// What distribution tells others.
const (
	EventTouchRecorded = "touch.Recorded"
	EventBondMoved     = "bond.Moved"
)

// TouchRecorded: somebody opened a share for the first time that day.
type TouchRecorded struct {
	Touch     string    `bson:"touch"`
	Share     string    `bson:"share"`
	Sharer    string    `bson:"sharer"`
	Visitor   string    `bson:"visitor"`
	Community string    `bson:"community,omitempty"`
	Fresh     bool      `bson:"fresh"` // no share was ever credited to this visitor's bond before
	At        time.Time `bson:"at"`
}

// BondMoved: another member is credited for this one from now on, or nobody is.
type BondMoved struct {
	Member string    `bson:"member"`
	From   string    `bson:"from,omitempty"`
	To     string    `bson:"to,omitempty"`
	Why    string    `bson:"why"`
	At     time.Time `bson:"at"`
}
