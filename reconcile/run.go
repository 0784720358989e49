package reconcile

import (
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
	"guanxi/internal/money"
)

// State is where a run stands.
type State string

// The states of a run.
const (
	Waiting   State = "waiting"   // for the bill, or for its turn
	Matching  State = "matching"  // a process is at it, or died at it
	Balanced  State = "balanced"  // every fen meets
	Differing State = "differing" // tasks are open
	Resolved  State = "resolved"  // there were differences; all of them are explained
	Lost      State = "lost"      // the platform no longer has the bill and we never got it
)

// cause is what moves a run.
type cause string

const (
	byStart   cause = "start"
	byTrouble cause = "trouble"
	byNothing cause = "no difference"
	byTasks   cause = "open tasks"
	byAnswers cause = "all explained"
	byLook    cause = "another look"
	byAge     cause = "too old"
)

// moves is the whole state machine of a run: what is not in this table does not happen.
var moves = fsm.Table[State, cause]{
	{Waiting, byStart, Matching},
	{Waiting, byAge, Lost},
	{Matching, byStart, Matching}, // the process before died
	{Matching, byTrouble, Waiting},
	{Matching, byNothing, Balanced},
	{Matching, byTasks, Differing},
	{Matching, byAnswers, Resolved},
	{Differing, byAnswers, Resolved},
	{Balanced, byLook, Waiting},
	{Differing, byLook, Waiting},
	{Resolved, byLook, Waiting},
	{Waiting, byLook, Waiting},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("day of a bill"), taskMoves.Draw("difference of a bill")}
}

// Run is one statement of one business day. Its id is <statement>/<day>.
type Run struct {
	docstore.Doc `bson:",inline"`

	Statement Statement `bson:"statement"`
	Day       string    `bson:"day"` // 2006-01-02, Shanghai
	State     State     `bson:"state"`
	MadeAt    time.Time `bson:"made_at"`
	NextAt    time.Time `bson:"next_at,omitempty"` // when somebody should work on it; absent = not by itself

	Attempt  int64  `bson:"attempt"`            // goes up whenever a process starts on it
	Failures int    `bson:"failures,omitempty"` // in a row
	Problem  string `bson:"problem,omitempty"`  // why it waits, for people: a code
	Reason   string `bson:"reason,omitempty"`   // and in words, when the bill was refused
	Told     bool   `bson:"told,omitempty"`     // people know that it takes too long
	Lease    string `bson:"lease,omitempty"`    // of the process that works on it, until NextAt
	Round    int    `bson:"round"`              // goes up when a person asks for the day again
	Asked    bool   `bson:"asked,omitempty"`    // Again was asked and has not come to its end yet
	Looks    int    `bson:"looks,omitempty"`    // second looks it has had in this round

	Fetched   bool      `bson:"fetched,omitempty"` // the bill is here, in pages
	FetchedAt time.Time `bson:"fetched_at,omitempty"`
	Evidence  int64     `bson:"evidence,omitempty"` // the attempt whose pages count
	Pages     int       `bson:"pages,omitempty"`
	Empty     bool      `bson:"empty,omitempty"` // the platform says there is no bill for this day
	Said      Totals    `bson:"said"`            // what the bill says of itself
	Bill      Totals    `bson:"bill"`            // what its lines add up to

	Seen        Seen      `bson:"seen"`        // what was seen and is no difference
	Ours        Totals    `bson:"ours"`        // what our books have of this day
	Matched     int64     `bson:"matched"`     // lines that meet ours
	Strays      int64     `bson:"strays"`      // of them, lines that our books date on another day, or not yet
	Differences int64     `bson:"differences"` // all that were found, by the last finished matching
	Beyond      int64     `bson:"beyond"`      // of them, without a task, because there are more than MaxTasks
	FinishedAt  time.Time `bson:"finished_at,omitempty"`
}

// Seen is what a bill has that is no difference and that people want to know.
type Seen struct {
	Foreign    int64     `bson:"foreign,omitempty"`     // rows of other programs of the merchant
	ForeignIn  money.Fen `bson:"foreign_in,omitempty"`  // what they paid in
	ForeignOut money.Fen `bson:"foreign_out,omitempty"` // what went out for them
	Coupons    int64     `bson:"coupons,omitempty"`     // rows with a coupon that was not prefunded
	CouponIn   money.Fen `bson:"coupon_in,omitempty"`   // what of payments did not come in
	CouponOut  money.Fen `bson:"coupon_out,omitempty"`  // what of refunds did not go out
	Processing int64     `bson:"processing,omitempty"`  // refunds the bill calls under way: its rows are written once
	Fees       money.Fen `bson:"fees,omitempty"`        // taken
	FeesBack   money.Fen `bson:"fees_back,omitempty"`   // given back with refunds
	NetRefunds int64     `bson:"net_refunds,omitempty"` // fund rows of refunds that are less the fee given back; the others are whole
}

// add counts a line of the bill.
func (s *Seen) add(l *Line) {
	switch {
	case l.Move == Fee && l.In:
		s.FeesBack += l.Amount
	case l.Move == Fee:
		s.Fees += l.Amount
	case l.Flow != "": // of a fund bill: its remarks say no more of coupons
		return
	case l.Fee > 0:
		s.Fees += l.Fee
	case l.Fee < 0:
		s.FeesBack -= l.Fee
	}
	if l.Flow != "" || !l.Move.matched() {
		return
	}
	if l.Settled != 0 {
		s.Coupons++
		if l.In {
			s.CouponIn += l.Amount - l.Settled
		} else {
			s.CouponOut += l.Amount - l.Settled
		}
	}
	if l.State == LineOpen {
		s.Processing++
	}
}

func (s *Seen) foreignAmount(l *Line) {
	if l.In {
		s.ForeignIn += l.settled()
	} else {
		s.ForeignOut += l.settled()
	}
}

func runID(s Statement, day string) string { return string(s) + "/" + day }

// tell says, with the write that is going on, what people must look at.
func (r *Run) tell(trouble Trouble, now time.Time) {
	r.Emit(EventTrouble, TroubleEvent{
		Statement: r.Statement, Day: r.Day, Trouble: trouble, Problem: r.Problem, Reason: r.Reason, At: now,
	})
}

// tellOverdue says once that the run takes too long.
func (r *Run) tellOverdue(now time.Time) {
	if !r.Told && now.Sub(r.MadeAt) >= LongestStay && r.FinishedAt.IsZero() {
		r.Told = true
		r.tell(TroubleOverdue, now)
	}
}

// move carries out the one move the table allows, or answers ErrWrongState.
func (r *Run) move(by cause) error {
	to, ok := moves.Move(r.State, by)
	if !ok {
		return ErrWrongState
	}
	r.State = to
	return nil
}

const (
	readyHour   = 10 // of the next day, Shanghai
	monthsKept  = 3  // how long the platform keeps bills
	creatingFor = 30 * time.Minute
)

// readyAt is when the platform promises the bill of a day.
func readyAt(day string) (time.Time, error) {
	_, to, err := span(day)
	return to.Add(readyHour * time.Hour), err
}

// gone tells whether the platform no longer has the bill.
func gone(day string, now time.Time) bool {
	from, _, err := span(day)
	return err == nil && now.After(from.AddDate(0, monthsKept, 0))
}

// pause backs off after failures in a row: 1 min doubling to 1 h.
func pause(failures int) time.Duration { return min(time.Minute<<min(failures, 10), time.Hour) }
