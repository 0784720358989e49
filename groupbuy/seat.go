package groupbuy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Seat is one paid place in a campaign (id <campaign>/<number>). Its insert is what allocates the number. The
// number is never used again, not even when the seat is left.
type Seat struct {
	docstore.Doc `bson:",inline"`
	Campaign     string    `bson:"campaign"`
	Order        string    `bson:"order"`
	Member       string    `bson:"member"`
	Number       int64     `bson:"number"` // from 1, without gaps
	Lines        []Wish    `bson:"lines"`
	Units        int64     `bson:"units"`
	Amount       money.Fen `bson:"amount"`
	PaidAt       time.Time `bson:"paid_at"`
	TakenAt      time.Time `bson:"taken_at"`
	Left         bool      `bson:"left,omitempty"`
	LeftAt       time.Time `bson:"left_at,omitempty"`
	Stranded     bool      `bson:"stranded,omitempty"` // the campaign had failed before
}

// Leaving remembers a refund that was heard of before its seat was taken (id <campaign>/<order>).
type Leaving struct {
	docstore.Doc `bson:",inline"`
	At           time.Time `bson:"at"`
}

// SeatInput is a paid order that takes its seat.
type SeatInput struct {
	Order, Campaign, Member string
	Lines                   []Wish
	Amount                  money.Fen
	PaidAt                  time.Time
}

func (in *SeatInput) check() (err error) {
	for _, one := range []struct{ name, value string }{
		{"order", in.Order}, {"campaign", in.Campaign}, {"member", in.Member},
	} {
		if len(one.value) > 90 || !id.Valid(one.value) {
			return ErrWishInvalid.With(one.name, "编号有误 (not an id)")
		}
	}
	if in.Amount < 0 {
		return ErrWishInvalid.With("amount", "金额有误 (not an amount)")
	}
	in.Lines, err = tidyLines(in.Lines)
	return err
}

func seatID(campaign string, number int64) string { return fmt.Sprintf("%s/%07d", campaign, number) }

// TakeSeat gives a paid order the next number; the same order keeps the one it has. An order admitted in time
// and paid after the end is honoured. In a campaign that has failed, the seat is stranded (seat.Stranded) and its
// order must be refunded. Codes: GRP_NOT_FOUND, GRP_WISH_INVALID.
func (s *Service) TakeSeat(ctx context.Context, in SeatInput) (*Seat, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	c, err := s.campaign(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	seat, err := s.allocate(ctx, Seat{
		Campaign: c.ID, Order: in.Order, Member: in.Member, Lines: in.Lines, Units: total(in.Lines), Amount: in.Amount,
		PaidAt: clock.Milli(in.PaidAt), TakenAt: s.clock.Now(),
	}, SeatTaken{Campaign: c.ID, Community: c.Community, Host: c.Host, Order: in.Order, Member: in.Member, Formed: c.Formed()})
	if err != nil {
		return nil, wrap("take seat", err)
	}
	if seat, err = s.leftBefore(ctx, seat); err != nil {
		return nil, wrap("take seat", err)
	}
	// Two documents that do not know of each other: written side by side they share one commit of the store.
	var kept error
	var both sync.WaitGroup
	both.Go(func() { kept = s.keep(ctx, c, seat) })
	tally, err := s.tell(ctx, seat)
	both.Wait()
	if err := errors.Join(kept, err); err != nil {
		return nil, wrap("take seat", err)
	}
	// Read after the seat is stored: a cancellation that this reading does not see will see the seat's order
	// paid when it refunds.
	if c, err = s.fresh(ctx, in.Campaign); err != nil {
		return nil, err
	}
	switch {
	case c.Dead() && !seat.Left:
		return s.strand(ctx, seat, c)
	case !c.Dead() && !c.Formed():
		now, err := s.turnout(ctx, c, tally)
		if err != nil {
			return nil, wrap("take seat", err)
		}
		if c.reached(now) {
			return seat, s.form(ctx, c.ID)
		}
	}
	return seat, s.hasten(ctx, c)
}

// leftBefore marks the seat left if the refund came before it.
func (s *Service) leftBefore(ctx context.Context, seat *Seat) (*Seat, error) {
	_, err := s.leaves.Get(ctx, quotaID(seat.Campaign, seat.Order))
	if errors.Is(err, docstore.ErrNotFound) || err == nil && seat.Left {
		return seat, nil
	}
	if err != nil {
		return nil, err
	}
	return s.markLeft(ctx, seat.ID)
}

// keep makes the order's claims last, or takes them back if the seat was left.
func (s *Service) keep(ctx context.Context, c *Campaign, seat *Seat) error {
	_, err := s.quotas.Upsert(ctx, quotaID(seat.Campaign, seat.Member), func(q *Quota) error {
		if seat.Left {
			q.drop(seat.Campaign, seat.Order, true)
			return nil
		}
		q.keep(seat.Campaign, seat.Order, seat.Lines)
		return nil
	})
	if err != nil {
		return err
	}
	err = eachTotal(c, seat.Lines, func(it *Item, units int64) error {
		if seat.Left {
			return s.dropTotal(ctx, c, it, seat.Order, units, seat)
		}
		return s.payTotal(ctx, c, it, seat, units)
	})
	if err != nil || seat.Left {
		return err
	}
	// Written first, then looked again: whoever leaves the seat marks it first, then takes back what is written here.
	now, err := s.seats.Get(ctx, seat.ID)
	if err != nil || !now.Left {
		return err
	}
	return s.keep(ctx, c, now)
}

func (s *Service) strand(ctx context.Context, seat *Seat, c *Campaign) (*Seat, error) {
	stranded, err := s.seats.Update(ctx, seat.ID, func(one *Seat) error {
		if !one.Stranded {
			one.Stranded = true
			one.Emit(EventStranded, SeatStranded{
				Campaign: one.Campaign, Order: one.Order, Number: one.Number, Reason: c.Reason, Cancelled: c.State == Cancelled,
			})
		}
		return nil
	})
	return stranded, wrap("strand seat", err)
}

// Leave gives a seat up after its whole order was refunded. The number stays and is not used again. It may be
// told before the seat is taken, and twice.
func (s *Service) Leave(ctx context.Context, campaign, order string) error {
	if len(campaign) > 90 || len(order) > 90 || !id.Valid(campaign) || !id.Valid(order) {
		return ErrSeatNotFound
	}
	seat, err := s.SeatOf(ctx, campaign, order)
	if errors.Is(err, ErrSeatNotFound) {
		// Noted first, then looked again: whoever takes the seat stores it first, then looks for this note.
		note := &Leaving{At: s.clock.Now()}
		note.ID = quotaID(campaign, order)
		if err := s.leaves.Insert(ctx, note); err != nil && !docstore.Exists(err) {
			return wrap("leave", err)
		}
		if seat, err = s.SeatOf(ctx, campaign, order); errors.Is(err, ErrSeatNotFound) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if seat, err = s.markLeft(ctx, seat.ID); err != nil {
		return wrap("leave", err)
	}
	c, err := s.campaign(ctx, campaign)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, c, seat); err != nil {
		return wrap("leave", err)
	}
	_, err = s.tell(ctx, seat)
	return wrap("leave", err)
}

func (s *Service) markLeft(ctx context.Context, seat string) (*Seat, error) {
	now := s.clock.Now()
	return s.seats.Update(ctx, seat, func(one *Seat) error {
		if !one.Left {
			one.Left, one.LeftAt = true, now
			one.Emit(EventLeft, SeatLeft{Campaign: one.Campaign, Order: one.Order, Number: one.Number})
		}
		return nil
	})
}
