package member

import "time"

// What member tells others. None carries personal data.
const (
	EventRegistered = "member.Registered"
	EventPhoneBound = "member.PhoneBound"
	EventConsented  = "member.Consented"
)

// Registered: somebody logged in for the first time.
type Registered struct {
	Member string    `bson:"member"`
	At     time.Time `bson:"at"`
}

// PhoneBound: a number was bound or replaced.
type PhoneBound struct {
	Member string    `bson:"member"`
	At     time.Time `bson:"at"`
}

// Consented: a consent was given or withdrawn.
type Consented struct {
	Member  string    `bson:"member"`
	Kind    Kind      `bson:"kind"`
	Version string    `bson:"version"`
	Granted bool      `bson:"granted"`
	At      time.Time `bson:"at"`
}
