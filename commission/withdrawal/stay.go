package withdrawal

import (
	"context"
	"time"
)

// stays is how long a withdrawal may stay in a state before people are told. A held one has ReviewDays of its own; it is told
// when a day of them has gone, so that it does not lapse unseen.
var stays = map[State]time.Duration{
	Asked:    time.Hour,
	Held:     24 * time.Hour,
	Approved: time.Hour,
	Sent:     2 * time.Hour,
	Waiting:  26 * time.Hour, // the platform's 24 hours, and its lag
}

// unpostedStay is how long what follows from an end may take.
const unpostedStay = time.Hour

// Stays lists the longest stays, for the documentation.
func Stays() map[State]time.Duration {
	all := map[State]time.Duration{}
	for state, stay := range stays {
		all[state] = stay
	}
	return all
}

// since is when the withdrawal came into its state; documents of earlier programs do not say, their other times do.
func (w *Withdrawal) since() time.Time {
	if !w.StateAt.IsZero() {
		return w.StateAt
	}
	newest := w.AskedAt
	for _, t := range []time.Time{w.HeldAt, w.DecidedAt, w.SentAt, w.WaitingAt, w.EndedAt} {
		if t.After(newest) {
			newest = t
		}
	}
	return newest
}

// stayEnds is when people are to be told that the state lasts too long; zero when they know, or there is no limit.
func (w *Withdrawal) stayEnds() (at time.Time, detail string) {
	stay := stays[w.State]
	if w.unposted() {
		stay = unpostedStay
	}
	if stay == 0 || len(w.Incidents) >= maxIncidents {
		return at, ""
	}
	at = w.since().Add(stay)
	detail = string(w.State) + " since " + w.since().UTC().Format(time.RFC3339)
	for _, i := range w.Incidents {
		if i.Kind == Overdue && i.Detail == detail {
			return time.Time{}, ""
		}
	}
	return at, detail
}

// Overdue reports whether what an overdue incident says is still so.
func (w *Withdrawal) Overdue(detail string) bool {
	return (!w.State.Ended() || w.unposted()) && detail == string(w.State)+" since "+w.since().UTC().Format(time.RFC3339)
}

// overdue tells people, once, when the stay is over.
func (s *Service) overdue(ctx context.Context, w *Withdrawal) error {
	if at, _ := w.stayEnds(); at.IsZero() || s.clock.Now().Before(at) {
		return nil
	}
	_, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		at, detail := w.stayEnds()
		if at.IsZero() || now.Before(at) {
			return errUnchanged
		}
		w.incident(Overdue, detail, now)
		return nil
	})
	return wrap("overdue", err)
}

// A transfer the platform never took can be taken back when nothing is on its way any more.
const (
	quietUnknowns = 3                // questions in a row that found nothing
	quietRefused  = 10 * time.Minute // since the last sending, when every one was answered by a no
	quietDoubtful = time.Hour        // when some was not answered
)

// neverBegan ends a transfer that the member wants back and that the platform, asked often enough and long enough after the
// last sending, has never heard of. It is not sent again: the member's wish came after it.
func (s *Service) neverBegan(ctx context.Context, w *Withdrawal) error {
	w, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
		if w.State != Sent || w.Bill != "" || w.CancelAt.IsZero() {
			return errUnchanged
		}
		w.Tries++
		w.Unknowns++
		last, quiet := w.LastSendAt, quietRefused
		if last.IsZero() {
			last, quiet = w.SentAt, quietDoubtful
		}
		if w.Doubtful {
			quiet = quietDoubtful
		}
		if w.Unknowns < quietUnknowns || now.Before(last.Add(quiet)) {
			return nil
		}
		w.Platform = TransferCancelled // a success that comes all the same is a contradiction, and an incident
		return w.end(byRevocation, now, codeCancelled, "已取消，金额已退回可提现")
	})
	if err != nil {
		return err
	}
	_, err = s.proceed(ctx, w)
	return err
}

// ConfirmUntil is when the member can no longer confirm; zero while there is nothing to confirm, or nothing any more. After it the platform may take
// its time to say so: nobody is to be offered a button that does nothing.
func (s *Service) ConfirmUntil(w *Withdrawal) time.Time {
	if w.State != Waiting || w.Package == "" || w.Platform == TransferTransferring {
		return time.Time{}
	}
	until := w.WaitingAt.Add(s.config.ConfirmWithin)
	if !s.clock.Now().Before(until) {
		return time.Time{}
	}
	return until
}

// Late reports whether the member's time to confirm is over while the platform has not said what became of the transfer.
func (s *Service) Late(w *Withdrawal) bool {
	return w.State == Waiting && w.Platform == TransferWaiting && !s.clock.Now().Before(w.WaitingAt.Add(s.config.ConfirmWithin))
}
