package docstore

import (
	"errors"
	"reflect"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
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

// How secrets stand in a document. An Encrypted value is encoded in the clear, as binary of the first kind; before the
// document leaves for the driver every such value is sealed into binary of the second kind, bound to its place. So no caller
// can forget the binding, and no text that somebody typed can pass for a sealed one.
const (
	kindClear  byte = 0x90 // only in memory
	kindSealed byte = 0x91 // <version 1><length of the key's name><name><nonce><ciphertext>
)

const sealVersion = 1

// encryptedCodec turns Encrypted into clear binary and back. It also reads what programs before the binding stored: text
// "<key>$<base64(nonce‖ciphertext)>".
type encryptedCodec struct {
	ring  *KeyRing
	bound bool // unbound text is refused: everything has been encrypted anew
}

// blindMark stands before a sealed value that a blind ring carries through memory.
const blindMark = "\x00sealed\x00"

func (c encryptedCodec) EncodeValue(_ bsoncodec.EncodeContext, w bsonrw.ValueWriter, v reflect.Value) error {
	text := v.String()
	if !c.ring.blind {
		if text == "" {
			return w.WriteString("")
		}
		return w.WriteBinaryWithSubtype([]byte(text), kindClear)
	}
	sealed, marked := strings.CutPrefix(text, blindMark)
	switch {
	case marked:
		return w.WriteBinaryWithSubtype([]byte(sealed), kindSealed)
	case text != "" && !strings.Contains(text, "$"):
		return errors.New("docstore: there is no key to encrypt with")
	}
	return w.WriteString(text)
}

func (c encryptedCodec) DecodeValue(_ bsoncodec.DecodeContext, r bsonrw.ValueReader, v reflect.Value) error {
	if r.Type() == bson.TypeBinary {
		data, kind, err := r.ReadBinary()
		switch {
		case err != nil:
			return err
		case kind == kindClear:
			v.SetString(string(data))
		case kind == kindSealed && c.ring.blind:
			v.SetString(blindMark + string(data))
		default:
			return errors.New("docstore: a sealed value stands where nothing can open it")
		}
		return nil
	}
	old, err := r.ReadString()
	if err != nil {
		return err
	}
	if c.bound && old != "" && !c.ring.blind {
		return errors.New("docstore: a value that is not bound to its place, where all are")
	}
	text, err := c.ring.openUnbound(old)
	if err != nil {
		return err
	}
	v.SetString(text)
	return nil
}
