package outreach

import (
	"errors"

	"guanxi/internal/fsm"
)

// State is where a notice stands.
type State string

// The states of a notice. Sent and unsent are final.
const (
	Planned State = "planned" // to be sent
	Sending State = "sending" // about to be sent, or being sent: nobody else ever sends it
	Sent    State = "sent"    // the platform has taken it
	Unsent  State = "unsent"  // it was not, or nobody knows: see Reason
)

// States lists them in the order of a life.
func States() []State { return []State{Planned, Sending, Sent, Unsent} }

// Reason says why a notice was not sent.
type Reason string

// The reasons.
const (
	NoCredit   Reason = "no-credit"   // the member has not accepted this template, or has used up every acceptance
	Refused    Reason = "refused"     // the platform says no to the content
	NoTemplate Reason = "no-template" // the platform knows no such template
	TooLate    Reason = "too-late"    // it is not worth telling any more
	Overtaken  Reason = "overtaken"   // what followed is told instead
	Quiet      Reason = "quiet"       // the member did it and knows
	Gone       Reason = "gone"        // there is no such member any more
	Unknown    Reason = "unknown"     // it may have arrived: nobody knows
)

var reasonOrder = [...]Reason{NoCredit, Refused, NoTemplate, TooLate, Overtaken, Quiet, Gone, Unknown}

// Reasons lists them.
func Reasons() []Reason { return append([]Reason(nil), reasonOrder[:]...) }

// cause is what moves a notice.
type cause string

const (
	bySending  cause = "sending"  // a credit is held, and this process is about to send
	byDropping cause = "dropping" // nothing will be sent
	byFailing  cause = "failing"  // it surely did not reach the platform
	byArrival  cause = "arrival"  // the platform took it
	byRefusal  cause = "refusal"  // the platform said no
	bySilence  cause = "silence"  // the platform's answer is lost, or who was sending is gone
)

func causes() []cause {
	return []cause{bySending, byDropping, byFailing, byArrival, byRefusal, bySilence}
}

// moves is the whole state machine: what is not in this table does not happen. Only failing leads back, and nothing leads
// from the other ends of sending to another sending.
var moves = fsm.Table[State, cause]{
	{Planned, bySending, Sending},
	{Planned, byDropping, Unsent},
	{Sending, byFailing, Planned},
	{Sending, byArrival, Sent},
	{Sending, byRefusal, Unsent},
	{Sending, bySilence, Unsent},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("notice")}
}

// errWrongState ends a change whose notice has moved on meanwhile.
var errWrongState = errors.New("outreach: the state does not allow this")

// move carries out the one move the table allows.
func (n *Notice) move(by cause) error {
	to, ok := moves.Move(n.State, by)
	if !ok {
		return errWrongState
	}
	n.State = to
	return nil
}

// Ended tells whether the notice's fate is sealed.
func (s State) Ended() bool { return s == Sent || s == Unsent }
