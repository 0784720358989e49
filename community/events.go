package community

import "time"

// What community tells others.
const (
	EventCreated = "community.Created"
	EventJoined  = "community.Joined"
	EventLeft    = "community.Left"
	EventGraded  = "community.Graded"
)

// Created: a host has a new community.
type Created struct {
	Community string    `bson:"community"`
	Host      string    `bson:"host"`
	At        time.Time `bson:"at"`
}

// Joined: a member belongs to a community from now on.
type Joined struct {
	Community string    `bson:"community"`
	Member    string    `bson:"member"`
	Host      string    `bson:"host"`
	Via       string    `bson:"via,omitempty"`   // the share link that brought them, if one did
	Again     bool      `bson:"again,omitempty"` // had been there before
	At        time.Time `bson:"at"`
}

// Left: a member left or was removed.
type Left struct {
	Community string    `bson:"community"`
	Member    string    `bson:"member"`
	Removed   bool      `bson:"removed,omitempty"` // by the host or the brand
	At        time.Time `bson:"at"`
}

// Graded: the brand's staff gave a host another grade.
type Graded struct {
	Host  string    `bson:"host"`
	Grade string    `bson:"grade"` // "" is none
	Was   string    `bson:"was"`
	By    string    `bson:"by"`
	At    time.Time `bson:"at"`
}
