package docstore

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/shopspring/decimal"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsoncodec"
	"go.mongodb.org/mongo-driver/bson/bsonrw"
)

// MaxDocument is the largest encoded document: MongoDB's limit is 16 MiB, and anything near it is a design
// mistake.
const MaxDocument = 4 << 20

// MaxOutbox is how many messages may wait in one document. A change that would add more is refused with ErrContended, and
// nothing happens: what was accepted before must go first. Everything else about the document may still be changed.
const MaxOutbox = 1000

var errFull = fmt.Errorf("%w: its outbox is full", ErrContended)

func newRegistry(ring *KeyRing, bound bool) *bsoncodec.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeEncoder(reflect.TypeFor[Encrypted](), encryptedCodec{ring, bound})
	r.RegisterTypeDecoder(reflect.TypeFor[Encrypted](), encryptedCodec{ring, bound})
	r.RegisterTypeEncoder(reflect.TypeFor[decimal.Decimal](), decimalCodec{})
	r.RegisterTypeDecoder(reflect.TypeFor[decimal.Decimal](), decimalCodec{})
	return r
}

// clearRegistry encodes encrypted fields in the clear, for comparing documents in memory; nothing it makes is stored.
func clearRegistry() *bsoncodec.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeEncoder(reflect.TypeFor[decimal.Decimal](), decimalCodec{})
	return r
}

func (s *Store) marshalClear(v any) (bson.Raw, error) { return bson.MarshalWithRegistry(s.clear, v) }

// holdsSecret tells whether values of t can hold Encrypted text anywhere.
func holdsSecret(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == reflect.TypeFor[Encrypted]() {
		return true
	}
	if seen[t] || t == reflect.TypeFor[time.Time]() {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true // who knows
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return holdsSecret(t.Elem(), seen)
	case reflect.Map:
		return holdsSecret(t.Elem(), seen) || holdsSecret(t.Key(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && holdsSecret(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}

// decimalCodec stores decimals as text: exact everywhere, and Decimal128 is not understood by every double.
type decimalCodec struct{}

func (decimalCodec) EncodeValue(_ bsoncodec.EncodeContext, w bsonrw.ValueWriter, v reflect.Value) error {
	d, _ := v.Interface().(decimal.Decimal)
	return w.WriteString(d.String())
}

func (decimalCodec) DecodeValue(_ bsoncodec.DecodeContext, r bsonrw.ValueReader, v reflect.Value) error {
	text, err := r.ReadString()
	if err != nil {
		return err
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return fmt.Errorf("docstore: decimal %q: %w", text, err)
	}
	v.Set(reflect.ValueOf(d))
	return nil
}

// stamp overwrites an int64 field of an encoded document in place.
func stamp(body bson.Raw, field string, value int64) error {
	v, err := body.LookupErr(field)
	if err != nil || len(v.Value) != 8 {
		return fmt.Errorf("%w: no int64 field %q to stamp", ErrInvalid, field)
	}
	binary.LittleEndian.PutUint64(v.Value, uint64(value))
	return nil
}
