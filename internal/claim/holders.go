package claim

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// Try is one attempt at a request: the id of the document it is about to write, and a token of its own.
type Try struct{ Order, Attempt string }

// New draws an attempt at writing the order.
func New(order string) Try {
	return Try{Order: order, Attempt: strconv.FormatUint(rand.Uint64()>>8, 36)} //nolint:gosec // a name, not a secret
}

// Holders are the attempts that count on a claim, divided by commas. The empty value stands for attempts nobody has
// counted: such a claim is never left, it lapses.
type Holders string

const (
	uncounted Holders = ""
	nobody    Holders = "-"
	// MaxHolders bounds the attempts listed; one more and they are no longer counted.
	MaxHolders = 16
)

// HeldBy is a claim's first holder.
func HeldBy(t Try) Holders { return Holders(t.Attempt) }

// Has reports whether the attempt may count on the claim.
func (h Holders) Has(t Try) bool {
	if h == uncounted {
		return true
	}
	for one := range strings.SplitSeq(string(h), ",") {
		if one == t.Attempt {
			return true
		}
	}
	return false
}

// Nobody reports whether the last holder has left.
func (h Holders) Nobody() bool { return h == nobody }

// Join adds an attempt. Nobody may join a claim that everybody has left: see Nobody.
func (h Holders) Join(t Try) Holders {
	switch {
	case h.Nobody() || h.Has(t):
		return h
	case t.Attempt == "" || strings.Count(string(h), ",")+1 >= MaxHolders:
		return uncounted
	}
	return h + "," + Holders(t.Attempt)
}

// Leave takes an attempt off.
func (h Holders) Leave(t Try) Holders {
	if h == uncounted || !h.Has(t) {
		return h
	}
	var left []string
	for one := range strings.SplitSeq(string(h), ",") {
		if one != t.Attempt {
			left = append(left, one)
		}
	}
	if len(left) == 0 {
		return nobody
	}
	return Holders(strings.Join(left, ","))
}
