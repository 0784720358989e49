package book

import "strings"

// Movement is what one seal does to one member.
type Movement struct {
	Change    Balance
	Lines     int
	Text      []byte
	withdrawn []string // numbers of the withdrawals asked for
}

// Numbered is a movement with the number of its seal.
type Numbered struct {
	Number int64
	*Movement
}

// Moves sums entries by member: one statement line per entry and member. It keeps nothing of an entry but copies.
type Moves struct {
	Of      map[string]*Movement
	parties []Party
	line    []byte
}

// Party is what one entry does to one member.
type Party struct {
	Member string
	Change Balance
	Roles  []Role
}

// Movements are the moves of the entries of a seal.
func Movements(entries []*Entry) map[string]*Movement {
	m := Moves{Of: make(map[string]*Movement, len(entries))}
	for _, e := range entries {
		m.Take(e)
	}
	return m.Of
}

// Take adds an entry.
func (m *Moves) Take(e *Entry) {
	if m.parties = e.Parties(m.parties[:0]); len(m.parties) == 0 {
		return
	}
	m.line = AppendSubject(m.line[:0], e)
	for i := range m.parties {
		p := &m.parties[i]
		one := m.Of[p.Member]
		if one == nil {
			one = &Movement{}
			m.Of[strings.Clone(p.Member)] = one // the entry's text can go
		}
		one.Change.Add(p.Change)
		one.Lines++
		if e.Kind == Withdraw {
			one.withdrawn = append(one.withdrawn, e.Number)
		}
		one.Text = AppendShare(append(one.Text, m.line...), p.Change, p.Roles)
	}
}

// Parties appends whom the entry moves, in order of appearance; what into held beyond its length is used again.
func (e *Entry) Parties(into []Party) []Party {
	first := len(into)
	for i := range e.Postings {
		posting := &e.Postings[i]
		member, pot, ok := posting.Account.Member()
		if !ok {
			continue
		}
		at := first
		for at < len(into) && into[at].Member != member {
			at++
		}
		if at == len(into) {
			into = another(into)
			into[at].Member = member
		}
		p := &into[at]
		if amount := p.Change.Pot(pot); amount != nil {
			*amount += posting.Amount
		}
		p.Roles = withRole(p.Roles, posting.Role)
	}
	return into
}

// another makes room for one more party, with the memory of an old one's roles.
func another(into []Party) []Party {
	if len(into) == cap(into) {
		return append(into, Party{})
	}
	into = into[:len(into)+1]
	last := &into[len(into)-1]
	*last = Party{Roles: last.Roles[:0]}
	return into
}

func withRole(roles []Role, role Role) []Role {
	for _, r := range roles {
		if r == role {
			return roles
		}
	}
	return append(roles, role)
}

// LineOf is what the entry did to the member.
func (e *Entry) LineOf(member string) Line {
	line := Line{Entry: e.ID, Kind: e.Kind, Order: e.Order, Number: e.Number, At: e.At}
	for _, p := range e.Postings {
		if owner, pot, ok := p.Account.Member(); ok && owner == member {
			*line.Change.Pot(pot) += p.Amount
			line.Roles = withRole(line.Roles, p.Role)
		}
	}
	return line
}
