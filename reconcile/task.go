package reconcile

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
	"guanxi/internal/id"
)

// Difference is the class of a disagreement.
type Difference string

// The differences. A line makes at most one task: the first of this list that holds, doubled before all.
const (
	Doubled     Difference = "doubled"      // the bill has the number more than once
	Unexplained Difference = "unexplained"  // the bill has movements of a kind our books do not know: one task a kind and day
	MissingOurs Difference = "missing-ours" // the bill has a number our books do not know
	StateWrong  Difference = "state"        // both know it; one says the money moved, the other does not
	AmountWrong Difference = "amount"       // both know it, with another amount
	NumberWrong Difference = "number"       // both know it, under another number of the platform
	FeeWrong    Difference = "fee"          // the platform took another fee than agreed
	MissingBill Difference = "missing-bill" // our books say it happened that day, and no bill has it
	SummaryOff  Difference = "summary"      // the bill's own totals are not the sum of its lines
	Refused     Difference = "refused"      // the bill of the day cannot be read; Reason says why
)

// Sentence says a difference in words for people.
func (d Difference) Sentence() (zh, en string) {
	s := sentences[d]
	return s[0], s[1]
}

var sentences = map[Difference][2]string{
	Doubled:     {"账单中同一单号出现多次。", "The bill has this number more than once."},
	Unexplained: {"账单中有我方账簿没有的资金变动。", "The bill has a movement of a kind our books do not know."},
	MissingOurs: {"账单中有，我方账簿中没有。", "In the bill, but not in our books."},
	StateWrong:  {"双方都有记录，但状态不一致。", "Both sides know it, in different states."},
	AmountWrong: {"双方都有记录，但金额不一致。", "Both sides know it, with different amounts."},
	NumberWrong: {"双方都有记录，但平台单号不一致。", "Both sides know it, under different platform numbers."},
	FeeWrong:    {"手续费与约定费率不符。", "The fee is not the agreed one."},
	MissingBill: {"我方账簿中有，账单中没有。", "In our books, but not in the bill."},
	SummaryOff:  {"账单汇总与明细合计不一致。", "The bill's totals are not the sum of its lines."},
	Refused:     {"当日账单无法读取，整日尚未核对。", "The bill of the day cannot be read; the whole day is not matched."},
}

// TaskState is where a task stands.
type TaskState string

// The states of a task.
const (
	TaskOpen     TaskState = "open"
	TaskResolved TaskState = "resolved" // a person explained it
	TaskHealed   TaskState = "healed"   // the difference went away; Words say how
)

// taskMoves is the state machine of a task.
var taskMoves = fsm.Table[TaskState, string]{
	{"", "", TaskOpen},
	{TaskOpen, "", TaskResolved},
	{TaskOpen, "", TaskHealed},
	{TaskResolved, "", TaskOpen}, // asked for again and it still differs
	{TaskHealed, "", TaskOpen},   // it is back
}

// MaxLines bounds the bill lines kept with one task.
const MaxLines = 10

// Task is one difference, for a person to explain.
type Task struct {
	docstore.Doc `bson:",inline"`

	Run        string     `bson:"run"`
	Statement  Statement  `bson:"statement"`
	Day        string     `bson:"day"`
	Difference Difference `bson:"difference"`
	Move       Movement   `bson:"move,omitempty"`
	Number     string     `bson:"number"` // of the order, refund or transfer; the kind when unexplained; the day for a summary or a refused bill
	State      TaskState  `bson:"state"`
	OpenedAt   time.Time  `bson:"opened_at"`
	Reopened   int        `bson:"reopened,omitempty"`

	Lines   []Line  `bson:"lines,omitempty"`   // the platform's side; at most MaxLines
	Ours    *Fact   `bson:"ours,omitempty"`    // our side
	Said    *Totals `bson:"said,omitempty"`    // summary: what the bill says
	Counted *Totals `bson:"counted,omitempty"` // summary: what its lines add up to; unexplained: what its kind adds up to
	Reason  string  `bson:"reason,omitempty"`  // refused: why, in words

	Seen  int64 `bson:"seen"`  // the attempt that found it last
	Round int   `bson:"round"` // the round in which it was found last

	ClosedAt time.Time `bson:"closed_at,omitempty"`
	By       string    `bson:"by,omitempty"`    // who resolved it
	Words    string    `bson:"words,omitempty"` // their explanation; or why it healed
	Link     string    `bson:"link,omitempty"`  // what they point at: an adjustment, a ticket
}

// Why a task healed.
const (
	HealedAgrees    = "再次核对时双方一致 / both sides agree by now"
	HealedElsewhere = "已在另一日账单中找到 / found in the bill of " // and the day
	HealedRead      = "账单已读取并核对 / the bill could be read"
)

// finding is a difference before it is a task.
type finding struct {
	kind          Difference
	move          Movement
	number        string
	lines         []Line
	ours          *Fact
	said, counted *Totals
	reason        string
}

func taskID(run string, d Difference, m Movement, number string) string {
	return id.Derive("reconcile-task", run, string(d), string(m), number)
}

func (t *Task) move(to TaskState) error {
	if !taskMoves.Leads(t.State, to) {
		return ErrWrongState
	}
	t.State = to
	return nil
}

// see brings a task up to what a run has just found: a new one opens, a healed one opens again, a resolved one
// only when the day was asked for again since.
func (t *Task) see(r *Run, f finding, now time.Time) error {
	if t.Fresh() {
		t.Run, t.Statement, t.Day = r.ID, r.Statement, r.Day
		t.Difference, t.Move, t.Number = f.kind, f.move, f.number
	}
	if t.State == "" || t.State == TaskHealed || t.State == TaskResolved && t.Round < r.Round {
		if !t.Fresh() {
			t.Reopened++
		}
		if err := t.move(TaskOpen); err != nil {
			return err
		}
		t.OpenedAt, t.ClosedAt, t.By, t.Words, t.Link = now, time.Time{}, "", "", ""
	}
	t.Lines, t.Ours, t.Said, t.Counted = f.lines, f.ours, f.said, f.counted
	t.Reason, t.Seen, t.Round = f.reason, r.Attempt, r.Round
	return nil
}

// heal closes an open task by itself.
func (t *Task) heal(words string, now time.Time) error {
	if err := t.move(TaskHealed); err != nil {
		return err
	}
	t.Words, t.ClosedAt = words, now
	return nil
}
