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
}

// Login is a fresh session. Token is shown this once.
type Login struct {
	Token      string
	Operator   string
	ExpiresAt  time.Time
	MustChange bool // only ChangePassword is allowed
}

const maxTyped = 512

// Login signs an operator in. When the answer is lost, log in again: the session nobody knows ends by itself.
// Codes: STF_LOGIN_REFUSED.
func (s *Service) Login(ctx context.Context, in LoginInput) (Login, error) {
	name, ok := cleanLogin(in.Login)
	if !ok || len(in.Password) > maxTyped {
		return Login{}, s.pretend(ctx, in.Password)
	}
	seen, err := s.attempt(ctx, IDOf(name), in)
	if err != nil {
		return Login{}, err
	}
	var login Login
	o, err := s.operators.Update(ctx, seen.ID, func(o *Operator) error {
		if o.State != Active || o.Generation != seen.Generation { // disabled or reset while the hash was computed
			return ErrLoginRefused
		}
		o.good()
		o.LastLogin = s.clock.Now()
		return nil
	})
	if err != nil {
		return Login{}, asFault("login", err, ErrLoginRefused)
	}
	if login, err = s.startSession(ctx, o); err != nil {
		return Login{}, fmt.Errorf("staff login: %w", err)
	}
	return login, s.note(ctx, Deed{By: o.ID, Operation: "login", Subject: SubjectOf(o.ID), Request: in.Request})
}

// attempt counts and makes one attempt. Codes: STF_LOGIN_REFUSED.
func (s *Service) attempt(ctx context.Context, operator string, in LoginInput) (*Operator, error) {
	now, locks := s.clock.Now(), false
	o, err := s.operators.Update(ctx, operator, func(o *Operator) error {
		err := o.charge(now, s.config)
		locks = err == nil && o.LockedUntil.After(now)
		return err
	})
	switch {
	case errors.Is(err, docstore.ErrNotFound), errors.Is(err, ErrLoginRefused), errors.Is(err, ErrLocked):
		return nil, s.pretend(ctx, in.Password)
	case err != nil:
		return nil, fmt.Errorf("staff login: %w", err)
	}
	good, err := s.passwords.Matches(ctx, o.Hash.Reveal(), in.Password)
	switch {
	case err != nil:
		return nil, fmt.Errorf("staff login: compare: %w", err)
	case good:
		return o, nil
	case locks:
		lock := Deed{By: System, Operation: "lock", Subject: SubjectOf(operator), Request: in.Request, After: "locked after wrong passwords"}
		if err := s.note(ctx, lock); err != nil {
			return nil, err
		}
	}
	return nil, ErrLoginRefused
}

// pretend takes as long as a wrong password.
func (s *Service) pretend(ctx context.Context, password string) error {
	if len(password) > maxTyped {
		password = ""
	}
	if _, err := s.passwords.Matches(ctx, s.nobody, password); err != nil {
		return fmt.Errorf("staff login: compare: %w", err)
	}
	return ErrLoginRefused
}

// PasswordChange is somebody choosing their own password.
type PasswordChange struct {
	Operator, Session string // from the Principal
	Old, New          string
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
	o, err := s.operators.Update(ctx, in.Operator, func(o *Operator) error { return o.charge(s.clock.Now(), s.config) })
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	old, err := s.passwords.Matches(ctx, o.Hash.Reveal(), in.Old)
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
		o.setPassword(hash, time.Time{})
		return nil
	})
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	return s.keepSession(ctx, in.Session, after)
}

// changedAlready is the repetition of a change whose answer was lost, or a wrong password.
func (s *Service) changedAlready(ctx context.Context, o *Operator, in PasswordChange) error {
	same, err := s.passwords.Matches(ctx, o.Hash.Reveal(), in.New)
	if err != nil {
		return fmt.Errorf("staff change password: compare: %w", err)
	}
	if !same || o.MustChange {
		return ErrPasswordWrong
	}
	_, err = s.operators.Update(ctx, o.ID, func(o *Operator) error { o.good(); return nil })
	if err != nil {
		return asFault("change password", err, ErrNotFound)
	}
	return nil
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
