package staff

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"guanxi/internal/docstore"
	"guanxi/internal/fsm"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// System acts where no operator does: on the command line of the machine itself.
const System = "system"

// State of an account.
type State string

// The states.
const (
	Active   State = "active"
	Disabled State = "disabled"
)

// move is what may be done to an account.
type move string

const (
	disable move = "disable"
	enable  move = "enable"
	reset   move = "reset password"
	assign  move = "set roles"
	link    move = "link a member"
)

// moves is every allowed move: from which state, into which. What is not here is refused (STF_STATE).
var moves = fsm.Table[State, move]{
	{Active, disable, Disabled},
	{Disabled, disable, Disabled}, // again changes nothing
	{Disabled, enable, Active},
	{Active, enable, Active},
	{Active, reset, Active},
	{Active, assign, Active},
	{Disabled, assign, Disabled},
	{Active, link, Active},
	{Disabled, link, Disabled},
}

// Machines draws the state machines, for docs/states.md.
func Machines() []fsm.Drawing {
	return []fsm.Drawing{moves.Draw("staff's account")}
}

// Operator is one account. Its id is derived from the login name.
type Operator struct {
	docstore.Doc  `bson:",inline"`
	Login         string             `bson:"login"`
	Name          string             `bson:"name"`
	Roles         []Role             `bson:"roles"`
	Member        string             `bson:"member,omitempty"` // who they are as a member, set by two people
	State         State              `bson:"state"`
	Hash          docstore.Encrypted `bson:"hash"`
	MustChange    bool               `bson:"must_change"`
	PasswordUntil time.Time          `bson:"password_until,omitempty"` // of an enrolment code
	Enrolment     string             `bson:"enrolment,omitempty"`      // what the newest code was made for
	EnrolledBy    []string           `bson:"enrolled_by,omitempty"`    // who could have seen it
	EnrolledAt    time.Time          `bson:"enrolled_at,omitempty"`
	Places        []string           `bson:"places,omitempty"` // addresses they signed in from, the newest last
	AddedKey      string             `bson:"added_key"`
	AddedBy       string             `bson:"added_by"`
	AddedAt       time.Time          `bson:"added_at"`
	LastLogin     time.Time          `bson:"last_login,omitempty"`
	Generation    int64              `bson:"generation"` // sessions of another generation are over
}

// IDOf is the id that the operator with this login name has.
func IDOf(login string) string { return id.Derive("operator", login) }

// take makes a move of the table.
func (o *Operator) take(m move) error {
	next, ok := moves.Move(o.State, m)
	if !ok {
		return ErrMove
	}
	o.State = next
	return nil
}

// open reports whether somebody may sign in at all.
func (o *Operator) open(now time.Time) bool {
	return o.State == Active && (o.PasswordUntil.IsZero() || now.Before(o.PasswordUntil))
}

// setPassword ends every session.
func (o *Operator) setPassword(hash string, until time.Time) {
	o.Hash, o.MustChange, o.PasswordUntil = docstore.Encrypted(hash), !until.IsZero(), until
	o.Generation++
}

// cleanLogin is how a login name is stored.
func cleanLogin(text string) (string, bool) {
	if len(text) > 64 {
		return "", false
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) < 2 || len(text) > 32 || text == System || text[0] < 'a' || text[0] > 'z' {
		return "", false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return "", false
		}
	}
	return text, true
}

func cleanName(name string) (string, bool) {
	return text.Line(name, 1, 40)
}

func cleanRoles(roles []Role) ([]Role, bool) {
	sorted := slices.Clone(roles)
	slices.Sort(sorted)
	if len(sorted) == 0 || len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
		return nil, false
	}
	for _, r := range sorted {
		if !r.Known() {
			return nil, false
		}
	}
	return sorted, true
}

// strong is the rule for passwords somebody chose.
func strong(password, login string) bool {
	n := utf8.RuneCountInString(password)
	named := len(login) >= 4 && strings.Contains(strings.ToLower(password), login)
	if !utf8.ValidString(password) || n < 12 || n > 128 || named {
		return false
	}
	seen := map[rune]bool{}
	for _, r := range password {
		seen[r] = true
	}
	return len(seen) >= 5
}
