package docstore

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsontype"
	"go.mongodb.org/mongo-driver/x/bsonx/bsoncore"
)

var errClear = errors.New("docstore: personal data in the clear was about to be stored")

// sealed gives a body as it may be stored: every clear value sealed for its place.
func (c *core) sealed(docID string, body bson.Raw) (bson.Raw, error) {
	if !c.secret {
		return body, nil
	}
	ring := c.store.keys
	return secrets(body, func(field string, kind byte, data []byte) (byte, []byte, error) {
		switch {
		case kind != kindClear:
			return kind, data, nil
		case ring.blind:
			return 0, nil, errors.New("docstore: there is no key to encrypt with")
		}
		return kindSealed, ring.seal(data, place{c.spec.Name, docID, field}), nil
	})
}

// opened gives a stored body with every sealed value in the clear, for decoding.
func (c *core) opened(docID string, body bson.Raw) (bson.Raw, error) {
	ring := c.store.keys
	if !c.secret || ring.blind {
		return body, nil
	}
	return secrets(body, func(field string, kind byte, data []byte) (byte, []byte, error) {
		if kind != kindSealed {
			return kind, data, nil
		}
		text, err := ring.open(data, place{c.spec.Name, docID, field})
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", field, err)
		}
		return kindClear, text, nil
	})
}

// change turns a secret at a field (a dotted path) into another.
type change func(field string, kind byte, data []byte) (byte, []byte, error)

// secrets copies a document and passes every secret in it through change. The outbox is left as it is: events carry none.
func secrets(body bson.Raw, to change) (bson.Raw, error) {
	if len(body) < 5 {
		return nil, fmt.Errorf("%w: not a document", ErrInvalid)
	}
	out, err := copySecrets(make([]byte, 0, len(body)+len(body)/4), bsoncore.Document(body), "", to)
	return bson.Raw(out), err
}

func copySecrets(out []byte, doc bsoncore.Document, path string, to change) ([]byte, error) {
	elements, err := doc.Elements()
	if err != nil {
		return nil, fmt.Errorf("docstore: damaged document: %w", err)
	}
	start, out := bsoncore.AppendDocumentStart(out)
	for _, e := range elements {
		value, key := e.Value(), e.Key()
		switch {
		case path == "" && key == "outbox":
			out = append(out, e...)
		case value.Type == bsontype.EmbeddedDocument || value.Type == bsontype.Array:
			out = bsoncore.AppendHeader(out, value.Type, key)
			if out, err = copySecrets(out, bsoncore.Document(value.Data), path+key+".", to); err != nil {
				return nil, err
			}
		case value.Type == bsontype.Binary:
			kind, data, ok := value.BinaryOK()
			if !ok {
				return nil, fmt.Errorf("docstore: damaged document at %s", path+key)
			}
			if kind == kindClear || kind == kindSealed {
				if kind, data, err = to(path+key, kind, data); err != nil {
					return nil, err
				}
			}
			out = bsoncore.AppendBinaryElement(out, key, kind, data)
		default:
			out = append(out, e...)
		}
	}
	return bsoncore.AppendDocumentEnd(out, start)
}

// clearInside reports whether a value holds a secret in the clear.
func clearInside(body bson.Raw) bool {
	found := errors.New("found")
	_, err := secrets(body, func(_ string, kind byte, data []byte) (byte, []byte, error) {
		if kind == kindClear {
			return 0, nil, found
		}
		return kind, data, nil
	})
	return errors.Is(err, found)
}

// stale counts the values of a stored body that are not sealed with the newest key; unbound ones it cannot tell from
// other text.
func (r *KeyRing) stale(body bson.Raw) (n int, sealedNow int, err error) {
	_, err = secrets(body, func(_ string, kind byte, data []byte) (byte, []byte, error) {
		if kind == kindSealed {
			sealedNow++
			if name, _, ok := sealedBy(data); !ok || name != r.newest {
				n++
			}
		}
		return kind, data, nil
	})
	return n, sealedNow, err
}
