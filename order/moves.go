package order

import "guanxi/internal/fsm"

// State is where an order stands.
type State string

// The states of an order.
const (
	StatePlaced    State = "placed"    // price, stock and limits are locked; payable until ExpiresAt
	StateClosing   State = "closing"   // given up; the platform is being asked to make sure it cannot be paid
	StateClosed    State = "closed"    // never paid, cannot be paid, everything held was given back
	StatePaid      State = "paid"      // the money is there
	StateConfirmed State = "confirmed" // seated in a formed campaign: the sale counts
	StateShipped   State = "shipped"   // on its way, or ready at the pickup point
	StateReceived  State = "received"  // the after-sale window runs
	StateCompleted State = "completed" // the after-sale window is over
	StateRefunding State = "refunding" // everything is going back
	StateRefunded  State = "refunded"  // everything is back
)

// cause is what moves an order.
type cause string

const (
	byPayment       cause = "payment"        // the platform says it was paid
	byGivingUp      cause = "giving up"      // cancelled by the member, or expired
	byUnpayable     cause = "unpayable"      // the platform says it can no longer be paid
	byLatePayment   cause = "late payment"   // paid although closed
	byForming       cause = "forming"        // seated and the campaign formed
	byShipping      cause = "shipping"       // the host sent it or made it ready
	byReceiving     cause = "receiving"      // the member has it
	byWindowEnd     cause = "window end"     // no more after-sale
	byWholeRefund   cause = "whole refund"   // every unit is to be refunded
	byFullyReturned cause = "fully returned" // every fen is back
)

// moves is the whole state machine: what is not in this table does not happen. Partial refunds move nothing.
var moves = fsm.Table[State, cause]{
	{StatePlaced, byPayment, StatePaid},
	{StatePlaced, byGivingUp, StateClosing},
	{StateClosing, byPayment, StatePaid},
	{StateClosing, byUnpayable, StateClosed},
	{StateClosed, byLatePayment, StateRefunding},
	{StatePaid, byForming, StateConfirmed},
	{StateConfirmed, byShipping, StateShipped},
	{StateShipped, byReceiving, StateReceived},
	{StateReceived, byWindowEnd, StateCompleted},
	{StatePaid, byWholeRefund, StateRefunding},
	{StateConfirmed, byWholeRefund, StateRefunding},
	{StateShipped, byWholeRefund, StateRefunding},
	{StateReceived, byWholeRefund, StateRefunding},
	{StateCompleted, byWholeRefund, StateRefunding},
	{StateRefunding, byFullyReturned, StateRefunded},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("order"), stages.Draw("refund")}
}

// move carries out the one move the table allows, or answers ErrWrongState.
func (o *Order) move(by cause) error {
	to, ok := moves.Move(o.State, by)
	if !ok {
		return ErrWrongState
	}
	o.State = to
	return nil
}

// RefundStage is where a refund stands.
type RefundStage string

// The stages of a refund.
const (
	StageRequested  RefundStage = "requested"  // waits for the host's word, or the brand's: Refund.Desk
	StageRefused    RefundStage = "refused"    // they said no
	StageReplaced   RefundStage = "replaced"   // never sent: another refund returns its units with everything else
	StageAsked      RefundStage = "asked"      // to be sent to the platform
	StageSubmitted  RefundStage = "submitted"  // sent, outcome unknown: ask with the same number
	StageProcessing RefundStage = "processing" // the platform is returning the money
	StageDone       RefundStage = "done"       // the money is back
	StageAbnormal   RefundStage = "abnormal"   // the platform could not; people must act; the number stays alive
	StageClosed     RefundStage = "closed"     // the platform gave this number up; another refund replaces it
)

// stages is the state machine of one refund.
var stages = fsm.Table[RefundStage, string]{
	{StageRequested, "", StageAsked},
	{StageRequested, "", StageRefused},
	{StageRequested, "", StageReplaced},
	{StageAsked, "", StageSubmitted},
	{StageAsked, "", StageProcessing},
	{StageAsked, "", StageDone},
	{StageAsked, "", StageAbnormal},
	{StageAsked, "", StageClosed},
	{StageSubmitted, "", StageProcessing},
	{StageSubmitted, "", StageDone},
	{StageSubmitted, "", StageAbnormal},
	{StageSubmitted, "", StageClosed},
	{StageProcessing, "", StageDone},
	{StageProcessing, "", StageAbnormal},
	{StageProcessing, "", StageClosed},
	{StageAbnormal, "", StageProcessing},
	{StageAbnormal, "", StageDone},
	{StageAbnormal, "", StageClosed},
}

// step carries out an allowed change of stage and tells whether it was one.
func (r *Refund) step(to RefundStage) bool {
	if !stages.Leads(r.Stage, to) {
		return false
	}
	r.Stage = to
	return true
}

// claims tells whether the refund's units are spoken for.
func (s RefundStage) claims() bool { return s == StageRequested || s.goes() }

// goes tells whether the refund's money is going back or is back.
func (s RefundStage) goes() bool { return s == StageDone || s.open() }

// sent tells whether the platform has, or will be sent, a number of its own for it.
func (s RefundStage) sent() bool { return s.goes() || s == StageClosed }

// open tells whether the platform has not said the last word yet.
func (s RefundStage) open() bool {
	switch s {
	case StageAsked, StageSubmitted, StageProcessing, StageAbnormal:
		return true
	}
	return false
}
