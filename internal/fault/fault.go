// Package fault is how a use case says no.
//
// A Fault has a stable code with the prefix of its domain (ORD_, GRP_, COM_ …), a kind that the edge turns
// into an HTTP status by one table, and a safe sentence in Chinese and in English. Causes are kept for the
// log and never shown. Match with errors.Is against the defined fault: two faults are the same when their
// codes are.
package fault

import (
	"errors"
	"strings"
)

// Kind is the class of a refusal.
type Kind int

// The kinds, with the HTTP status the edge gives them.
const (
	Internal        Kind = iota // 500: our mistake
	Invalid                     // 422: the request can never succeed as it is
	Unauthenticated             // 401: log in
	Denied                      // 403: known, but not allowed
	NotFound                    // 404: no such thing, or not for you
	Conflict                    // 409: the state of things forbids it
	Exhausted                   // 429: too many, later
	Unavailable                 // 503: something we need is away; try again
	Slow                        // 408: the request did not arrive in time
	Method                      // 405: the thing is there, but does not take this method
	Large                       // 413: the request is more than is read
	Media                       // 415: the request is in a form that is not spoken here
)

// Fault is a coded refusal. The values made by Define are shared and never changed; With and Because copy.
type Fault struct {
	Code   string // stable, upper case, domain prefix: ORD_EXPIRED
	Kind   Kind
	ZH, EN string // safe sentences for a person
	Fields []Field
	cause  error
}

// Field names one part of the input that is wrong, and why, without repeating its value.
type Field struct {
	Name string // path in the request: lines[0].quantity
	Why  string // safe sentence, Chinese first
}

// Define makes a catalogue entry.
func Define(code string, kind Kind, zh, en string) *Fault {
	return &Fault{Code: code, Kind: kind, ZH: zh, EN: en}
}

// Error is for logs: the code, the English sentence, the fields and the cause.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Code + ": " + f.EN)
	for _, field := range f.Fields {
		b.WriteString(" [" + field.Name + ": " + field.Why + "]")
	}
	if f.cause != nil {
		b.WriteString(": " + f.cause.Error())
	}
	return b.String()
}

// Is reports whether target carries the same code.
func (f *Fault) Is(target error) bool {
	other, ok := target.(*Fault)
	return ok && other.Code == f.Code
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.cause }

// Because returns a copy that remembers cause for the log.
func (f *Fault) Because(cause error) *Fault {
	g := *f
	g.cause = cause
	return &g
}

// With returns a copy that names one more wrong field.
func (f *Fault) With(name, why string) *Fault {
	g := *f
	g.Fields = append(append([]Field(nil), f.Fields...), Field{name, why})
	return &g
}

// Of finds the fault in err's chain, or nil.
func Of(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}
