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
	By      string // an operator, or System
	Key     string // the same key makes the same account
	Request string
	Login   string // 2 to 32 of a-z, 0-9, dot, dash; begins with a letter
	Name    string // 1 to 40 characters
	Roles   []Role // at least one
}

// Added is an account with a password made for it. It is shown this once.
type Added struct {
	Operator *Operator
	Password string
}

// AddOperator makes an account with a temporary password. Repeated with the same key before anybody signed in, it
// makes another password, because the first one was never stored in a readable form.
// Codes: STF_LOGIN_INVALID, STF_NAME_INVALID, STF_ROLE_UNKNOWN, STF_LOGIN_TAKEN.
func (s *Service) AddOperator(ctx context.Context, in AddInput) (Added, error) {
	login, ok := cleanLogin(in.Login)
	if !ok {
		return Added{}, ErrLoginInvalid
	}
	name, ok := cleanName(in.Name)
	if !ok {
		return Added{}, ErrNameInvalid
	}
	roles, ok := cleanRoles(in.Roles)
	if !ok {
		return Added{}, ErrRoleUnknown
	}
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
		return nil
	})
	if err != nil {
		return Added{}, asFault("add operator", err, ErrNotFound)
	}
	err = s.noteSystem(ctx, in.By, "add-operator", o.ID, in.Request, Words(nil, roles))
	return Added{o, password}, err
}

// SetRoles gives an account other roles; they count from the next request on.
// Codes: STF_OWN_ACCOUNT, STF_ROLE_UNKNOWN, STF_NOT_FOUND.
func (s *Service) SetRoles(ctx context.Context, by, operator string, roles []Role) (before []Role, o *Operator, err error) {
	roles, ok := cleanRoles(roles)
	if !ok {
		return nil, nil, ErrRoleUnknown
	}
	o, err = s.change(ctx, by, operator, assign, func(o *Operator) {
		before, o.Roles = o.Roles, roles
	})
	if err != nil {
		return nil, nil, err
	}
	return before, o, s.noteSystem(ctx, by, "set-roles", operator, "", Words(before, roles))
}

// Disable ends every session of an account and lets nobody in any more.
// Codes: STF_OWN_ACCOUNT, STF_NOT_FOUND.
func (s *Service) Disable(ctx context.Context, by, operator string) (*Operator, error) {
	o, err := s.change(ctx, by, operator, disable, func(o *Operator) { o.Generation++ })
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, by, "disable-operator", operator, "", Change{})
}

// Enable opens a disabled account again, with the password it had.
// Codes: STF_OWN_ACCOUNT, STF_NOT_FOUND.
func (s *Service) Enable(ctx context.Context, by, operator string) (*Operator, error) {
	o, err := s.change(ctx, by, operator, enable, func(o *Operator) { o.good() })
	if err != nil {
		return nil, err
	}
	return o, s.noteSystem(ctx, by, "enable-operator", operator, "", Change{})
}

// ResetPassword gives an account a temporary password, opens its lock and ends its sessions. Every call makes another
// password; the last one counts.
// Codes: STF_OWN_ACCOUNT, STF_STATE, STF_NOT_FOUND.
func (s *Service) ResetPassword(ctx context.Context, by, operator string) (Added, error) {
	if by == operator {
		return Added{}, ErrOwnAccount
	}
	password, hash, err := s.temporary(ctx)
	if err != nil {
		return Added{}, err
	}
	until := s.clock.Now().Add(s.config.TemporaryFor)
	o, err := s.change(ctx, by, operator, reset, func(o *Operator) { o.setPassword(hash, until) })
	if err != nil {
		return Added{}, err
	}
	return Added{o, password}, s.noteSystem(ctx, by, "reset-password", operator, "", Change{})
}

// change makes one move on somebody else's account.
func (s *Service) change(ctx context.Context, by, operator string, m move, fn func(*Operator)) (*Operator, error) {
	if by == operator {
		return nil, ErrOwnAccount
	}
	o, err := s.operators.Update(ctx, operator, func(o *Operator) error {
		if err := o.take(m); err != nil {
			return err
		}
		fn(o)
		return nil
	})
	if err != nil {
		return nil, asFault(string(m), err, ErrNotFound)
	}
	return o, nil
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
