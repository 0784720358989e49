package outreach

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

const tendPage = 200

// Tend sends what is planned and finishes what was left half done, at most Config.TendCount notices of it. Several processes
// may tend at once, and a notice that fails does not stop the others. Moved counts those that ended.
func (s *Service) Tend(ctx context.Context) (moved int, err error) {
	due := docstore.By(indexNext).Between(nil, s.clock.Now().Add(time.Millisecond))
	moved, err = s.notices.Sweep(ctx, due, docstore.Sweep{Most: s.config.TendCount, Page: tendPage, Workers: s.config.Workers},
		func(n *Notice) (bool, error) {
			if err := ctx.Err(); err != nil {
				return false, err // the program stops: what has not begun stays planned
			}
			return s.tend(ctx, n)
		})
	return moved, wrap("tend notices", err)
}

// tend takes one notice as far as it goes now.
func (s *Service) tend(ctx context.Context, n *Notice) (moved bool, err error) {
	switch n.State {
	case Planned:
		return s.try(ctx, n)
	case Sending:
		return s.giveUp(ctx, n)
	case Sent, Unsent:
		return false, s.settle(ctx, n)
	}
	return false, nil
}

// try sends a planned notice, or ends it when there is nothing to send.
func (s *Service) try(ctx context.Context, n *Notice) (bool, error) {
	openID, why, err := s.prepare(ctx, n)
	if err != nil {
		return false, errors.Join(err, s.later(ctx, n))
	}
	if why != "" {
		return s.drop(ctx, n, why)
	}
	docID := n.ID
	n, mine, err := s.change(ctx, docID, func(n *Notice, now time.Time) error {
		if err := n.move(bySending); err != nil {
			return err
		}
		n.SendingAt, n.NextAt = now, now.Add(s.config.Lease)
		return nil
	})
	if err != nil {
		return false, wrap("mark "+docID, err)
	}
	if !mine { // somebody else was faster
		if n.State.Ended() {
			return false, s.settle(ctx, n)
		}
		return false, nil
	}
	return s.send(ctx, n, openID)
}

// prepare finds what a notice needs, a credit of the member's last; why says what leaves nothing to send.
func (s *Service) prepare(ctx context.Context, n *Notice) (openID string, why Reason, err error) {
	if !s.clock.Now().Before(n.Until) {
		return "", TooLate, nil
	}
	over, err := s.notices.GetWhole(ctx, n.overtaking())
	if err != nil {
		return "", "", wrap("what overtakes "+n.ID, err)
	}
	switch {
	case n.Quiet:
		return "", Quiet, nil
	case len(over) > 0:
		return "", Overtaken, nil
	case len(n.Fields) == 0:
		return "", Refused, nil
	}
	openID, err = s.deps.Members.OpenID(ctx, n.Member)
	if f := fault.Of(err); f != nil && f.Kind == fault.NotFound || err == nil && openID == "" {
		return "", Gone, nil
	}
	if err != nil {
		return "", "", wrap("openid for "+n.ID, err)
	}
	held, err := s.hold(ctx, n)
	if err != nil {
		return "", "", wrap("credit for "+n.ID, err)
	}
	if !held {
		return "", NoCredit, nil
	}
	return openID, "", nil
}

// send hands the message to the platform. It was marked before: whatever happens now, nobody sends it again unless it surely
// did not arrive. The caller's end is not the message's: half a call would only be a doubt more.
func (s *Service) send(ctx context.Context, n *Notice, openID string) (bool, error) {
	calling, done := context.WithTimeout(context.WithoutCancel(ctx), s.config.SendWithin)
	err := s.deps.Sender.Send(calling, Message{OpenID: openID, Template: n.Template, Page: n.Page, Fields: n.Fields})
	done()
	ctx = context.WithoutCancel(ctx)
	var no *Refusal
	switch {
	case err == nil:
		return s.end(ctx, n, byArrival, "", "")
	case errors.As(err, &no):
		return s.end(ctx, n, byRefusal, no.Reason, no.Code)
	case errors.Is(err, ErrNotSent):
		s.failed.Add(1)
		_, _, back := s.change(ctx, n.ID, func(n *Notice, now time.Time) error {
			if err := n.move(byFailing); err != nil {
				return err
			}
			n.SendingAt = time.Time{}
			n.postpone(now)
			return nil
		})
		return false, errors.Join(fmt.Errorf("send %s: %w", n.ID, err), wrap("plan again", back))
	}
	moved, ended := s.end(ctx, n, bySilence, Unknown, "")
	return moved, errors.Join(fmt.Errorf("send %s, outcome unknown: %w", n.ID, err), ended)
}

// giveUp ends a notice whose sender is gone: it may have been sent, so it never is again.
func (s *Service) giveUp(ctx context.Context, n *Notice) (bool, error) {
	docID := n.ID
	n, mine, err := s.change(ctx, docID, func(n *Notice, now time.Time) error {
		if n.State != Sending || now.Before(n.NextAt) { // a later sending is not this one
			return errUnchanged
		}
		return n.end(bySilence, Unknown, "", now)
	})
	return s.ended(ctx, docID, n, mine, err)
}

func (s *Service) drop(ctx context.Context, n *Notice, why Reason) (bool, error) {
	return s.end(ctx, n, byDropping, why, "")
}

// end writes a notice's end and settles its credit.
func (s *Service) end(ctx context.Context, n *Notice, by cause, why Reason, code string) (bool, error) {
	docID := n.ID
	n, mine, err := s.change(ctx, docID, func(n *Notice, now time.Time) error {
		return n.end(by, why, code, now)
	})
	return s.ended(ctx, docID, n, mine, err)
}

// ended does what follows from an end, whoever wrote it.
func (s *Service) ended(ctx context.Context, docID string, n *Notice, mine bool, err error) (bool, error) {
	if err != nil {
		return false, wrap("end "+docID, err)
	}
	if mine {
		s.count(n)
	}
	if !n.State.Ended() {
		return false, nil
	}
	return mine, s.settle(ctx, n)
}

// later plans the next try of a notice that could not begin.
func (s *Service) later(ctx context.Context, n *Notice) error {
	_, _, err := s.change(ctx, n.ID, func(n *Notice, now time.Time) error {
		if n.State != Planned {
			return errUnchanged
		}
		n.postpone(now)
		return nil
	})
	return wrap("postpone "+n.ID, err)
}

// postpone waits longer each time, but not past the end of what is worth telling.
func (n *Notice) postpone(now time.Time) {
	delays := [...]time.Duration{
		5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute,
	}
	n.NextAt = now.Add(delays[min(n.Tries, len(delays)-1)])
	if n.NextAt.After(n.Until) {
		n.NextAt = n.Until
	}
	n.Tries++
}
