package docstore

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsontype"
)

// Reading a ledger again means decoding millions of small flat documents. plan decodes a type whose fields are all text,
// numbers, bytes, booleans or times several times faster than the general codec. Whatever it does not expect in a body
// (another type, a null, an outbox, a length that is not right) makes it give up, and the general codec decodes that
// document from the start; so it never decides anything by itself.
type plan []plainField // in the order in which they are stored

type plainField struct {
	name  string
	index []int
	kind  reflect.Kind // String, Int64, Bool, Slice (bytes) or Struct (time)
}

// planOf gives the plan of a stored type; nil when it has fields of other kinds.
func planOf(t reflect.Type) plan {
	if t.Kind() != reflect.Struct {
		return nil
	}
	p, ok := plan{}.add(t)
	if !ok {
		return nil
	}
	return p
}

func (p plan) add(t reflect.Type) (plan, bool) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("bson"), ",")
		switch {
		case field.Type == reflect.TypeFor[Doc]() && options == "inline":
			p = append(p, plainField{"_id", []int{i, 0}, reflect.String}, plainField{"version", []int{i, 1}, reflect.Int64},
				plainField{"token", []int{i, 2}, reflect.Int64}, plainField{"schema", []int{i, 3}, reflect.Int64},
				plainField{"unproven", []int{i, 6}, reflect.Struct}, plainField{"proven", []int{i, 7}, reflect.Int64})
			continue
		case !field.IsExported():
			continue
		}
		kind, ok := plainKind(field.Type)
		if !ok || name == "" || name == "-" || strings.Contains(options, "inline") {
			return nil, false
		}
		p = append(p, plainField{name, []int{i}, kind})
	}
	return p, true
}

func plainKind(t reflect.Type) (reflect.Kind, bool) {
	pointer := reflect.PointerTo(t)
	if t == reflect.TypeFor[time.Time]() {
		return reflect.Struct, true
	}
	if t == reflect.TypeFor[Encrypted]() || pointer.Implements(reflect.TypeFor[bson.ValueUnmarshaler]()) ||
		pointer.Implements(reflect.TypeFor[bson.Unmarshaler]()) {
		return 0, false
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool:
		return t.Kind(), true
	case reflect.Int, reflect.Int64:
		return reflect.Int64, true
	case reflect.Slice:
		return reflect.Slice, t == reflect.TypeFor[[]byte]()
	}
	return 0, false
}

// decode fills v, a zero struct of the plan's type; false when the body holds anything unexpected.
func (p plan) decode(body bson.Raw, v reflect.Value) bool {
	if len(body) < 5 || uint64(binary.LittleEndian.Uint32(body)) != uint64(len(body)) || body[len(body)-1] != 0 {
		return false
	}
	next := 0
	for rest := body[4 : len(body)-1]; len(rest) > 0; {
		end := bytes.IndexByte(rest, 0) // type, name, 0, value
		if end < 1 {
			return false
		}
		at := p.find(rest[1:end], next)
		if at < 0 {
			return false
		}
		field := &p[at]
		into := v.Field(field.index[0])
		if len(field.index) > 1 {
			into = into.Field(field.index[1])
		}
		size := field.set(bsontype.Type(rest[0]), rest[end+1:], into)
		if size < 0 {
			return false
		}
		rest, next = rest[end+1+size:], at+1
	}
	return true
}

// find gives the place of a field, which is mostly the next one; -1 when there is none.
func (p plan) find(name []byte, next int) int {
	for i := next; i < len(p); i++ {
		if p[i].name == string(name) {
			return i
		}
	}
	for i := range next {
		if p[i].name == string(name) {
			return i
		}
	}
	return -1
}

// set takes the value that data begins with and tells its size; -1 when it is not what the field holds.
func (f *plainField) set(is bsontype.Type, data []byte, into reflect.Value) int {
	switch f.kind {
	case reflect.String:
		return setText(is, data, into)
	case reflect.Int64:
		switch {
		case is == bson.TypeInt64 && len(data) >= 8:
			into.SetInt(int64(binary.LittleEndian.Uint64(data)))
			return 8
		case is == bson.TypeInt32 && len(data) >= 4:
			into.SetInt(int64(int32(binary.LittleEndian.Uint32(data))))
			return 4
		}
	case reflect.Bool:
		if is == bson.TypeBoolean && len(data) >= 1 && data[0] <= 1 {
			into.SetBool(data[0] == 1)
			return 1
		}
	case reflect.Slice:
		return setBytes(is, data, into)
	case reflect.Struct:
		if is == bson.TypeDateTime && len(data) >= 8 {
			into.Set(reflect.ValueOf(time.UnixMilli(int64(binary.LittleEndian.Uint64(data))).UTC()))
			return 8
		}
	}
	return -1
}

// setText: length with the closing zero, text, zero.
func setText(is bsontype.Type, data []byte, into reflect.Value) int {
	if is != bson.TypeString || len(data) < 5 {
		return -1
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n < 1 || n > uint64(len(data)-4) || data[4+n-1] != 0 {
		return -1
	}
	into.SetString(string(data[4 : 4+n-1]))
	return int(4 + n)
}

// setBytes: length, subtype, bytes.
func setBytes(is bsontype.Type, data []byte, into reflect.Value) int {
	if is != bson.TypeBinary || len(data) < 5 || data[4] != bson.TypeBinaryGeneric {
		return -1
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n > uint64(len(data)-5) {
		return -1
	}
	into.SetBytes(append([]byte{}, data[5:5+n]...))
	return int(5 + n)
}
