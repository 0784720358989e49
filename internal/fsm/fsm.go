// Package fsm holds state machines as tables of what may happen: what is not in a table does not happen.
package fsm

import (
	"fmt"
	"strings"
)

// Table is one state machine: a row leads from a state into another, by a cause. It stands in the order a reader follows it. From a
// state each cause leads into one other; where only the states matter the cause is "".
type Table[S, C ~string] []struct {
	From S
	By   C
	To   S
}

// Move tells where a cause leads from a state; ok is false when it may not happen there.
func (t Table[S, C]) Move(from S, by C) (to S, ok bool) {
	for i := range t {
		if t[i].From == from && t[i].By == by {
			return t[i].To, true
		}
	}
	return from, false
}

// Leads reports whether some cause leads from one state into the other.
func (t Table[S, C]) Leads(from, to S) bool {
	for i := range t {
		if t[i].From == from && t[i].To == to {
			return true
		}
	}
	return false
}

// Drawing is a state machine for people: its name and a diagram in Mermaid.
type Drawing struct{ Name, Mermaid string }

// Draw makes the diagram: a state nothing leads into is a beginning, one nothing leads out of is an end. What leads a state into
// itself changes nothing and is left out.
func (t Table[S, C]) Draw(name string) Drawing {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	into, out := map[S]bool{}, map[S]bool{}
	for _, e := range t {
		if e.From != e.To {
			into[e.To], out[e.From] = true, true
		}
	}
	seen := map[S]bool{}
	for _, e := range t {
		if e.From == e.To {
			continue
		}
		if e.From != "" && !into[e.From] && !seen[e.From] {
			fmt.Fprintf(&b, "    [*] --> %s\n", e.From)
		}
		seen[e.From] = true
		from := string(e.From)
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(&b, "    %s --> %s", label(from), label(string(e.To)))
		if e.By != "" {
			fmt.Fprintf(&b, " : %s", e.By)
		}
		b.WriteString("\n")
		if !out[e.To] && !seen[e.To] {
			seen[e.To] = true
			fmt.Fprintf(&b, "    %s --> [*]\n", label(string(e.To)))
		}
	}
	return Drawing{name, b.String()}
}

// label is a state as Mermaid takes it.
func label(state string) string { return strings.ReplaceAll(state, "-", "_") }
