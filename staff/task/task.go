package task

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
	"guanxi/internal/id"
	"guanxi/staff"
)

// State is where a task stands.
type State string

// The states of a task.
const (
	Open     State = "open"
	Resolved State = "resolved" // a person has settled it; Words say how
	Healed   State = "healed"   // its cause is gone; Words say why
)

// Known reports whether there is such a state.
func (s State) Known() bool { return s == Open || s == Resolved || s == Healed }

// moves is the state machine of a task.
var moves = fsm.Table[State, string]{
	{"", "", Open},
	{Open, "", Resolved},
	{Open, "", Healed},
	{Resolved, "", Open}, // somebody asks for it, or the cause came back
	{Healed, "", Open},   // the cause is back
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("task")}
}

// Bounds of a task.
const (
	MaxWords    = 500 // characters
	MaxLink     = 300 // bytes
	maxEvidence = 20
	maxTurns    = 100
	maxValue    = 500 // bytes of one piece of evidence
)

// Task is one thing people must look at.
type Task struct {
	docstore.Doc `bson:",inline"`
	Kind         string     `bson:"kind"`
	Subject      string     `bson:"subject"` // <what>/<id>: order/…, withdrawal/…, sharing/…, bill/<statement>/<day>, event/…
	Detail       string     `bson:"detail,omitempty"`
	Role         staff.Role `bson:"role"`
	Owner        string     `bson:"owner"` // who has taken it; "" is nobody
	State        State      `bson:"state"`
	OpenedAt     time.Time  `bson:"opened_at"`
	DueAt        time.Time  `bson:"due_at"`
	CauseAt      time.Time  `bson:"cause_at"` // of the newest report
	LookAt       time.Time  `bson:"look_at"`  // when to ask again whether the cause is gone
	Looks        int        `bson:"looks,omitempty"`
	Reopened     int        `bson:"reopened,omitempty"`
	Evidence     []Evidence `bson:"evidence,omitempty"`
	Turns        []Turn     `bson:"turns,omitempty"` // what people did, oldest first; the newest maxTurns

	ClosedAt time.Time `bson:"closed_at,omitempty"`
	By       string    `bson:"by,omitempty"`
	Words    string    `bson:"words,omitempty"`
	Link     string    `bson:"link,omitempty"`
}

// Evidence is one fact about the cause: codes, numbers and amounts, never personal data.
type Evidence struct {
	Name  string `bson:"name"` // Chinese
	Value string `bson:"value"`
}

// Turn is one thing somebody did with a task.
type Turn struct {
	At    time.Time `bson:"at"`
	By    string    `bson:"by"` // an operator; "" is the program
	What  string    `bson:"what"`
	To    string    `bson:"to,omitempty"`
	Words string    `bson:"words,omitempty"`
}

// What somebody did.
const (
	DidTake     = "take"
	DidHandOver = "hand-over"
	DidResolve  = "resolve"
	DidReopen   = "reopen"
	DidHeal     = "heal"
	DidReturn   = "return" // the cause came back
)

// Finding is a cause as a domain tells it.
type Finding struct {
	Kind     string
	Subject  string
	Detail   string    // tells causes of one kind and subject apart
	At       time.Time // when it happened
	Evidence []Evidence
}

// ID is the id of a cause's task.
func (f *Finding) ID() string { return id.Derive("task", f.Kind, f.Subject, f.Detail) }

func (t *Task) move(to State) error {
	if !moves.Leads(t.State, to) {
		return ErrWrongState
	}
	t.State = to
	return nil
}

func (t *Task) turn(now time.Time, turn Turn) {
	turn.At = now
	t.Turns = append(t.Turns, turn)
	if len(t.Turns) > maxTurns {
		t.Turns = t.Turns[len(t.Turns)-maxTurns:]
	}
}

// open makes the task open from now on.
func (t *Task) open(rule *Rule, now time.Time) error {
	if err := t.move(Open); err != nil {
		return err
	}
	t.Role, t.OpenedAt, t.DueAt = rule.Role, now, now.Add(rule.Within)
	t.LookAt, t.Looks = now.Add(lookDelay(0)), 0
	t.ClosedAt, t.By, t.Words, t.Link = time.Time{}, "", "", ""
	return nil
}

// close ends an open task.
func (t *Task) close(to State, now time.Time, by, words, link string) error {
	if err := t.move(to); err != nil {
		return err
	}
	t.ClosedAt, t.By, t.Words, t.Link = now, by, words, link
	return nil
}

// lookDelay is between questions whether a cause is gone: 1 min doubling to 1 h.
func lookDelay(looks int) time.Duration { return min(time.Minute<<min(looks, 6), time.Hour) }
