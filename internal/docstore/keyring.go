package docstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeyRing encrypts with its newest key and decrypts with any of them.
type KeyRing struct {
	newest  string
	aeads   map[string]cipher.AEAD
	lookups [][]byte // newest first
	blind   bool
}

// BlindKeyRing has no keys: encrypted fields are read as they are stored and written back as they were read, and nothing
// new can be encrypted. It is for work that never looks at personal data, such as verifying a ledger.
func BlindKeyRing() *KeyRing { return &KeyRing{lookups: [][]byte{make([]byte, 32)}, blind: true} }

// Key is one named 32-byte key of a ring.
type Key struct {
	ID     string // short, [a-z0-9]: stands in front of every ciphertext
	Secret []byte // 32 bytes
}

// NewKeyRing takes the lookup key (32 bytes) and at least one encryption key, newest first.
func NewKeyRing(lookup []byte, keys ...Key) (*KeyRing, error) {
	if len(lookup) != 32 || len(keys) == 0 {
		return nil, errors.New("docstore: a key ring needs a 32-byte lookup key and at least one key")
	}
	ring := &KeyRing{newest: keys[0].ID, aeads: make(map[string]cipher.AEAD, len(keys)), lookups: [][]byte{lookup}}
	for _, k := range keys {
		if len(k.Secret) != 32 || k.ID == "" || len(k.ID) > 64 || strings.Contains(k.ID, "$") {
			return nil, fmt.Errorf("docstore: key %q must have a name and 32 bytes", k.ID)
		}
		if ring.aeads[k.ID] != nil {
			return nil, fmt.Errorf("docstore: key %q is given twice", k.ID)
		}
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("docstore: key %q: %w", k.ID, err)
		}
		if ring.aeads[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("docstore: key %q: %w", k.ID, err)
		}
	}
	return ring, nil
}

// WithOldLookups gives a ring that also finds what was stored under earlier lookup keys.
func (r *KeyRing) WithOldLookups(old ...[]byte) (*KeyRing, error) {
	more := *r
	for _, key := range old {
		if len(key) != 32 {
			return nil, errors.New("docstore: a lookup key must have 32 bytes")
		}
		more.lookups = append(more.lookups[:len(more.lookups):len(more.lookups)], key)
	}
	return &more, nil
}

// Lookup is the keyed hash under which text can be found again; purpose keeps hashes of different fields apart. What is
// stored now is stored under this one; look with Lookups.
func (r *KeyRing) Lookup(purpose, text string) string { return lookup(r.lookups[0], purpose, text) }

// Lookups are the hashes under which text may have been stored, by any lookup key that is still in use, newest first.
func (r *KeyRing) Lookups(purpose, text string) []string {
	all := make([]string, len(r.lookups))
	for i, key := range r.lookups {
		all[i] = lookup(key, purpose, text)
	}
	return all
}

func lookup(key []byte, purpose, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose + "\x00" + text))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// place is what a sealed value is bound to.
type place struct{ collection, document, field string }

func (p place) bytes() []byte {
	return []byte("guanxi/1\x00" + p.collection + "\x00" + p.document + "\x00" + p.field)
}

// seal encrypts text for one place.
func (r *KeyRing) seal(text []byte, at place) []byte {
	aead := r.aeads[r.newest]
	head := append([]byte{sealVersion, byte(len(r.newest))}, r.newest...)
	out := make([]byte, len(head)+aead.NonceSize(), len(head)+aead.NonceSize()+len(text)+aead.Overhead())
	copy(out, head)
	nonce := out[len(head):]
	_, _ = rand.Read(nonce)
	return aead.Seal(out, nonce, text, at.bytes())
}

// open decrypts what seal made, with any key of the ring, if it stands where it was put.
func (r *KeyRing) open(sealed []byte, at place) ([]byte, error) {
	name, body, ok := sealedBy(sealed)
	if !ok {
		return nil, errors.New("docstore: sealed value is damaged, or of a newer program")
	}
	aead := r.aeads[name]
	if aead == nil {
		return nil, fmt.Errorf("docstore: sealed with key %q, which is not in the ring", name)
	}
	if len(body) < aead.NonceSize() {
		return nil, errors.New("docstore: sealed value is damaged")
	}
	text, err := aead.Open(nil, body[:aead.NonceSize()], body[aead.NonceSize():], at.bytes())
	if err != nil {
		return nil, errors.New("docstore: sealed value is damaged, was changed, or was put in another's place")
	}
	return text, nil
}

// sealedBy cuts a sealed value into the name of its key and the rest.
func sealedBy(sealed []byte) (key string, body []byte, ok bool) {
	if len(sealed) < 2 || sealed[0] != sealVersion || len(sealed) < 2+int(sealed[1]) {
		return "", nil, false
	}
	n := int(sealed[1])
	return string(sealed[2 : 2+n]), sealed[2+n:], true
}

// openUnbound decrypts what programs before the binding made: "<key>$<base64(nonce‖ciphertext)>".
func (r *KeyRing) openUnbound(sealed string) (string, error) {
	if sealed == "" || r.blind {
		return sealed, nil
	}
	name, body, ok := strings.Cut(sealed, "$")
	aead := r.aeads[name]
	if !ok || aead == nil {
		return "", errors.New("docstore: sealed with a key that is not in the ring")
	}
	raw, err := base64.RawStdEncoding.DecodeString(body)
	if err != nil || len(raw) < aead.NonceSize() {
		return "", errors.New("docstore: sealed text is damaged")
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
	if err != nil {
		return "", errors.New("docstore: sealed text is damaged or was changed")
	}
	return string(text), nil
}
