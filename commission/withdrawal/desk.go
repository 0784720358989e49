package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// desk is where a member's requests of the last weeks lie side by side, so that limits hold also for requests made at the
// same moment. Id = member.
type desk struct {
	docstore.Doc `bson:",inline"`
	Items        []deskItem `bson:"items"`
}

type deskItem struct {
	Number   string    `bson:"number"`
	At       time.Time `bson:"at"` // when it was put there: its day is the one it counts for
	Amount   money.Fen `bson:"amount"`
	State    deskState `bson:"state"`
	Findings []Finding `bson:"findings,omitempty"` // what held it
}

type deskState string

const (
	deskOpen    deskState = "open"
	deskSpent   deskState = "spent"   // paid
	deskGone    deskState = "gone"    // not paid: counts as a try, not as money
	deskRefused deskState = "refused" // counts as nothing
)

// deskKeeps is how long an ended request stays; longer than a month, for the monthly limit.
const deskKeeps = 40 * 24 * time.Hour

// The bounds of a desk. Whoever has begun deskTries requests in a day, whatever became of them, begins no more that day. What
// many hands at the same moment put there beyond that goes first once there are deskMost: ended without money, so that no
// limit of an amount looks at it.
const (
	deskTries = 50
	deskMost  = 2500 // deskTries of deskKeeps days, and room for the hands
)

// usage is what the limits look at.
type usage struct {
	open         int
	count        int // today
	tries        int // today, refused and cancelled ones included
	recent       int
	today, month money.Fen
}

func usageOf(items []deskItem, now time.Time, recent time.Duration) usage {
	var u usage
	day, month := clock.Day(now), clock.Day(now)[:len("2006-01")]
	for _, i := range items {
		if clock.Day(i.At) == day {
			u.tries++
		}
		if i.State == deskRefused {
			continue
		}
		if i.At.After(now.Add(-recent)) {
			u.recent++
		}
		if i.State == deskGone {
			continue
		}
		if i.State == deskOpen {
			u.open++
		}
		on := clock.Day(i.At)
		if on == day {
			u.count, u.today = u.count+1, u.today+i.Amount
		}
		if on[:len(month)] == month {
			u.month += i.Amount
		}
	}
	return u
}

func (d *desk) find(number string) *deskItem {
	for i := range d.Items {
		if d.Items[i].Number == number {
			return &d.Items[i]
		}
	}
	return nil
}

// tidy forgets what no limit looks at any more.
func (d *desk) tidy(now time.Time) {
	d.Items = slices.DeleteFunc(d.Items, func(i deskItem) bool {
		return i.State != deskOpen && i.At.Before(now.Add(-deskKeeps))
	})
	over := len(d.Items) - deskMost + 1 // one comes
	d.Items = slices.DeleteFunc(d.Items, func(i deskItem) bool {
		if over <= 0 || i.State != deskRefused && i.State != deskGone {
			return false
		}
		over--
		return true
	})
}

// claim puts a request on the member's desk when the limits allow it, and tells what held or refused it. A request that
// lies there already keeps its findings.
func (s *Service) claim(ctx context.Context, w *Withdrawal, known facts) (findings, error) {
	var out findings
	_, err := s.desks.Upsert(ctx, w.Member, func(d *desk) error {
		if item := d.find(w.ID); item != nil {
			out = findings{hold: item.Findings}
			return nil
		}
		known.earlier = d.Items
		if out = s.config.assess(known); len(out.refuse) > 0 {
			return errUnchanged
		}
		d.tidy(known.now)
		d.Items = append(d.Items, deskItem{w.ID, known.now, w.Gross, deskOpen, out.hold})
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return findings{}, fmt.Errorf("desk: %w", err)
	}
	return out, nil
}

// leave writes down on the desk how a request ended. One that never lay there is put there as ended, so that a late hand
// cannot open it.
func (s *Service) leave(ctx context.Context, w *Withdrawal) error {
	state := deskGone
	switch w.State {
	case Paid:
		state = deskSpent
	case Refused:
		state = deskRefused
	}
	_, err := s.desks.Upsert(ctx, w.Member, func(d *desk) error {
		if item := d.find(w.ID); item != nil {
			item.State = state
			return nil
		}
		d.tidy(s.clock.Now())
		d.Items = append(d.Items, deskItem{Number: w.ID, At: w.AskedAt, Amount: w.Gross, State: state})
		return nil
	})
	if err != nil {
		return fmt.Errorf("desk: %w", err)
	}
	return nil
}

func (s *Service) deskOf(ctx context.Context, member string) ([]deskItem, error) {
	d, err := s.desks.Get(ctx, member)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	return d.Items, nil
}
