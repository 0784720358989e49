package staff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// LoginInput is what somebody types.
type LoginInput struct {
	Login    string
	Password string // at most 512 bytes
	Request  string // id of the request, for the audit log
	From     Source // where it comes from; its address decides how fast one may try again
}

// Login is a fresh session. Token is shown this once.
type Login struct {
	Token      string
	Operator   string
	ExpiresAt  time.Time
	MustChange bool // only ChangePassword is allowed
	session    string
}

const maxTyped = 512

// Login signs an operator in. When the answer is lost, log in again: the session nobody knows ends by itself. A refused
// attempt is in the audit log; one that came too early is not looked at.
// Codes: STF_LOGIN_REFUSED, STF_SLOW_DOWN.
func (s *Service) Login(ctx context.Context, in LoginInput) (Login, error) {
	name, ok := cleanLogin(in.Login)
	a, err := s.admit(ctx, IDOf(name), in.From.Address)
	if err != nil {
		return Login{}, err
	}
	good := false
	hash := s.hashOf(a.operator)
	if ok && len(in.Password) <= maxTyped {
		good, err = s.passwords.Matches(ctx, a.turn, hash, in.Password)
	} else {
		_, err = s.passwords.Matches(ctx, a.turn, hash, "") // takes as long as a wrong password
	}
	switch {
	case errors.Is(err, ErrTurns):
		return Login{}, waits(time.Second)
	case err != nil:
		return Login{}, fmt.Errorf("staff login: compare: %w", err)
	case !good || a.operator == nil || !a.operator.open(s.clock.Now()):
		return Login{}, errors.Join(s.noteRefused(ctx, a, in), ErrLoginRefused)
	}
	seen := a.operator
	o, err := s.operators.Update(ctx, seen.ID, func(o *Operator) error {
		if o.State != Active || o.Generation != seen.Generation { // disabled or reset while the hash was computed
			return ErrLoginRefused
		}
		o.settle(in.From.Address)
		o.LastLogin = s.clock.Now()
		return nil
	})
	if err != nil {
		return Login{}, asFault("login", err, ErrLoginRefused)
	}
	if err := s.forgive(ctx, o.ID, a.place); err != nil {
		return Login{}, err
	}
	login, err := s.startSession(ctx, o, in)
	if err != nil {
		return Login{}, fmt.Errorf("staff login: %w", err)
	}
	in.From.Session = login.session
	return login, s.Note(ctx, Deed{By: o.ID, Operation: "login", Subject: SubjectOf(o.ID), Request: in.Request, From: in.From})
}

// hashOf is what a password is compared with; a name that nobody has takes as long.
func (s *Service) hashOf(o *Operator) string {
	if o == nil {
		return s.nobody
	}
	return o.Hash.Reveal()
}

// noteRefused writes down that somebody was not let in. A name that nobody has is not written: people type their passwords
// into the wrong field.
func (s *Service) noteRefused(ctx context.Context, a admitted, in LoginInput) error {
	subject := "login/unknown"
	if a.operator != nil {
		subject = SubjectOf(a.operator.ID)
	}
	return s.Note(ctx, Deed{
		By: Nobody, Operation: "login", Subject: subject, Request: in.Request, From: in.From,
		After: fmt.Sprintf("failed %d times here", a.failed), Outcome: Refused, Code: ErrLoginRefused.Code,
	})
}

// PasswordChange is somebody choosing their own password.
type PasswordChange struct {
	Operator, Session string // from the Principal
	Old, New          string
	Address           string // where they are: from now on known
}

// ChangePassword sets a password that its owner chose and ends every other session. A wrong old password is an
// attempt like at a login. Repeating it with the same words is fine.
// Codes: STF_PASSWORD_WEAK, STF_PASSWORD_SAME, STF_PASSWORD_WRONG, STF_LOCKED, STF_NOT_FOUND.
func (s *Service) ChangePassword(ctx context.Context, in PasswordChange) error {
	known, err := s.operators.Get(ctx, in.Operator)
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	switch {
	case len(in.Old) > maxTyped || len(in.New) > maxTyped || !strong(in.New, known.Login):
		return ErrPasswordWeak
	case in.Old == in.New:
		return ErrPasswordSame
	}
	if _, err := s.charge(ctx, in.Operator, changing, s.config.strange()); errors.Is(err, ErrSlow) {
		return ErrLocked.Because(err)
	} else if err != nil {
		return err
	}
	o, err := s.operators.Get(ctx, in.Operator)
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	if !o.open(s.clock.Now()) {
		return ErrLoginRefused // the enrolment code has run out
	}
	old, err := s.passwords.Matches(ctx, Trusted, o.Hash.Reveal(), in.Old)
	if err != nil {
		return fmt.Errorf("staff change password: compare: %w", err)
	}
	if !old {
		return s.changedAlready(ctx, o, in)
	}
	hash, err := s.passwords.Hash(ctx, in.New)
	if err != nil {
		return fmt.Errorf("staff change password: hash: %w", err)
	}
	before := o.Generation
	after, err := s.operators.Update(ctx, in.Operator, func(o *Operator) error {
		if o.Generation != before || o.State != Active {
			return ErrPasswordWrong // changed or reset in between: what was "old" is not the present one any more
		}
		o.choose(hash, in.Address)
		return nil
	})
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	if err := s.keepSession(ctx, in.Session, after); err != nil {
		return err
	}
	return s.forgive(ctx, in.Operator, changing)
}

// changedAlready is the repetition of a change whose answer was lost, or a wrong password.
func (s *Service) changedAlready(ctx context.Context, o *Operator, in PasswordChange) error {
	same, err := s.passwords.Matches(ctx, Trusted, o.Hash.Reveal(), in.New)
	if err != nil {
		return fmt.Errorf("staff change password: compare: %w", err)
	}
	if !same || o.MustChange {
		return ErrPasswordWrong
	}
	return s.forgive(ctx, o.ID, changing)
}

// keepSession lets the session in which the password was changed live on.
func (s *Service) keepSession(ctx context.Context, session string, o *Operator) error {
	_, err := s.sessions.Update(ctx, session, func(one *Session) error {
		if one.Operator == o.ID {
			one.Generation = o.Generation
		}
		return nil
	})
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("staff change password: %w", err)
	}
	return nil
}
