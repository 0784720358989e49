package commission

import "strings"

// movement is what one seal does to one member.
type movement struct {
	change    Balance
	lines     int
	text      []byte
	withdrawn []string // numbers of the withdrawals asked for
}

// numbered is a movement with the number of its seal.
type numbered struct {
	number int64
	*movement
}

// moves sums entries by member: one statement line per entry and member. It keeps nothing of an entry but copies.
type moves struct {
	of      map[string]*movement
	parties []party
	line    []byte
}

// party is what one entry does to one member.
type party struct {
	member string
	change Balance
	roles  []Role
}

// movements are the moves of the entries of a seal.
func movements(entries []*Entry) map[string]*movement {
	m := moves{of: make(map[string]*movement, len(entries))}
	for _, e := range entries {
		m.take(e)
	}
	return m.of
}

func (m *moves) take(e *Entry) {
	if m.parties = e.parties(m.parties[:0]); len(m.parties) == 0 {
		return
	}
	m.line = appendSubject(m.line[:0], e)
	for i := range m.parties {
		p := &m.parties[i]
		one := m.of[p.member]
		if one == nil {
			one = &movement{}
			m.of[strings.Clone(p.member)] = one // the entry's text can go
		}
		one.change.add(p.change)
		one.lines++
		if e.Kind == Withdraw {
			one.withdrawn = append(one.withdrawn, e.Number)
		}
		one.text = appendShare(append(one.text, m.line...), p.change, p.roles)
	}
}

// parties appends whom the entry moves, in order of appearance; what into held beyond its length is used again.
func (e *Entry) parties(into []party) []party {
	first := len(into)
	for i := range e.Postings {
		posting := &e.Postings[i]
		member, pot, ok := posting.Account.Member()
		if !ok {
			continue
		}
		at := first
		for at < len(into) && into[at].member != member {
			at++
		}
		if at == len(into) {
			into = another(into)
			into[at].member = member
		}
		p := &into[at]
		if amount := p.change.pot(pot); amount != nil {
			*amount += posting.Amount
		}
		p.roles = withRole(p.roles, posting.Role)
	}
	return into
}

// another makes room for one more party, with the memory of an old one's roles.
func another(into []party) []party {
	if len(into) == cap(into) {
		return append(into, party{})
	}
	into = into[:len(into)+1]
	last := &into[len(into)-1]
	*last = party{roles: last.roles[:0]}
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

// lineOf is what the entry did to the member.
func (e *Entry) lineOf(member string) Line {
	line := Line{Entry: e.ID, Kind: e.Kind, Order: e.Order, Number: e.Number, At: e.At}
	for _, p := range e.Postings {
		if owner, pot, ok := p.Account.Member(); ok && owner == member {
			*line.Change.pot(pot) += p.Amount
			line.Roles = withRole(line.Roles, p.Role)
		}
	}
	return line
}
