package reconcile

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
}
