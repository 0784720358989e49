package docstore

import (
	"crypto/rand"
	"encoding/base64"
)

// SealFor and OpenAt are the ring's own.
func SealFor(r *KeyRing, text, collection, document, field string) string {
	return string(r.seal([]byte(text), place{collection, document, field}))
}

// OpenAt opens what SealFor made.
func OpenAt(r *KeyRing, sealed, collection, document, field string) (string, error) {
	text, err := r.open([]byte(sealed), place{collection, document, field})
	return string(text), err
}

// SealUnbound makes what programs before the binding stored.
func SealUnbound(r *KeyRing, text string) string {
	aead := r.aeads[r.newest]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	return r.newest + "$" + base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), nil))
}
