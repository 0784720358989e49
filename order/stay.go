package order

import (
	"context"
	"time"
)

// stays is how long an order may stay in a state before people are told, counted from its entry; where an order has an end of
// its own for the state (payable until, taken as received at, the after-sale window), from that.
var stays = map[State]time.Duration{
	StatePlaced:    time.Hour,           // beyond ExpiresAt
	StateClosing:   6 * time.Hour,       // the platform does not say that it cannot be paid
	StatePaid:      20 * 24 * time.Hour, // without a seat in a formed campaign
	StateConfirmed: 10 * 24 * time.Hour, // not shipped
	StateShipped:   24 * time.Hour,      // beyond ReceiveBy
	StateReceived:  7 * 24 * time.Hour,  // beyond WindowEnds: an after-sale case holds it
	StateRefunding: 3 * 24 * time.Hour,
}

// stageStays is the same for one refund.
var stageStays = map[RefundStage]time.Duration{
	StageRequested:  3 * 24 * time.Hour,
	StageAsked:      time.Hour,
	StageSubmitted:  2 * time.Hour,
	StageProcessing: 3 * 24 * time.Hour,
	StageAbnormal:   3 * 24 * time.Hour, // told at once as an incident; and again
}

// Stays lists the longest stays, for the documentation.
func Stays() (map[State]time.Duration, map[RefundStage]time.Duration) { return stays, stageStays }

// stateEnds is when the order should have left its state; zero when it may stay.
func (o *Order) stateEnds() time.Time {
	stay, limited := stays[o.State]
	since := o.StateAt
	switch {
	case !limited:
		return time.Time{}
	case o.State == StatePlaced:
		since = o.ExpiresAt
	case o.State == StateShipped:
		since = o.Shipment.ReceiveBy
	case o.State == StateReceived:
		since = o.WindowEnds
	case since.IsZero(): // an order of an earlier program
		since = o.PlacedAt
		if o.Payment != nil {
			since = o.Payment.SettledAt
		}
	}
	return since.Add(stay)
}

// stateDetail and stageDetail name a stay: the same stay, the same words.
func (o *Order) stateDetail() string {
	return string(o.State) + " until " + o.stateEnds().UTC().Format(time.RFC3339)
}

func (r *Refund) ends() time.Time {
	stay, limited := stageStays[r.Stage]
	if !limited {
		return time.Time{}
	}
	if r.StageAt.IsZero() {
		return r.AskedAt.Add(stay)
	}
	return r.StageAt.Add(stay)
}

func (r *Refund) stageDetail() string {
	return r.Number + " " + string(r.Stage) + " until " + r.ends().UTC().Format(time.RFC3339)
}

// eachStay gives the stays people have not been told of.
func (o *Order) eachStay(visit func(ends time.Time, detail string)) {
	if len(o.Incidents) >= MaxIncidents {
		return
	}
	told := func(detail string) bool {
		for _, i := range o.Incidents {
			if i.Kind == IncidentOverdue && i.Detail == detail {
				return true
			}
		}
		return false
	}
	if ends := o.stateEnds(); !ends.IsZero() && !told(o.stateDetail()) {
		visit(ends, o.stateDetail())
	}
	for i := range o.Refunds {
		r := &o.Refunds[i]
		if ends := r.ends(); !ends.IsZero() && !told(r.stageDetail()) {
			visit(ends, r.stageDetail())
		}
	}
}

// Overdue reports whether what an overdue incident says is still so.
func (o *Order) Overdue(detail string) bool {
	if o.stateDetail() == detail {
		return true
	}
	for i := range o.Refunds {
		if o.Refunds[i].stageDetail() == detail {
			return true
		}
	}
	return false
}

// overdue tells people, once for every stay, what stays too long.
func (s *Service) overdue(ctx context.Context, o *Order) error {
	now, due := s.clock.Now(), false
	o.eachStay(func(ends time.Time, _ string) { due = due || !now.Before(ends) })
	if !due {
		return nil
	}
	_, err := s.change(ctx, o.ID, func(o *Order, now time.Time) error {
		var late []string
		o.eachStay(func(ends time.Time, detail string) {
			if !now.Before(ends) {
				late = append(late, detail)
			}
		})
		for _, detail := range late {
			o.record(IncidentOverdue, detail, now)
		}
		return changedIf(len(late) > 0)
	})
	return err
}

// entered notes when the order, or a refund, came to where it stands.
func (o *Order) entered(was State, stages map[string]RefundStage, now time.Time) {
	if o.State != was {
		o.StateAt = now
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; stages[r.Number] != r.Stage {
			r.StageAt = now
		}
	}
}

func (o *Order) stages() map[string]RefundStage {
	if len(o.Refunds) == 0 {
		return nil
	}
	all := make(map[string]RefundStage, len(o.Refunds))
	for i := range o.Refunds {
		all[o.Refunds[i].Number] = o.Refunds[i].Stage
	}
	return all
}
