package hosting

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
)

// State is where a member stands as a host.
type State string

// The states.
const (
	None     State = ""         // never applied: not stored
	Applied  State = "applied"  // waits for the brand
	Refused  State = "refused"  // may apply again
	Approved State = "approved" // hosts
	Revoked  State = "revoked"  // hosts no more: what is paid is still fulfilled
	Carried  State = "carried"  // hosted before the rule: what runs goes on, nothing new begins until staff has looked
)

// States lists the stored states, the ones that wait for staff first.
func States() []State { return []State{Applied, Carried, Approved, Revoked, Refused} }

// Step is what can happen to a hosting.
type Step string

// The steps.
const (
	StepApply     Step = "apply"     // the member asks, or asks again
	StepApprove   Step = "approve"   // staff
	StepRefuse    Step = "refuse"    // staff, with the reason the member reads
	StepRevoke    Step = "revoke"    // staff
	StepReinstate Step = "reinstate" // staff
	StepCarry     Step = "carry"     // once, when the rule came
)

// transitions is every allowed move; what is not here is refused. A step that leads to where the hosting is already
// changes nothing.
var transitions = fsm.Table[State, Step]{
	{None, StepApply, Applied},
	{None, StepCarry, Carried},
	{Applied, StepApply, Applied},
	{Applied, StepApprove, Approved},
	{Applied, StepRefuse, Refused},
	{Applied, StepCarry, Applied},
	{Refused, StepApply, Applied},
	{Refused, StepRefuse, Refused},
	{Refused, StepCarry, Refused},
	{Approved, StepApprove, Approved},
	{Approved, StepReinstate, Approved},
	{Approved, StepRevoke, Revoked},
	{Approved, StepCarry, Approved},
	{Carried, StepApprove, Approved},
	{Carried, StepRevoke, Revoked},
	{Carried, StepCarry, Carried},
	{Revoked, StepRevoke, Revoked},
	{Revoked, StepReinstate, Approved},
	{Revoked, StepCarry, Revoked},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{transitions.Draw("hosting")}
}

// Hosting is one member's standing as a host; its id is the member's.
type Hosting struct {
	docstore.Doc `bson:",inline"`
	State        State     `bson:"state"`
	Words        string    `bson:"words,omitempty"` // of the last application
	Since        time.Time `bson:"since"`           // of this state
	History      []Move    `bson:"history"`         // the first and the latest MaxMoves-1
}

// Move is one line of the history.
type Move struct {
	Step   Step      `bson:"step"`
	Was    State     `bson:"was"`
	By     string    `bson:"by,omitempty"`     // the person of staff; "" is the member, or the rule itself
	Reason string    `bson:"reason,omitempty"` // the member reads it
	At     time.Time `bson:"at"`
}

// Bounds.
const (
	MaxMoves  = 100
	MaxWords  = 500
	MaxReason = 200
)

// Reason is what staff said the last time, for the member; "" when nobody has.
func (h *Hosting) Reason() string {
	for i := len(h.History) - 1; i >= 0; i-- {
		if h.History[i].By != "" {
			return h.History[i].Reason
		}
	}
	return ""
}

// move carries out a step; changed is false when there is nothing to do.
func (h *Hosting) move(m Move) (changed bool, err error) {
	next, allowed := transitions.Move(h.State, m.Step)
	if !allowed {
		return false, ErrState
	}
	if next == h.State {
		return false, nil
	}
	m.Was = h.State
	h.State, h.Since = next, m.At
	if h.History = append(h.History, m); len(h.History) > MaxMoves {
		h.History = append(h.History[:1], h.History[2:]...)
	}
	h.Emit(EventMoved, Moved{Member: h.ID, Step: m.Step, Was: m.Was, State: next, By: m.By, Reason: m.Reason, At: m.At})
	return true, nil
}

// EventMoved tells that somebody's standing changed.
const EventMoved = "hosting.Moved"

// Moved is its payload.
type Moved struct {
	Member string    `bson:"member"`
	Step   Step      `bson:"step"`
	Was    State     `bson:"was"`
	State  State     `bson:"state"`
	By     string    `bson:"by,omitempty"`
	Reason string    `bson:"reason,omitempty"`
	At     time.Time `bson:"at"`
}
