package groupbuy

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Tally is how full a campaign is (id = the campaign's). It is a fold over the seats: each is counted once and
// its leaving once, told apart by number, so that it can be fed again and be rebuilt.
type Tally struct {
	docstore.Doc `bson:",inline"`
	Seats        int64     `bson:"seats"`
	Units        int64     `bson:"units"`
	Amount       money.Fen `bson:"amount"`
	Left         int64     `bson:"left"` // seats given up after a refund; among Seats
	LeftUnits    int64     `bson:"left_units"`
	LeftAmount   money.Fen `bson:"left_amount"`
	Counted      spans     `bson:"counted,omitempty"`
	Leavers      spans     `bson:"leavers,omitempty"`
}

// count takes a seat in, as it now is.
func (t *Tally) count(seat *Seat) {
	if t.Counted.add(seat.Number) {
		t.Seats++
		t.Units += seat.Units
		t.Amount += seat.Amount
	}
	if seat.Left && t.Leavers.add(seat.Number) {
		t.Left++
		t.LeftUnits += seat.Units
		t.LeftAmount += seat.Amount
	}
}

// net is what counts towards the minimum.
func (t *Tally) net() (seats, units int64) { return t.Seats - t.Left, t.Units - t.LeftUnits }

// Progress is what everybody may see of a campaign's filling.
type Progress struct {
	Campaign string
	State    State
	Seats    int64     // paid seats that are still taken
	Units    int64     // of those seats
	Amount   money.Fen // of those seats
	Left     int64     // seats given up
	MinSeats int64
	MinUnits int64
	Missing  int64     // people to the minimum: of those who have seats now, the host not among them
	Formed   bool      // the minimum is met by the seats that are taken now
	FormedAt time.Time // when it was met first: from then on paid orders are confirmed, and confirmed ones are fulfilled
	EndsAt   time.Time
	LastSeat int64 // the highest number without a gap below it
	Version  int64 // grows with every change of what is said here: fit for an ETag
}

// Progress tells how full a campaign is. Codes: GRP_NOT_FOUND.
func (s *Service) Progress(ctx context.Context, campaign string) (Progress, error) {
	c, err := s.campaign(ctx, campaign)
	if err != nil {
		return Progress{}, err
	}
	if c.State == Draft {
		return Progress{}, ErrNotFound
	}
	t, err := s.tallies.Get(ctx, campaign)
	if errors.Is(err, docstore.ErrNotFound) {
		t, err = &Tally{}, nil
	}
	if err != nil {
		return Progress{}, wrap("progress", err)
	}
	now, err := s.turnout(ctx, c, t)
	if err != nil {
		return Progress{}, wrap("progress", err)
	}
	return Progress{
		Campaign: c.ID, State: c.State, Seats: now.seats, Units: now.units, Amount: t.Amount - t.LeftAmount, Left: t.Left,
		MinSeats: c.MinSeats, MinUnits: c.MinUnits, Missing: c.MinSeats - now.people, Formed: c.reached(now), FormedAt: c.FormedAt, EndsAt: c.EndsAt,
		LastSeat: t.Counted.upto(), Version: c.Version + t.Version,
	}, nil
}

// turnout is who is in a campaign now. Its people are read from the seats themselves: each counts once, however many
// orders, and the host of the campaign not at all. Fewer seats than the minimum need no reading.
func (s *Service) turnout(ctx context.Context, c *Campaign, t *Tally) (now turnout, err error) {
	now.seats, now.units = t.net()
	if c.MinSeats == 0 || now.seats == 0 {
		return now, nil
	}
	people := map[string]bool{}
	q := docstore.By("number", c.ID).First(recountPage)
	for {
		page, err := s.seats.Find(ctx, q)
		if err != nil {
			return now, err
		}
		for _, seat := range page.Items {
			if !seat.Left && !seat.Stranded && seat.Member != c.Host {
				people[seat.Member] = true
			}
			if now.people = int64(len(people)); now.people == c.MinSeats {
				return now, nil
			}
		}
		if page.Next == "" {
			return now, nil
		}
		q = q.Continue(page.Next)
	}
}

// tell takes a seat into the tally; callers of one campaign share the write.
func (s *Service) tell(ctx context.Context, seat *Seat) (*Tally, error) {
	return s.tallies.Upsert(ctx, seat.Campaign, func(t *Tally) error {
		t.count(seat)
		return nil
	})
}

const recountPage = 500

// recount takes in every seat the tally has missed, which happens only between the two writes of a TakeSeat that
// died; the event that called it comes again, but a decision must not wait for that.
func (s *Service) recount(ctx context.Context, campaign string) (*Tally, error) {
	t, err := s.tallies.Get(ctx, campaign)
	if errors.Is(err, docstore.ErrNotFound) {
		t, err = &Tally{}, nil
	}
	if err != nil {
		return nil, wrap("recount", err)
	}
	q := docstore.By("number", campaign).Between(t.Counted.upto()+1, nil).First(recountPage)
	for {
		page, err := s.seats.Find(ctx, q)
		if err != nil {
			return nil, wrap("recount", err)
		}
		if len(page.Items) > 0 {
			if t, err = s.tallies.Upsert(ctx, campaign, func(t *Tally) error {
				for _, seat := range page.Items {
					t.count(seat)
				}
				return nil
			}); err != nil {
				return nil, wrap("recount", err)
			}
		}
		if page.Next == "" {
			return t, nil
		}
		q = q.Continue(page.Next)
	}
}

// form notes that a campaign has reached its minimum, once.
func (s *Service) form(ctx context.Context, campaign string) error {
	now := s.clock.Now()
	_, err := s.change(ctx, "form", campaign, func(c *Campaign) error {
		c.advance(now) // the tick may be late
		if !c.Formed() {
			c.move(moveForm, now)
		}
		return nil
	})
	return err
}
