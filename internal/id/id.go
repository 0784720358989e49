// Package id makes identifiers: time-ordered ones for things that are born once, derived ones for things
// that must not be born twice.
//
// Every id is ASCII from [A-Za-z0-9:_.@|/-], the alphabet the store accepts, and the 24 characters made
// here fit the 32 of a WeChat Pay out_trade_no and of a mini-program code scene.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"time"
)

// Length is the number of characters of an id made by a Source or by Derive.
const Length = 24

// Source makes time-ordered random ids. Implementations are safe for concurrent use.
type Source interface {
	New(at time.Time) string
}

// Random is the production Source: 48 bits of milliseconds, then 72 random bits.
type Random struct{}

// New returns an id that sorts by at.
func (Random) New(at time.Time) string {
	var b [15]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	_, _ = rand.Read(b[6:]) // never fails since Go 1.24: it aborts the program instead
	return encode(b[:])
}

// Derive returns the id that the given parts always have: the same parts, the same id. Parts are
// length-prefixed before hashing, so ("ab","c") and ("a","bc") differ.
func Derive(parts ...string) string {
	h := sha256.New()
	var n [4]byte
	for _, p := range parts {
		l := len(p)
		n[0], n[1], n[2], n[3] = byte(l>>24), byte(l>>16), byte(l>>8), byte(l)
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return encode(h.Sum(nil)[:15])
}

// Valid tells whether s may be the id of a document: 1 to 200 characters from the store's alphabet.
func Valid(s string) bool {
	if len(s) == 0 || len(s) > 200 {
		return false
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

// KeyMax is the most characters an idempotency key may have, at every edge and in every domain.
const KeyMax = 80

// ValidKey tells whether s may be an idempotency key: 1 to KeyMax printable ASCII characters without a space. The edges
// ask for more (see edge.Keyed); whatever an edge lets through every domain takes.
func ValidKey(s string) bool {
	if len(s) == 0 || len(s) > KeyMax {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func allowed(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case ':', '_', '.', '@', '|', '/', '-':
		return true
	}
	return false
}

func encode(b []byte) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuv"
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(b)
}
