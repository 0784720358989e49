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
	"reflect"
	"strings"

	"go.mongodb.org/mongo-driver/bson/bsoncodec"
	"go.mongodb.org/mongo-driver/bson/bsonrw"
)

// Encrypted is personal data: text in memory, AES-256-GCM ciphertext in the store. It prints as asterisks, so
// a log line cannot leak it; use Reveal where the text itself is meant. For lookup keep KeyRing.Lookup beside it.
type Encrypted string

// Reveal gives the text.
func (e Encrypted) Reveal() string { return string(e) }

// String hides the text.
func (e Encrypted) String() string {
	if e == "" {
		return ""
	}
	return "***"
}

// GoString hides the text from %#v.
func (e Encrypted) GoString() string { return e.String() }

// MarshalText hides the text from JSON and text encoders.
func (e Encrypted) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// KeyRing encrypts with its newest key and decrypts with any of them.
type KeyRing struct {
	newest string
	aeads  map[string]cipher.AEAD
	lookup []byte
	blind  bool
}

// BlindKeyRing has no keys: encrypted fields are read as they are stored and written back as they were read, and nothing
// new can be encrypted. It is for work that never looks at personal data, such as verifying a ledger.
func BlindKeyRing() *KeyRing { return &KeyRing{lookup: make([]byte, 32), blind: true} }

// Key is one named 32-byte key of a ring.
type Key struct {
	ID     string // short, [a-z0-9]: stands in front of every ciphertext
	Secret []byte // 32 bytes
}

// NewKeyRing takes the lookup key (32 bytes, never rotated without a rebuild of the lookups) and at least one
// encryption key, newest first.
func NewKeyRing(lookup []byte, keys ...Key) (*KeyRing, error) {
	if len(lookup) != 32 || len(keys) == 0 {
		return nil, errors.New("docstore: a key ring needs a 32-byte lookup key and at least one key")
	}
	ring := &KeyRing{newest: keys[0].ID, aeads: make(map[string]cipher.AEAD, len(keys)), lookup: lookup}
	for _, k := range keys {
		if len(k.Secret) != 32 || k.ID == "" || strings.Contains(k.ID, "$") {
			return nil, fmt.Errorf("docstore: key %q must have a name and 32 bytes", k.ID)
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

// Lookup is the keyed hash under which text can be found again; purpose keeps hashes of different fields apart.
func (r *KeyRing) Lookup(purpose, text string) string {
	mac := hmac.New(sha256.New, r.lookup)
	mac.Write([]byte(purpose + "\x00" + text))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Seal encrypts text: "<key>$<base64(nonce‖ciphertext)>". The empty text stays empty.
func (r *KeyRing) Seal(text string) string {
	if text == "" || r.blind {
		return text
	}
	aead := r.aeads[r.newest]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce)
	return r.newest + "$" + base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), nil))
}

// Open decrypts what Seal made with any key of the ring.
func (r *KeyRing) Open(sealed string) (string, error) {
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

// encryptedCodec lets BSON store Encrypted under the ring.
type encryptedCodec struct{ ring *KeyRing }

func (c encryptedCodec) EncodeValue(_ bsoncodec.EncodeContext, w bsonrw.ValueWriter, v reflect.Value) error {
	if c.ring.blind && v.String() != "" && !strings.Contains(v.String(), "$") {
		return errors.New("docstore: there is no key to encrypt with")
	}
	return w.WriteString(c.ring.Seal(v.String()))
}

func (c encryptedCodec) DecodeValue(_ bsoncodec.DecodeContext, r bsonrw.ValueReader, v reflect.Value) error {
	sealed, err := r.ReadString()
	if err != nil {
		return err
	}
	text, err := c.ring.Open(sealed)
	if err != nil {
		return err
	}
	v.SetString(text)
	return nil
}
