package docstore

import (
	"bytes"
	"strings"
	"testing"
)

func TestATokenTellsItselfFromAMadeUpOne(t *testing.T) {
	t.Parallel()
	ring := func(lookup byte) *KeyRing {
		r, err := NewKeyRing(bytes.Repeat([]byte{lookup}, 32), Key{ID: "k", Secret: bytes.Repeat([]byte{7}, 32)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, other := ring(1), ring(2)
	token := one.NewToken("session")
	rotated, err := other.WithOldLookups(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if len(token) != 43 || !one.Genuine("session", token) || !rotated.Genuine("session", token) || one.NewToken("session") == token {
		t.Errorf("%s is not taken for a token", token)
	}
	flipped := "A"
	if token[0] == 'A' {
		flipped = "B"
	}
	for _, made := range []string{"", "x", strings.Repeat("A", 43), token[:42], token + "A", flipped + token[1:], token + "="} {
		if one.Genuine("session", made) {
			t.Errorf("%q is taken for a token", made)
		}
	}
	if one.Genuine("staff", token) || other.Genuine("session", token) {
		t.Error("a token for another purpose, or of other keys, is taken")
	}
}
