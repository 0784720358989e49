package crosscheck

import (
	"context"
	"time"

	"guanxi/internal/money"
	"guanxi/order"
)

const ruleOwed = "owed"

// patience is how long a refund may be under way at the platform before its money counts as owed.
const patience = 7 * 24 * time.Hour

// mayOwe tells whether an order's money may have to be on its way back.
func mayOwe(o *order.Order) bool {
	return o.Payment != nil && (o.State == order.StatePaid || o.State == order.StateConfirmed || o.Payment.Late || len(o.Refunds) > 0)
}

// owed looks for money that should have gone back and is still here.
func (r *run) owed(ctx context.Context, batch []*order.Order) error {
	doomed, err := r.doomed(ctx, batch)
	if err != nil {
		return err
	}
	for _, o := range batch {
		if len(r.owes(o, doomed)) == 0 {
			continue
		}
		fresh, err := r.Orders.Many(ctx, []string{o.ID}) // a second time, before anybody is told
		if err != nil {
			return err
		}
		if fresh[o.ID] != nil {
			r.tell(r.owes(fresh[o.ID], doomed))
		}
	}
	return nil
}

func (r *run) doomed(ctx context.Context, batch []*order.Order) (map[string]time.Time, error) {
	if r.Campaigns == nil {
		return nil, nil //nolint:nilnil // nobody to ask
	}
	seen, asked := map[string]bool{}, []string{}
	for _, o := range batch {
		if waiting(o) && !seen[o.Campaign] {
			seen[o.Campaign] = true
			asked = append(asked, o.Campaign)
		}
	}
	if len(asked) == 0 {
		return nil, nil //nolint:nilnil // nothing to ask
	}
	return r.Campaigns.Doomed(ctx, asked)
}

// waiting orders have not been sent: when their campaign dies everything goes back.
func waiting(o *order.Order) bool {
	return o.State == order.StatePaid || o.State == order.StateConfirmed
}

// owes says what is owed of an order.
func (r *run) owes(o *order.Order, doomed map[string]time.Time) []Difference {
	since, dead := doomed[o.Campaign]
	dead = dead && waiting(o) && !r.young(since) && !r.young(o.Payment.SettledAt)
	due := money.Fen(0)
	if !r.young(o.IncidentAt) && !r.young(o.Payment.SettledAt) {
		due = o.Owed(dead)
	}
	slow := money.Fen(0)
	for i := range o.Refunds {
		switch f := &o.Refunds[i]; f.Stage {
		case order.StageAsked, order.StageSubmitted, order.StageProcessing:
			if f.AskedAt.Before(r.Clock.Now().Add(-patience)) && f.NextAt.Before(r.Clock.Now().Add(patience)) {
				slow += f.Amount
			}
		}
	}
	if due+slow <= 0 {
		return nil
	}
	what := "in state " + string(o.State)
	if dead {
		what += ", its campaign died at " + since.Format(time.RFC3339)
	}
	return []Difference{differ(ruleOwed, o.ID, "%s yuan must go back and have not (%s; paid %s, returned %s)",
		(due + slow).Yuan(), what, o.Amount.Yuan(), o.Returned().Yuan())}
}
