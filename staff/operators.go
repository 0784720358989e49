package staff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// AddInput makes an account.
type AddInput struct {
	By      string // the operator who confirmed it, or System
	Maker   string // the operator who proposed it; "" with System
	Key     string // the same key makes the same account
	Request string
	Login   string // 2 to 32 of a-z, 0-9, dot, dash; begins with a letter
	Name    string // 1 to 40 characters
	Roles   []Role // at least one
}

// Added is an account with an enrolment code. It is shown this once: whoever is given it signs in with it and can do nothing
// but choose a password, which ends the code.
type Added struct {
	Operator *Operator
	Password string // the code; "" when it has been used already
}

// Check says whether such an account could be made.
// Codes: STF_LOGIN_INVALID, STF_NAME_INVALID, STF_ROLE_UNKNOWN.
func (in *AddInput) Check() error {
	login, ok := cleanLogin(in.Login)
	if !ok {
		return ErrLoginInvalid
	}
	name, ok := cleanName(in.Name)
	if !ok {
		return ErrNameInvalid
	}
	roles, ok := cleanRoles(in.Roles)
	if !ok {
		return ErrRoleUnknown
	}
	in.Login, in.Name, in.Roles = login, name, roles
	return nil
}

// AddOperator makes an account with an enrolment code. Repeated with the same key before anybody signed in, it
// makes another code, because the first one was never stored in a readable form.
// Codes: STF_LOGIN_INVALID, STF_NAME_INVALID, STF_ROLE_UNKNOWN, STF_LOGIN_TAKEN, STF_TWO_PEOPLE.
func (s *Service) AddOperator(ctx context.Context, in AddInput) (Added, error) {
	if err := in.Check(); err != nil {
		return Added{}, err
	}
	h := Hands{in.Maker, in.By}
	if in.By == System {
		h = Machine()
	}
	if err := h.check(IDOf(in.Login)); err != nil {
		return Added{}, err
	}
	login, name, roles := in.Login, in.Name, in.Roles
	password, hash, err := s.temporary(ctx)
	if err != nil {
		return Added{}, err
	}
	now, key := s.clock.Now(), id.Derive(in.By, in.Key)
	o, err := s.operators.Upsert(ctx, IDOf(login), func(o *Operator) error {
		switch {
		case o.Login == "":
			o.Login, o.Name, o.Roles, o.State = login, name, roles, Active
			o.AddedKey, o.AddedBy, o.AddedAt = key, in.By, now
		case o.AddedKey != key || o.Name != name || !slices.Equal(o.Roles, roles) || !o.LastLogin.IsZero() || o.State != Active:
			return ErrLoginTaken
		}
		o.setPassword(hash, now.Add(s.config.TemporaryFor))
		o.Enrolment, o.EnrolledBy, o.EnrolledAt = in.Key, h.people(), now
		return nil
	})
	if err != nil {
		return Added{}, asFault("add operator", err, ErrNotFound)
	}
	err = s.noteSystem(ctx, in.By, "add-operator", o.ID, in.Request, Words(nil, roles))
	return Added{o, password}, err
}

// SetRoles takes roles away from an account; they are gone with the next request. More than it had is given by two people
// (GrantRoles), or by System.
// Codes: STF_OWN_ACCOUNT, STF_TWO_PEOPLE, STF_ROLE_UNKNOWN, STF_NOT_FOUND.
func (s *Service) SetRoles(ctx context.Context, by, operator string, roles []Role) (before []Role, o *Operator, err error) {
	roles, ok := cleanRoles(roles)
	if !ok {
		return nil, nil, ErrRoleUnknown
	}
	o, err = s.change(ctx, by, operator, assign, func(o *Operator) error {
		if by != System && more(o.Roles, roles) {
			return ErrTwoPeople
		}
		before, o.Roles = o.Roles, roles
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return before, o, s.noteSystem(ctx, by, "set-roles", operator, "", Words(before, roles))
}

// Disable ends every session of an account and lets nobody in any more.
// Codes: STF_OWN_ACCOUNT, STF_NOT_FOUND.
func (s *Service) Disable(ctx context.Context, by, operator string) (*Operator, error) {
	o, err := s.change(ctx, by, operator, disable, func(o *Operator) error {
		o.Generation++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, by, "disable-operator", operator, "", Change{})
}

// ResetPassword is Reenrol from the machine itself. Codes: STF_TWO_PEOPLE, STF_STATE, STF_NOT_FOUND.
func (s *Service) ResetPassword(ctx context.Context, by, operator string) (Added, error) {
	return s.Reenrol(ctx, Hands{by, by}, operator, "")
}

// Operator shows one account. Codes: STF_NOT_FOUND.
func (s *Service) Operator(ctx context.Context, operator string) (*Operator, error) {
	o, err := s.operators.Get(ctx, operator)
	if err != nil {
		return nil, asFault("operator", err, ErrNotFound)
	}
	return o, nil
}

// Operators lists the accounts by login name, disabled ones too. Codes: STF_QUERY_INVALID.
func (s *Service) Operators(ctx context.Context, p docstore.Paging) (docstore.Page[Operator], error) {
	page, err := s.operators.List(ctx, docstore.By("login"), p)
	if err != nil {
		return page, asFault("operators", err, ErrNotFound)
	}
	return page, nil
}

// Names gives the display names of operators, for showing who did something; unknown ids are left out. At most 1,000.
// Codes: STF_QUERY_INVALID.
func (s *Service) Names(ctx context.Context, operators []string) (map[string]string, error) {
	slices.Sort(operators)
	operators = slices.Compact(operators)
	if len(operators) > 1000 {
		return nil, ErrQuery
	}
	found, err := s.operators.GetMany(ctx, slices.DeleteFunc(operators, func(one string) bool { return !id.Valid(one) }))
	if err != nil {
		return nil, fmt.Errorf("staff names: %w", err)
	}
	names := make(map[string]string, len(found))
	for one, o := range found {
		names[one] = o.Name
	}
	return names, nil
}

// temporary makes a password of 80 random bits, without letters that are easily mistaken.
func (s *Service) temporary(ctx context.Context) (password, hash string, err error) {
	const alphabet = "abcdefghjkmnpqrstuvwxyz23456789A"
	var b [16]byte
	_, _ = rand.Read(b[:])
	var text strings.Builder
	for i, c := range b {
		if i > 0 && i%4 == 0 {
			text.WriteByte('-')
		}
		text.WriteByte(alphabet[c%byte(len(alphabet))])
	}
	password = text.String()
	if hash, err = s.passwords.Hash(ctx, password); err != nil {
		return "", "", errors.Join(errors.New("staff: hash"), err)
	}
	return password, hash, nil
}
