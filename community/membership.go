package community

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/fsm"
)

// State is where a membership stands.
type State string

// The states of a membership.
const (
	Never   State = ""        // not stored yet
	Active  State = "active"  // belongs
	Gone    State = "left"    // left by themselves; may come back
	Removed State = "removed" // by the host or the brand; may not come back by themselves
)

// Step is what can happen to a membership.
type Step string

// The steps.
const (
	StepJoin    Step = "join"    // the member opens a share or taps join
	StepLeave   Step = "leave"   // the member leaves
	StepRemove  Step = "remove"  // the host, or the brand, removes the member
	StepReadmit Step = "readmit" // the host, or the brand, lets a removed member in again
)

// transitions is every allowed move. A step that is missing here is refused; one that leads to where the
// membership is already changes nothing.
var transitions = fsm.Table[State, Step]{
	{Never, StepJoin, Active},
	{Active, StepJoin, Active},
	{Active, StepLeave, Gone},
	{Active, StepRemove, Removed},
	{Active, StepReadmit, Active},
	{Gone, StepJoin, Active},
	{Gone, StepLeave, Gone},
	{Gone, StepRemove, Removed},
	{Removed, StepRemove, Removed},
	{Removed, StepReadmit, Active},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{transitions.Draw("membership")}
}

// refusal is the fault of a step that is not in the table.
func refusal(from State, step Step) *fault.Fault {
	if from == Removed && step == StepJoin {
		return ErrRemoved
	}
	return ErrNotMember
}

// Membership says that, and since when, somebody belongs to a community.
type Membership struct {
	docstore.Doc `bson:",inline"`
	Community    string    `bson:"community"`
	Member       string    `bson:"member"`
	State        State     `bson:"state"`
	Via          string    `bson:"via,omitempty"` // the share link that brought them the last time
	JoinedAt     time.Time `bson:"joined_at"`     // the last time
	FirstAt      time.Time `bson:"first_at"`      // the first time
	History      []Move    `bson:"history"`       // the first and the latest MaxMoves-1
}

// Move is one line of a membership's history.
type Move struct {
	Step   Step      `bson:"step"`
	Via    string    `bson:"via,omitempty"`
	By     string    `bson:"by,omitempty"`     // the person of staff, when the brand did it
	Reason string    `bson:"reason,omitempty"` // theirs
	At     time.Time `bson:"at"`
}

// MaxMoves bounds the history of a membership.
const MaxMoves = 50

// move carries out a step; changed is false when there is nothing to do.
func (m *Membership) move(made Move) (changed bool, err error) {
	next, allowed := transitions.Move(m.State, made.Step)
	if !allowed {
		return false, refusal(m.State, made.Step)
	}
	if next == m.State {
		return false, nil
	}
	m.State = next
	if next == Active {
		m.Via, m.JoinedAt = made.Via, made.At
		if m.FirstAt.IsZero() {
			m.FirstAt = made.At
		}
	}
	m.History = append(m.History, made)
	if len(m.History) > MaxMoves {
		m.History = append(m.History[:1], m.History[2:]...)
	}
	return true, nil
}

func membershipID(community, member string) string { return community + "/" + member }
