package auditor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// Source is an order, a withdrawal or a voucher.
type Source struct {
	Kind string // order, withdrawal or voucher
	ID   string
}

func (s Source) String() string { return s.Kind + " " + s.ID }

// movement is what the facts of one source make of one member's purse.
type movement struct {
	source Source
	at     time.Time
	member string
	change Balance
	doubt  string // something of the source is still on its way; the change is without it
}

// story is everything that happened to one order.
type story struct {
	order    string
	sale     *confirmed
	back     map[int]int64 // line → how much of it has gone back
	received *received
	doubts   []string
	unsold   bool // confirmed, but nobody has taken that yet
}

// message is one event on its way in.
type message struct {
	id, name, order string
	body            []byte
	taken           bool
}

const maxWaiting = 200_000 // events in outboxes and parked

// walker tells the movements of all facts.
type walker struct {
	*archive
	policies []*policy
	waiting  map[string][]message // by order: in an outbox or parked
	report   *Report
	progress func(Progress)
	visit    func(movement) error
}

func (w *walker) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{w.readPolicies, w.readOutboxes, w.readParked, w.readOrders, w.readWithdrawals, w.readSharings, w.readVouchers} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) readPolicies(ctx context.Context) error {
	w.policies = nil
	return w.archive.policies.Each(ctx, docstore.All(), func(p *policy) error {
		w.policies = append(w.policies, p)
		return part(p.Rest, "rules", &p.rules)
	})
}

func (w *walker) wait(m message) error {
	if m.name != orderConfirmed && m.name != orderRefunded && m.name != orderReceived {
		return nil
	}
	if len(w.waiting) >= maxWaiting {
		return fmt.Errorf("more than %d orders have events that nobody has taken yet", maxWaiting)
	}
	w.waiting[m.order] = append(w.waiting[m.order], m)
	return nil
}

func taken(name string, by []string) bool {
	switch name {
	case orderConfirmed:
		return slices.Contains(by, accruer)
	case orderRefunded:
		return slices.Contains(by, clawer)
	}
	return true
}

func (w *walker) readOutboxes(ctx context.Context) error {
	w.waiting = map[string][]message{}
	return w.orders.Each(ctx, docstore.By(docstore.WaitingIndex), func(o *envelope) error {
		for _, m := range o.Outbox {
			if err := w.wait(message{m.ID, m.Name, o.ID, m.Body, taken(m.Name, m.Done)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *walker) readParked(ctx context.Context) error {
	return w.parked.Each(ctx, docstore.All(), func(p *past) error {
		return w.wait(message{p.Event, p.Name, p.Document, p.Body, taken(p.Name, p.Taken)})
	})
}

const batch = 500 // orders looked at together

// readOrders walks the history in the order of its ids, which is order by order.
func (w *walker) readOrders(ctx context.Context) error {
	var stories []*story
	current := &story{}
	next := func(order string) error {
		if current.order == order {
			return nil
		}
		if stories = append(stories, current); len(stories) >= batch {
			if err := w.tell(ctx, stories); err != nil {
				return err
			}
			stories = nil
		}
		current = w.begin(order)
		return w.catchUp(current)
	}
	err := w.history.Each(ctx, docstore.All().Between(orders+"/", orders+"0").First(docstore.MaxLimit/2), func(p *past) error {
		if p.Name != orderConfirmed && p.Name != orderRefunded && p.Name != orderReceived {
			return nil
		}
		if err := next(p.Document); err != nil {
			return err
		}
		return w.learn(current, message{p.Event, p.Name, p.Document, p.Body, true})
	})
	if err != nil {
		return err
	}
	for _, order := range sortedKeys(w.waiting) { // those of which nothing is in the history yet
		if err := next(order); err != nil {
			return err
		}
	}
	return w.tell(ctx, append(stories, current))
}

func (w *walker) begin(order string) *story { return &story{order: order, back: map[int]int64{}} }

// catchUp takes what waits for an order.
func (w *walker) catchUp(s *story) error {
	for _, m := range w.waiting[s.order] {
		if err := w.learn(s, m); err != nil {
			return err
		}
	}
	delete(w.waiting, s.order)
	return nil
}

func (w *walker) learn(s *story, m message) (err error) {
	if !m.taken {
		s.doubts = append(s.doubts, "event "+m.id+" has not been taken yet")
	}
	switch m.name {
	case orderConfirmed:
		s.sale, s.unsold = &confirmed{}, !m.taken
		err = w.store.Unmarshal(m.body, s.sale)
	case orderReceived:
		var r received
		if err = w.store.Unmarshal(m.body, &r); s.received == nil || r.WindowEnds.Before(s.received.WindowEnds) {
			s.received = &r
		}
	case orderRefunded:
		var r refunded
		if err = w.store.Unmarshal(m.body, &r); err != nil || !m.taken {
			break
		}
		for _, l := range r.Lines {
			s.back[l.Line] = max(s.back[l.Line], l.Total)
		}
	}
	if err != nil {
		return fmt.Errorf("event %s of order %s: %w", m.id, s.order, err)
	}
	return nil
}

// tell turns stories into movements.
func (w *walker) tell(ctx context.Context, stories []*story) error {
	ids := make([]string, 0, len(stories))
	for _, s := range stories {
		if s.sale != nil {
			ids = append(ids, s.order)
		}
	}
	settlements, err := w.settlements.GetWhole(ctx, ids)
	if err != nil {
		return err
	}
	for _, s := range stories {
		if s.sale == nil {
			continue
		}
		w.report.Orders++
		if err := w.tellOrder(s, settlements[s.order]); err != nil {
			return err
		}
	}
	if w.progress != nil {
		w.progress(Progress{Orders: w.report.Orders})
	}
	return nil
}

func (w *walker) tellOrder(s *story, decided *settlement) error {
	settled := map[int]bool{}
	if decided != nil {
		var lines []settledLine
		var steps []settledStep
		if err := errors.Join(part(decided.Rest, "lines", &lines), part(decided.Rest, "steps", &steps)); err != nil {
			return fmt.Errorf("settlement %s: %w", s.order, err)
		}
		for _, l := range lines {
			settled[l.Line] = l.Settled
		}
		w.early(s, steps)
	}
	p := inForce(w.policies, s.sale.At)
	if p == nil {
		return nil
	}
	paid := map[int]int64{}
	for _, l := range s.sale.Lines {
		paid[l.Line] = l.Paid
	}
	for _, e := range p.earnings(s.sale) {
		m := movement{source: Source{"order", s.order}, at: s.sale.At, member: e.member, doubt: strings.Join(s.doubts, "; ")}
		if left := keeps(e.amount, s.back[e.line], paid[e.line]); s.unsold {
			left.SetInt64(0)
		} else if settled[e.line] {
			m.change.Available = fen(left)
		} else {
			m.change.Pending = fen(left)
		}
		if err := w.visit(m); err != nil {
			return err
		}
	}
	return nil
}

func fen(n *big.Int) int64 { return n.Int64() }

// early notes lines that settled before the buyer's after-sale window was over.
func (w *walker) early(s *story, steps []settledStep) {
	for _, step := range steps {
		for _, l := range step.Lines {
			switch {
			case s.received == nil:
				w.report.early("order %s: line %d has settled, but nobody has received it", s.order, l.Line)
			case step.At.Before(s.received.WindowEnds):
				w.report.early("order %s: line %d settled on %s, before its after-sale window ended on %s", s.order, l.Line,
					step.At.Format(time.DateTime), s.received.WindowEnds.Format(time.DateTime))
			}
		}
	}
}
