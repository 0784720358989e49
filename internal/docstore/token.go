package docstore

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"slices"
)

// A token is 24 random bytes and a mark over them of 8, so that whoever holds the keys can tell a made-up one without asking
// the store. The mark is no proof of a session: it only says that we once handed the token out.
const (
	tokenRandom = 24
	tokenMark   = 8
)

// NewToken draws a token for a purpose: 43 characters of unpadded base64.
func (r *KeyRing) NewToken(purpose string) string {
	var b [tokenRandom]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it aborts the program instead
	return base64.RawURLEncoding.EncodeToString(append(b[:], r.mark(purpose, b[:])...))
}

// Genuine reports whether a token may be one of NewToken's, under any lookup key in use. It costs no reading.
func (r *KeyRing) Genuine(purpose, token string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenRandom+tokenMark {
		return false
	}
	return slices.ContainsFunc(r.lookups, func(key []byte) bool {
		mark, err := hex.DecodeString(lookup(key, "token:"+purpose, hex.EncodeToString(raw[:tokenRandom])))
		return err == nil && subtle.ConstantTimeCompare(mark[:tokenMark], raw[tokenRandom:]) == 1
	})
}

func (r *KeyRing) mark(purpose string, random []byte) []byte {
	mark, _ := hex.DecodeString(r.Lookup("token:"+purpose, hex.EncodeToString(random))) // it is our own hex
	return mark[:tokenMark]
}
