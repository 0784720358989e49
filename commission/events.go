package commission

import "time"

// What commission tells others.
const (
	EventDisputeOpened   = "commission.DisputeOpened"   // DisputeOpened: staff has something to answer
	EventDisputeAnswered = "commission.DisputeAnswered" // DisputeAnswered: the member has an answer to read
	EventPeriodClosed    = "commission.PeriodClosed"    // PeriodClosed
)

// DisputeOpened: a member doubts an entry.
type DisputeOpened struct {
	Dispute string    `bson:"dispute"`
	Member  string    `bson:"member"`
	Entry   string    `bson:"entry"`
	At      time.Time `bson:"at"`
}

// DisputeAnswered: staff has answered.
type DisputeAnswered struct {
	Dispute string    `bson:"dispute"`
	Member  string    `bson:"member"`
	Entry   string    `bson:"entry"`
	Upheld  bool      `bson:"upheld"`
	At      time.Time `bson:"at"`
}

// PeriodClosed: a month's books are closed and its statements frozen.
type PeriodClosed struct {
	Book  string    `bson:"book"`
	Month string    `bson:"month"` // 2026-10
	At    time.Time `bson:"at"`
}
