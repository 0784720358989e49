package withdrawal

import "guanxi/internal/fsm"

// State is where a withdrawal stands.
type State string

// The states of a withdrawal.
const (
	Asked     State = "asked"     // written down; the money is being reserved
	Refused   State = "refused"   // purse too short or a limit: nothing was reserved
	Held      State = "held"      // reserved; waits for a person's word
	Rejected  State = "rejected"  // a person said no; the money is back
	Approved  State = "approved"  // to be sent
	Sent      State = "sent"      // on its way to the platform or there: only the platform can end it
	Waiting   State = "waiting"   // the member has to confirm in the mini-program
	Paid      State = "paid"      // in the member's wallet
	Failed    State = "failed"    // the platform said no; the money is back
	Expired   State = "expired"   // nobody confirmed, or nobody reviewed, in time; the money is back
	Cancelled State = "cancelled" // by the member; the money is back
	Returned  State = "returned"  // paid, and came back afterwards
)

// States lists them in the order of a life.
func States() []State {
	return []State{
		Asked, Refused, Held, Rejected, Approved, Sent, Waiting, Paid, Failed, Expired, Cancelled, Returned,
	}
}

// cause is what moves a withdrawal.
type cause string

const (
	byRefusal    cause = "refusal"    // limits, or the ledger has not enough
	byHolding    cause = "holding"    // reserved; a person must look
	byPassing    cause = "passing"    // reserved; nothing to object
	byApproval   cause = "approval"   // enough people said yes
	byRejection  cause = "rejection"  // a person said no
	byCancelling cause = "cancelling" // the member took it back before it was sent
	byLapse      cause = "lapse"      // nobody reviewed it in time
	byUnfitness  cause = "unfitness"  // cannot be sent at all: nothing left after tax, no wallet
	bySending    cause = "sending"    // about to be sent
	byAsking     cause = "asking"     // the platform asks the member to confirm
	bySuccess    cause = "success"    // the platform's final words
	byFailure    cause = "failure"
	byTimeout    cause = "timeout"
	byRevocation cause = "revocation"
	byReturn     cause = "return" // the money came back afterwards
)

func causes() []cause {
	return []cause{
		byRefusal, byHolding, byPassing, byApproval, byRejection, byCancelling, byLapse, byUnfitness, bySending, byAsking,
		bySuccess, byFailure, byTimeout, byRevocation, byReturn,
	}
}

// moves is the whole state machine: what is not in this table does not happen.
var moves = fsm.Table[State, cause]{
	{Asked, byRefusal, Refused},
	{Asked, byHolding, Held},
	{Asked, byPassing, Approved},
	{Held, byApproval, Approved},
	{Held, byRejection, Rejected},
	{Held, byCancelling, Cancelled},
	{Held, byLapse, Expired},
	{Approved, byCancelling, Cancelled},
	{Approved, byUnfitness, Failed},
	{Approved, bySending, Sent},
	{Sent, byAsking, Waiting},
	{Sent, bySuccess, Paid},
	{Sent, byFailure, Failed},
	{Sent, byTimeout, Expired},
	{Sent, byRevocation, Cancelled},
	{Waiting, bySuccess, Paid},
	{Waiting, byFailure, Failed},
	{Waiting, byTimeout, Expired},
	{Waiting, byRevocation, Cancelled},
	{Paid, byReturn, Returned},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("withdrawal")}
}

// move carries out the one move the table allows, or answers ErrWrongState.
func (w *Withdrawal) move(by cause) error {
	to, ok := moves.Move(w.State, by)
	if !ok {
		return ErrWrongState
	}
	w.State = to
	return nil
}

// Ended tells whether nothing more happens by itself.
func (s State) Ended() bool {
	switch s {
	case Refused, Rejected, Paid, Failed, Expired, Cancelled, Returned:
		return true
	}
	return false
}

// gaveBack tells whether the money of a reserved withdrawal went back to the purse without having been paid.
func (s State) gaveBack() bool { return s == Rejected || s == Failed || s == Expired || s == Cancelled }
