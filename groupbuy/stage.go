package groupbuy

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/text"
)

// Publish shows a draft to its community: as a preview, or at once open if its start has come. Publishing again
// changes nothing. Codes: GRP_NOT_FOUND, GRP_NOT_HOST, GRP_STATE, GRP_INVALID (it would be over), GRP_GOODS,
// GRP_PRICE_FLOOR.
func (s *Service) Publish(ctx context.Context, host, campaign string) (*Campaign, error) {
	c, err := s.owned(ctx, host, campaign)
	if err != nil {
		return nil, err
	}
	if c.State == Scheduled || c.State == Open {
		return c, nil
	}
	if c.State != Draft {
		return nil, ErrState
	}
	if err := s.requireHost(ctx, c.Community, host); err != nil {
		return nil, err
	}
	if err := s.checkPickup(ctx, c.Community, c.Pickup); err != nil { // one may have been closed since
		return nil, err
	}
	items, err := s.price(ctx, c.input().Items, true)
	if err != nil {
		return nil, err
	}
	now, seen := s.clock.Now(), c.Version
	return s.change(ctx, "publish", campaign, func(c *Campaign) error {
		switch {
		case c.State == Scheduled || c.State == Open:
			return nil
		case c.State != Draft || c.Version != seen:
			return ErrState // edited meanwhile: look again before publishing
		case !c.EndsAt.After(now):
			return ErrInvalid.With("ends_at", "结束时间已过 (the end has passed)")
		}
		c.Items = items
		if !c.move(movePublish, now) {
			return ErrState
		}
		c.advance(now)
		return nil
	})
}

// CloseEarly ends an open campaign now. Orders admitted before may still be paid. Closing a closed one changes
// nothing. Codes: GRP_NOT_FOUND, GRP_NOT_HOST, GRP_STATE.
func (s *Service) CloseEarly(ctx context.Context, host, campaign string) (*Campaign, error) {
	if _, err := s.run(ctx, host, campaign); err != nil {
		return nil, err
	}
	now := s.clock.Now()
	return s.change(ctx, "close", campaign, func(c *Campaign) error {
		c.advance(now)
		if c.State == Closed || c.State == Settled {
			return nil
		}
		if !c.move(moveClose, now) {
			return ErrState
		}
		return nil
	})
}

// Cancel calls a campaign off, formed or not, until it is settled; whoever has paid is refunded (campaign.Failed).
// Cancelling again changes nothing. Reason is shown to members, 1–200 runes.
// Codes: GRP_NOT_FOUND, GRP_NOT_HOST, GRP_STATE, GRP_INVALID.
func (s *Service) Cancel(ctx context.Context, host, campaign, reason string) (*Campaign, error) {
	if _, err := s.run(ctx, host, campaign); err != nil {
		return nil, err
	}
	reason, ok := text.Words(reason, 1, 200)
	if !ok {
		return nil, ErrInvalid.With("reason", "须为 1 至 200 个字 (1 to 200 characters)")
	}
	now := s.clock.Now()
	return s.change(ctx, "cancel", campaign, func(c *Campaign) error {
		if c.State == Cancelled {
			return nil
		}
		c.advance(now)
		c.Reason = reason
		if !c.move(moveCancel, now) {
			return ErrState
		}
		return nil
	})
}

const tickBatch = 64

// Tick makes the moves whose time has come, for at most 64 campaigns: opens, closes, and settles or fails. Each
// step is one write and may be repeated; several processes may tick at once. moved counts campaigns whose state
// changed.
func (s *Service) Tick(ctx context.Context) (moved int, err error) {
	now := s.clock.Now()
	due, err := s.campaigns.Find(ctx, docstore.By("next").Between(nil, now.Add(time.Millisecond)).First(tickBatch))
	if err != nil {
		return 0, wrap("tick", err)
	}
	var failures []error
	for _, c := range due.Items {
		state, err := s.step(ctx, c, now)
		if err != nil {
			failures = append(failures, err) // one campaign's trouble must not stop the others
			continue
		}
		if state != c.State {
			moved++
		}
	}
	return moved, wrap("tick", errors.Join(failures...))
}

func (s *Service) step(ctx context.Context, c *Campaign, now time.Time) (State, error) {
	decide := func(c *Campaign) error {
		c.advance(now)
		return nil
	}
	if c.State == Closed {
		until, err := s.lastUnpaid(ctx, c.ID)
		if err != nil {
			return "", err
		}
		if wait := until.Add(s.config.Grace); wait.After(now) {
			decide = func(c *Campaign) error {
				if c.State == Closed {
					c.NextAt = wait
				}
				return nil
			}
		} else {
			tally, err := s.recount(ctx, c.ID)
			if err != nil {
				return "", err
			}
			count, err := s.turnout(ctx, c, tally)
			if err != nil {
				return "", err
			}
			decide = func(c *Campaign) error {
				c.conclude(count, now)
				return nil
			}
		}
	}
	after, err := s.change(ctx, "move", c.ID, decide)
	if err != nil {
		return "", err
	}
	return after.State, nil
}

// conclude settles or fails a closed campaign. It is asked only when nobody admitted in time can still pay.
func (c *Campaign) conclude(count turnout, now time.Time) {
	if c.State != Closed {
		return
	}
	if !c.Formed() && c.reached(count) {
		c.move(moveForm, now)
	}
	if c.Formed() || c.MinSeats == 0 && c.MinUnits == 0 {
		c.move(moveSettle, now)
		return
	}
	c.Reason = "minimum"
	c.move(moveFail, now)
}

// hasten has a closed campaign decided as soon as nothing can change it any longer: its wait was set while an order was
// unpaid that has been paid, closed or given up since.
func (s *Service) hasten(ctx context.Context, c *Campaign) error {
	now := s.clock.Now()
	if c.State != Closed || !c.NextAt.After(now) {
		return nil
	}
	until, err := s.lastUnpaid(ctx, c.ID)
	if err != nil {
		return err
	}
	wait := until.Add(s.config.Grace)
	if earliest := c.ClosedAt.Add(settleLag); wait.Before(earliest) {
		wait = earliest
	}
	if !wait.Before(c.NextAt) {
		return nil
	}
	_, err = s.change(ctx, "hasten", c.ID, func(c *Campaign) error {
		if c.State == Closed && wait.Before(c.NextAt) {
			c.NextAt = wait
		}
		return nil
	})
	return err
}

// lastUnpaid is the latest `until` of a claim that nobody has paid for; zero when there is none.
func (s *Service) lastUnpaid(ctx context.Context, campaign string) (time.Time, error) {
	q, err := s.quotas.FindOne(ctx, docstore.By("unpaid", campaign).Newest())
	if errors.Is(err, docstore.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, wrap("last claim", err)
	}
	return q.Unpaid.Until, nil
}

// Formed reads afresh whether a campaign has reached its minimum. Codes: GRP_NOT_FOUND.
func (s *Service) Formed(ctx context.Context, campaign string) (bool, error) {
	c, err := s.fresh(ctx, campaign)
	if err != nil {
		return false, err
	}
	return c.Formed(), nil
}

func (s *Service) fresh(ctx context.Context, campaign string) (*Campaign, error) {
	c, err := s.campaigns.Get(ctx, campaign)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrNotFound
	}
	return c, wrap("campaign", err)
}
