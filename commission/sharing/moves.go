package sharing

import "guanxi/internal/fsm"

// State is where the sharing of an order stands.
type State string

// The states of a sharing.
const (
	Waiting  State = "waiting"  // for the order's commission to settle
	Planned  State = "planned"  // the parts are fixed
	Reserved State = "reserved" // in the ledger; whoever has too little is left out
	Sent     State = "sent"     // on the way to the platform or there: only the platform can end a part
	Finished State = "finished" // every part has its final word
	Unfrozen State = "unfrozen" // and the rest of the payment is the merchant's
)

// States lists them in the order of a life.
func States() []State { return []State{Waiting, Planned, Reserved, Sent, Finished, Unfrozen} }

// cause is what moves a sharing.
type cause string

const (
	byPlanning  cause = "planning"  // somebody is to be paid
	byReserving cause = "reserving" // somebody's money is reserved
	bySending   cause = "sending"   // about to be sent
	byNothing   cause = "nothing"   // nobody is left to be paid
	byEnding    cause = "ending"    // the platform's last final word
	byFreeing   cause = "freeing"   // the rest is free
)

func causes() []cause {
	return []cause{byPlanning, byReserving, bySending, byNothing, byEnding, byFreeing}
}

// moves is the whole state machine: what is not in this table does not happen.
var moves = fsm.Table[State, cause]{
	{Waiting, byPlanning, Planned},
	{Waiting, byNothing, Finished},
	{Planned, byReserving, Reserved},
	{Planned, byNothing, Finished},
	{Reserved, bySending, Sent},
	{Reserved, byNothing, Finished},
	{Sent, byEnding, Finished},
	{Finished, byFreeing, Unfrozen},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("sharing"), partMoves.Draw("part of a sharing")}
}

// move carries out the one move the table allows, or answers errWrongState.
func (d *Sharing) move(by cause) error {
	to, ok := moves.Move(d.State, by)
	if !ok {
		return errWrongState
	}
	d.State, d.Tries = to, 0
	return nil
}

// PartState is where one member's part stands.
type PartState string

// The states of a part. Paid, closed and left are final.
const (
	PartPlanned  PartState = "planned"
	PartReserved PartState = "reserved"
	PartSent     PartState = "sent"
	PartPaid     PartState = "paid"   // in the member's wallet
	PartClosed   PartState = "closed" // reserved, and never paid: the money is back in the purse
	PartLeft     PartState = "left"   // never reserved: the money stays in the purse
)

// partMoves is the whole life of a part.
var partMoves = fsm.Table[PartState, string]{
	{PartPlanned, "", PartReserved},
	{PartPlanned, "", PartLeft},
	{PartReserved, "", PartSent},
	{PartReserved, "", PartClosed},
	{PartSent, "", PartPaid},
	{PartSent, "", PartClosed},
}

func (p *Part) move(to PartState) error {
	if !partMoves.Leads(p.State, to) {
		return errWrongState
	}
	p.State = to
	return nil
}

// Ended tells whether the part's fate is sealed.
func (s PartState) Ended() bool { return s == PartPaid || s == PartClosed || s == PartLeft }
