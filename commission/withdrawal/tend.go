package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

const tendPage = 200

// Tend does what time has made due, at most Config.TendCount withdrawals of it: resumes every half-done step, asks the
// platform about silent transfers, gives back what nobody reviewed. Every step is small and repeatable, several processes
// may tend at once, and a withdrawal that fails does not stop the others. Moved counts those whose step went well.
func (s *Service) Tend(ctx context.Context) (moved int, err error) {
	due := docstore.By(indexNext).Between(nil, s.clock.Now().Add(time.Millisecond))
	moved, err = s.withdrawals.Sweep(ctx, due, docstore.Sweep{Most: s.config.TendCount, Page: tendPage, Workers: s.config.Workers},
		func(w *Withdrawal) (bool, error) {
			err := s.tend(ctx, w)
			return err == nil, err
		})
	return moved, wrap("tend", err)
}

// tend does what is due for one withdrawal.
func (s *Service) tend(ctx context.Context, w *Withdrawal) error {
	if err := s.overdue(ctx, w); err != nil {
		return err
	}
	var err error
	switch {
	case w.State == Asked:
		err = s.resume(ctx, w)
	case w.State == Held:
		err = s.lapse(ctx, w)
	case w.State == Approved:
		_, err = s.retry(ctx, w, s.send)
	case w.State == Sent, w.State == Waiting:
		err = s.ask(ctx, w)
	case w.unposted():
		_, err = s.post(ctx, w)
	}
	return err
}

// resume goes on with a request whose lease is over: whoever was reserving is gone.
func (s *Service) resume(ctx context.Context, w *Withdrawal) error {
	mine := false
	w, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		mine = w.State == Asked && !now.Before(w.NextAt)
		if !mine {
			return errUnchanged
		}
		w.NextAt = now.Add(s.config.Lease)
		return nil
	})
	if err != nil || !mine {
		return err
	}
	_, err = s.begin(ctx, w)
	return err
}

// retry does a step of our own and, when it fails, plans the next try.
func (s *Service) retry(
	ctx context.Context, w *Withdrawal, step func(context.Context, *Withdrawal) (*Withdrawal, error),
) (*Withdrawal, error) {
	done, err := step(ctx, w)
	if err == nil {
		return s.proceed(ctx, done)
	}
	return s.later(ctx, w, err)
}

// lapse gives back what nobody reviewed in time.
func (s *Service) lapse(ctx context.Context, w *Withdrawal) error {
	w, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		if w.State != Held || now.Before(w.NextAt) {
			return errUnchanged
		}
		return w.end(byLapse, now, codeNoReview, "超过审核时限，金额已退回可提现")
	})
	if err != nil {
		return err
	}
	_, err = s.proceed(ctx, w)
	return err
}

// ask asks the platform about a transfer, for as long as it takes. Only a number the platform surely would remember is sent
// again when it is unknown.
func (s *Service) ask(ctx context.Context, w *Withdrawal) error {
	o, err := s.query(ctx, w)
	if errors.Is(err, ErrUnknownNumber) {
		return s.unknown(ctx, w)
	}
	if err != nil {
		_, err = s.later(ctx, w, fmt.Errorf("query %s: %w", w.ID, err))
		return err
	}
	before := w.State
	w, err = s.Settle(ctx, o)
	if err != nil && !errors.Is(err, ErrOutcomeMismatch) {
		return err
	}
	if !w.CancelAt.IsZero() && o.State == TransferWaiting && w.State == Waiting { // the wish did not get through
		if done, err := s.revoke(ctx, w); err == nil {
			w = done
		}
	}
	if w.State == Waiting && w.Package == "" && w.CancelAt.IsZero() { // the answer with the package was lost: the same number gives it again
		if done, err := s.dispatch(ctx, w); err == nil {
			w = done
		}
	}
	if w.State == before && !w.State.Ended() { // no news: ask again, later each time
		_, planned := s.later(ctx, w, nil)
		return errors.Join(err, planned)
	}
	return err
}

func (s *Service) query(ctx context.Context, w *Withdrawal) (Outcome, error) {
	rail, err := s.rail(w)
	if err != nil {
		return Outcome{}, err
	}
	o, err := rail.Query(ctx, w.ID)
	o.Number = w.ID
	return o, err
}

// unknown sends a transfer again, under its number, that the platform never heard of.
func (s *Service) unknown(ctx context.Context, w *Withdrawal) error {
	if s.clock.Now().Before(w.SentAt.Add(s.config.Forgets)) && w.State == Sent && w.Bill == "" {
		if !w.CancelAt.IsZero() {
			return s.neverBegan(ctx, w)
		}
		_, err := s.dispatch(ctx, w)
		return err
	}
	_, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		if w.State != Sent && w.State != Waiting {
			return errUnchanged
		}
		w.incident(Forgotten, "unknown to the platform since "+w.SentAt.Format(time.DateOnly), now)
		w.Tries++
		return nil
	})
	return err
}
