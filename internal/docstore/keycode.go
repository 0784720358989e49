package docstore

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
)

// The tags keep values of different types apart and in one fixed order.
const (
	tagBool   = 0x10
	tagInt    = 0x20
	tagString = 0x30
	tagTime   = 0x40
)

// EncodeKey turns index values into bytes that compare (bytes.Compare) as the values do, field by field, so
// that a prefix of the values is a prefix of the bytes. Strings must not hold a NUL byte.
func EncodeKey(values ...any) ([]byte, error) {
	out := make([]byte, 0, 16*len(values))
	for _, v := range values {
		var err error
		if out, err = appendKey(out, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendKey(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(out, v)
	case bool:
		if v {
			return append(out, tagBool, 1), nil
		}
		return append(out, tagBool, 0), nil
	case int:
		return appendInt(append(out, tagInt), int64(v)), nil
	case int32:
		return appendInt(append(out, tagInt), int64(v)), nil
	case int64:
		return appendInt(append(out, tagInt), v), nil
	case time.Time:
		return appendInt(append(out, tagTime), v.UnixMilli()), nil
	}
	return appendNamed(out, v)
}

// appendNamed accepts named types over the basic ones: type State string.
func appendNamed(out []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.String:
		return appendString(out, r.String())
	case r.CanInt():
		return appendInt(append(out, tagInt), r.Int()), nil
	case r.Kind() == reflect.Bool:
		return appendKey(out, r.Bool())
	}
	return nil, fmt.Errorf("%w: a %T cannot be an index value", ErrInvalid, v)
}

func appendString(out []byte, s string) ([]byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("%w: NUL byte in an index value", ErrInvalid)
	}
	out = append(out, tagString)
	out = append(out, s...)
	return append(out, 0), nil
}

func appendInt(out []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(out, uint64(n)^(1<<63))
}

// KeysOf reads the values of every index of spec from an encoded document, as Op.Keys has them: what a driver needs
// to fill a new index from old data. A document of an older schema is upgraded first.
func KeysOf(spec Spec, body bson.Raw) ([]IndexKey, error) {
	body, err := upgrade(&spec, body)
	if err != nil {
		return nil, err
	}
	return indexKeys(&spec, body)
}

// indexKeys reads the values of every index of spec from an encoded document.
func indexKeys(spec *Spec, body bson.Raw) ([]IndexKey, error) {
	keys := make([]IndexKey, len(spec.Indexes))
	for i := range spec.Indexes {
		key, err := indexKey(&spec.Indexes[i], body)
		if err != nil {
			return nil, fmt.Errorf("collection %s: %w", spec.Name, err)
		}
		keys[i] = key
	}
	return keys, nil
}

func indexKey(index *Index, body bson.Raw) (IndexKey, error) {
	out, absent := make([]byte, 0, 48), 0
	for _, field := range index.Fields {
		value, err := body.LookupErr(strings.Split(field, ".")...)
		if err != nil || value.Type == bson.TypeNull {
			absent++
			continue
		}
		if out, err = appendRaw(out, value); err != nil {
			return IndexKey{}, fmt.Errorf("index %s, field %s: %w", index.Name, field, err)
		}
	}
	switch {
	case absent == 0:
		return IndexKey{Bytes: out}, nil
	case index.Sparse && absent == len(index.Fields):
		return IndexKey{Absent: true}, nil
	}
	return IndexKey{}, fmt.Errorf("%w: index %s: %d of its fields are absent", ErrInvalid, index.Name, absent)
}

func appendRaw(out []byte, value bson.RawValue) ([]byte, error) {
	switch value.Type {
	case bson.TypeString:
		return appendString(out, value.StringValue())
	case bson.TypeBoolean:
		return appendKey(out, value.Boolean())
	case bson.TypeInt32:
		return appendInt(append(out, tagInt), int64(value.Int32())), nil
	case bson.TypeInt64:
		return appendInt(append(out, tagInt), value.Int64()), nil
	case bson.TypeDateTime:
		return appendInt(append(out, tagTime), value.DateTime()), nil
	}
	return nil, fmt.Errorf("%w: a %s cannot be an index value", ErrInvalid, value.Type)
}
