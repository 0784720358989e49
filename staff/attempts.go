package staff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// attempts counts passwords that turned out to be wrong, for one account at one place: an address the account has never
// signed in from, one it has, all the strange ones together, or the changing of a password.
type attempts struct {
	docstore.Doc `bson:",inline"`
	Operator     string    `bson:"operator"`
	Failed       int       `bson:"failed"`
	Next         time.Time `bson:"next"` // no attempt is looked at before
	At           time.Time `bson:"at"`   // the newest
}

// pace is how attempts are slowed down: so many are free, then the next has to wait, twice as long every time.
type pace struct {
	free        int
	first, most time.Duration
}

func (p pace) after(failed int) time.Duration {
	if failed < p.free {
		return 0
	}
	wait := p.first
	for range min(failed-p.free, 40) {
		if wait >= p.most {
			break
		}
		wait *= 2
	}
	return min(wait, p.most)
}

// Places of attempts that are no addresses.
const (
	everywhere = "*"
	changing   = "change-password"
)

// Nobody is who tried to sign in and did not.
const Nobody = "nobody"

// forgetAfter is how long a wrong password counts.
const forgetAfter = 24 * time.Hour

// The paces. A place the operator is known at is never closed: whoever sits there with the password waits for seconds at
// most. Strange places share a pace of their own, so that many addresses are not many times as fast.
func (c Config) strange() pace { return pace{c.Attempts, c.WaitFrom, c.WaitMost} }

var (
	known = pace{60, time.Second, 5 * time.Second}
	all   = pace{100, time.Second, 10 * time.Second}
)

// trustedFailures is how many wrong passwords a known place may have and still be served before strangers.
const trustedFailures = 10

// slow is ErrSlow with the time to wait.
type slow struct{ wait time.Duration }

func (e *slow) Error() string            { return ErrSlow.Error() }
func (e *slow) Unwrap() error            { return ErrSlow }
func (e *slow) RetryIn() time.Duration   { return e.wait }
func waits(wait time.Duration) error     { return &slow{wait} }
func attemptsID(who, at string) string   { return id.Derive("attempts", who, at) }
func (o *Operator) knows(at string) bool { return at != "" && slices.Contains(o.Places, at) }

// maxPlaces is how many addresses of an operator are remembered.
const maxPlaces = 10

// settle remembers an address somebody has proved to be at.
func (o *Operator) settle(at string) {
	if at == "" || o.MustChange {
		return
	}
	o.Places = append(slices.DeleteFunc(o.Places, func(one string) bool { return one == at }), at)
	o.Places = o.Places[max(0, len(o.Places)-maxPlaces):]
}

// charge counts an attempt before it is made. Codes: STF_SLOW_DOWN.
func (s *Service) charge(ctx context.Context, who, at string, p pace) (failed int, err error) {
	now := s.clock.Now()
	a, err := s.attempts.Upsert(ctx, attemptsID(who, at), func(a *attempts) error {
		if now.Before(a.Next) {
			return waits(a.Next.Sub(now))
		}
		if now.Sub(a.At) >= forgetAfter {
			a.Failed = 0
		}
		a.Operator, a.At = who, now
		a.Failed++
		a.Next = now.Add(p.after(a.Failed))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("staff attempt: %w", err)
	}
	return a.Failed, nil
}

// admitted is an attempt that may be looked at.
type admitted struct {
	operator *Operator // nil: there is none
	place    string
	failed   int
	turn     Turn
}

// admit decides whether an attempt to sign in is looked at, and counts it. It treats names that nobody has like others.
// Codes: STF_SLOW_DOWN.
func (s *Service) admit(ctx context.Context, who, address string) (a admitted, err error) {
	a.place = "at/" + address
	a.operator, err = s.operators.Get(ctx, who)
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return a, fmt.Errorf("staff login: %w", err)
	}
	if a.operator != nil && a.operator.knows(address) {
		if a.failed, err = s.charge(ctx, who, a.place, known); err != nil {
			return a, err
		}
		if a.turn = Stranger; a.failed <= trustedFailures {
			a.turn = Trusted
		}
		return a, nil
	}
	a.turn = Stranger
	if a.failed, err = s.charge(ctx, who, a.place, s.config.strange()); err != nil {
		return a, err
	}
	_, err = s.charge(ctx, who, everywhere, all)
	return a, err
}

// forgive forgets what failed at a place.
func (s *Service) forgive(ctx context.Context, who, at string) error {
	if err := s.attempts.Delete(ctx, attemptsID(who, at), nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("staff forgive: %w", err)
	}
	return nil
}

// Unlock forgets every wrong password of an account, wherever it was typed. Codes: STF_NOT_FOUND.
func (s *Service) Unlock(ctx context.Context, by, operator string) error {
	if _, err := s.Operator(ctx, operator); err != nil {
		return err
	}
	if err := s.unlock(ctx, operator); err != nil {
		return err
	}
	return s.Note(ctx, Deed{By: by, Operation: "unlock", Subject: SubjectOf(operator)})
}

func (s *Service) unlock(ctx context.Context, operator string) error {
	_, err := s.forgetAttempts(ctx, docstore.By("operator", operator))
	return err
}

// PruneAttempts removes what no longer counts, up to a thousand at a time, and tells how many.
func (s *Service) PruneAttempts(ctx context.Context) (int, error) {
	return s.forgetAttempts(ctx, docstore.By("at").Between(nil, s.clock.Now().Add(-forgetAfter)))
}

func (s *Service) forgetAttempts(ctx context.Context, q docstore.Query) (int, error) {
	page, err := s.attempts.Find(ctx, q.First(1000))
	if err != nil {
		return 0, fmt.Errorf("staff forget attempts: %w", err)
	}
	for n, old := range page.Items {
		if err := s.attempts.Delete(ctx, old.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return n, fmt.Errorf("staff forget attempts: %w", err)
		}
	}
	return len(page.Items), nil
}
