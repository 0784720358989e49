package wiredouble

import (
	"sync"
)

// Kind is a way to misbehave.
type Kind int

// The ways to misbehave. None of them duplicates a write.
const (
	// LoseReply carries the command out and cuts the connection instead of answering.
	LoseReply Kind = iota + 1
	// CutBefore cuts the connection and carries nothing out.
	CutBefore
	// CutMiddle carries out half of the batch (rounded down), then cuts the connection.
	CutMiddle
	// CutReply carries the command out and cuts the connection in the middle of the answer.
	CutReply
	// NotPrimary answers that this is not the primary any more; nothing is carried out.
	NotPrimary
	// Unconfirmed carries the command out and answers that no majority confirmed it in time.
	Unconfirmed
	// Slow carries the command out and holds the answer back until Gate is closed.
	Slow
	// Held carries the command out only when Gate is closed, and then answers.
	Held
	// Late cuts the connection at once and carries the command out when Gate is closed.
	Late
	// ItemError answers every statement of a write with error Code in the place of its refusal, as routers do with
	// troubles of their own; whether the statements are carried out says CarriedOut.
	ItemError
	// Building answers createIndexes only when Gate is closed; until then its indexes are listed and cannot be used,
	// and who asks for the same ones waits as well.
	Building
	// Refused answers that the command is refused with error Code; nothing is carried out.
	Refused
)

// Fault is one order to misbehave.
type Fault struct {
	Kind       Kind
	Command    string        // insert, update, delete, find …; "" is any of these
	In         string        // collection; "" is any
	Skip       int           // let that many pass first
	Every      int           // then strike only each so manieth; 0 is each one
	Times      int           // strike so often; 0 is once
	Gate       chan struct{} // Slow, Held, Late, Building
	Struck     chan struct{} // gets a value at each strike, if it has room
	Code       int           // ItemError, Refused
	CarriedOut bool          // ItemError
	Landed     chan struct{} // Late: gets a value when the command has been carried out, if it has room
}

type faults struct {
	mu    sync.Mutex
	armed []*Fault
}

// Misbehave gives an order. Several orders are tried in the order given; one strikes.
func (s *Server) Misbehave(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.armed = append(s.faults.armed, &f)
}

// Behave withdraws all orders.
func (s *Server) Behave() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.armed = nil
}

func (f *faults) strike(r *request) *Fault {
	switch r.name {
	case "insert", "update", "delete", "find", "getMore", "createIndexes", "listIndexes":
	default:
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.armed {
		if one.Times <= 0 || one.Command != "" && one.Command != r.name || one.In != "" && one.In != r.text(r.name) {
			continue
		}
		if one.Skip > 0 {
			one.Skip--
			continue
		}
		one.Times--
		one.Skip = max(0, one.Every-1)
		signal(one.Struck)
		return one
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // nobody listens, or has been told already
	}
}
