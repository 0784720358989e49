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

// Hands are the two people behind a change that gives somebody power or an entry: one proposed it, another confirmed it.
// What is done on the machine itself is System's alone.
type Hands struct{ Maker, Checker string }

// Machine is System on its own.
func Machine() Hands { return Hands{System, System} }

// check refuses fewer than two people, and one of them being the person it is about.
// Codes: STF_TWO_PEOPLE, STF_OWN_ACCOUNT.
func (h Hands) check(operator string) error {
	switch {
	case h == Machine():
		return nil
	case h.Maker == "" || h.Checker == "" || h.Maker == h.Checker || h.Maker == System || h.Checker == System:
		return ErrTwoPeople
	case operator == h.Maker || operator == h.Checker:
		return ErrOwnAccount
	}
	return nil
}

// people are those who handed something out; nobody when it was the machine.
func (h Hands) people() []string {
	if h == Machine() {
		return nil
	}
	return []string{h.Maker, h.Checker}
}

// more reports whether the roles hold something that was not held before.
func more(before, after []Role) bool {
	return slices.ContainsFunc(after, func(r Role) bool { return !slices.Contains(before, r) })
}

// GrantRoles gives an account other roles, also more than it had. Was is what it had when the change was proposed.
// Codes: STF_TWO_PEOPLE, STF_OWN_ACCOUNT, STF_ROLE_UNKNOWN, STF_NOT_FOUND, STF_STATE.
func (s *Service) GrantRoles(ctx context.Context, h Hands, operator string, was, roles []Role) (*Operator, error) {
	if err := h.check(operator); err != nil {
		return nil, err
	}
	roles, ok := cleanRoles(roles)
	if !ok {
		return nil, ErrRoleUnknown
	}
	var before []Role
	o, err := s.change(ctx, h.Checker, operator, assign, func(o *Operator) error {
		before = o.Roles
		if !slices.Equal(o.Roles, was) && !slices.Equal(o.Roles, roles) {
			return ErrMove
		}
		o.Roles = roles
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, h.Checker, "set-roles", operator, "", Words(before, roles))
}

// Reenrol gives an account a fresh enrolment code and ends its sessions; the old password is no good any more. The same
// key makes another code as long as nobody has used the last one, and none afterwards.
// Codes: STF_TWO_PEOPLE, STF_OWN_ACCOUNT, STF_STATE, STF_NOT_FOUND.
func (s *Service) Reenrol(ctx context.Context, h Hands, operator, key string) (Added, error) {
	if err := h.check(operator); err != nil {
		return Added{}, err
	}
	code, hash, err := s.temporary(ctx)
	if err != nil {
		return Added{}, err
	}
	now, used := s.clock.Now(), false
	o, err := s.change(ctx, h.Checker, operator, reset, func(o *Operator) error {
		if used = key != "" && o.Enrolment == key && !o.MustChange; used {
			return nil
		}
		o.setPassword(hash, now.Add(s.config.TemporaryFor))
		o.Enrolment, o.EnrolledBy, o.EnrolledAt = key, h.people(), now
		return nil
	})
	if err != nil {
		return Added{}, err
	}
	if used {
		return Added{Operator: o}, nil
	}
	if err := s.unlock(ctx, operator); err != nil {
		return Added{}, err
	}
	return Added{o, code}, s.noteSystem(ctx, h.Checker, "reset-password", operator, "", Change{})
}

// Reopen lets a disabled account in again, with the password it had.
// Codes: STF_TWO_PEOPLE, STF_OWN_ACCOUNT, STF_NOT_FOUND.
func (s *Service) Reopen(ctx context.Context, h Hands, operator string) (*Operator, error) {
	if err := h.check(operator); err != nil {
		return nil, err
	}
	o, err := s.change(ctx, h.Checker, operator, enable, func(*Operator) error { return nil })
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, h.Checker, "enable-operator", operator, "", Change{After: string(o.State)})
}

// Link says who an operator is as a member, or that they are none with "": nobody decides about their own member's money.
// Codes: STF_TWO_PEOPLE, STF_OWN_ACCOUNT, STF_MEMBER_INVALID, STF_NOT_FOUND.
func (s *Service) Link(ctx context.Context, h Hands, operator, member string) (*Operator, error) {
	if err := h.check(operator); err != nil {
		return nil, err
	}
	if member != "" && (!id.Valid(member) || len(member) > 100) {
		return nil, ErrMemberInvalid
	}
	before := ""
	o, err := s.change(ctx, h.Checker, operator, link, func(o *Operator) error {
		before, o.Member = o.Member, member
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, h.Checker, "link-member", operator, "", Change{Before: before, After: member})
}

// MemberOf is who an operator is as a member; "" when that is not known. Codes: STF_NOT_FOUND.
func (s *Service) MemberOf(ctx context.Context, operator string) (string, error) {
	o, err := s.Operator(ctx, operator)
	if err != nil {
		return "", err
	}
	return o.Member, nil
}

// MayCheck refuses who may not decide what the makers prepared: themselves, also under a second account of the same member,
// and those of whom one handed the other an enrolment code less than Config.Cooling ago.
// Codes: STF_DRAFT_OWN, STF_COOLING.
func (s *Service) MayCheck(ctx context.Context, checker string, makers ...string) error {
	ids := slices.DeleteFunc(append([]string{checker}, makers...), func(one string) bool { return !id.Valid(one) })
	found, err := s.operators.GetWhole(ctx, ids)
	if err != nil {
		return fmt.Errorf("staff may check: %w", err)
	}
	now, me := s.clock.Now(), found[checker]
	warm := func(o *Operator, by string) bool {
		return slices.Contains(o.EnrolledBy, by) && now.Before(o.EnrolledAt.Add(s.config.Cooling))
	}
	for _, maker := range makers {
		if maker == checker {
			return ErrDraftOwn
		}
		them := found[maker]
		switch {
		case me == nil || them == nil:
		case me.Member != "" && me.Member == them.Member:
			return ErrDraftOwn
		case warm(them, checker), warm(me, maker):
			return ErrCooling
		}
	}
	return nil
}

// change makes one move on somebody else's account.
func (s *Service) change(ctx context.Context, by, operator string, m move, fn func(*Operator) error) (*Operator, error) {
	if by == operator {
		return nil, ErrOwnAccount
	}
	o, err := s.operators.Update(ctx, operator, func(o *Operator) error {
		if err := o.take(m); err != nil {
			return err
		}
		return fn(o)
	})
	if errors.Is(err, docstore.ErrInvalid) {
		return nil, ErrNotFound.Because(err)
	}
	if err != nil {
		return nil, asFault(string(m), err, ErrNotFound)
	}
	return o, nil
}

// choose ends an enrolment, or changes a password: its owner chose it.
func (o *Operator) choose(hash, at string) {
	o.setPassword(hash, time.Time{})
	o.settle(at)
}
