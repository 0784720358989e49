package book

import (
	"strings"

	"guanxi/internal/money"
)

// A statement line is stored as text: what the lines of all members of an entry begin with, then what it does to one of them.
//
//	accrue/o1 2026-11-22T07:09:35.000Z direct,host pending=396
func AppendSubject(b []byte, e *Entry) []byte {
	b = append(append(b, e.ID...), ' ')
	return append(appendTime(b, e.At), ' ')
}

// AppendShare ends a line with what the entry does to one member.
func AppendShare(b []byte, change Balance, roles []Role) []byte {
	for i, role := range roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, role...)
	}
	if len(roles) == 0 {
		b = append(b, '-')
	}
	for _, p := range Pots {
		if amount := *change.Pot(p); amount != 0 {
			b = appendInt(append(append(b, ' '), p...), "=", int64(amount))
		}
	}
	return append(b, '\n')
}

// parseLines reads stored lines; first is the number of the first one, from 0.
func parseLines(text string, first int64) ([]Line, error) {
	lines := make([]Line, 0, strings.Count(text, "\n"))
	for text != "" {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		line, err := parseLine(row)
		if err != nil {
			return nil, err
		}
		first++
		line.No = first
		lines = append(lines, line)
	}
	return lines, nil
}

// subject reads the kind of the entry and what it is about from its id.
func (l *Line) subject() (kind Kind, order, number string) {
	first, rest, _ := strings.Cut(l.Entry, "/")
	switch kind = Kind(first); {
	case kind == Accrue || kind == Settle || kind == ClawBack:
		order, _, _ = strings.Cut(rest, "/")
		return kind, order, ""
	case first == outcome && l.Change.Withdrawn != 0:
		return Confirm, "", rest
	case first == outcome:
		return Fail, "", rest
	}
	return kind, "", rest
}

func parseLine(row string) (Line, error) {
	r := reader{rest: row}
	l := Line{Entry: r.take("")}
	at, err := parseTime(r.take(""))
	if err != nil {
		return Line{}, ErrText
	}
	l.At = at
	if roles := r.take(""); roles != "-" {
		for role := range strings.SplitSeq(roles, ",") {
			l.Roles = append(l.Roles, Role(role))
		}
	}
	for r.rest != "" && r.err == nil {
		key, _, _ := strings.Cut(r.rest, "=")
		amount := l.Change.Pot(Pot(key))
		if amount == nil {
			return Line{}, ErrText
		}
		*amount = money.Fen(r.number(key))
	}
	l.Kind, l.Order, l.Number = l.subject()
	return l, r.err
}
