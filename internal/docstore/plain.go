package docstore

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsontype"
)

// Reading a ledger again means decoding millions of small flat documents. plan decodes a type whose fields are all text,
// numbers, bytes, booleans or times several times faster than the general codec. Whatever it does not expect in a body
// (another type, a null, an outbox) makes it give up, and the general codec decodes that document from the start; so it
// never decides anything by itself.
type plan map[string]plainField

type plainField struct {
	index []int
	kind  reflect.Kind // String, Int64, Bool, Slice (bytes) or Struct (time)
}

// planOf gives the plan of a stored type; nil when it has fields of other kinds.
func planOf(t reflect.Type) plan {
	p := plan{}
	if t.Kind() != reflect.Struct || !p.add(t, nil) {
		return nil
	}
	return p
}

func (p plan) add(t reflect.Type, at []int) bool {
	for i := range t.NumField() {
		field := t.Field(i)
		index := append(append([]int{}, at...), i)
		name, options, _ := strings.Cut(field.Tag.Get("bson"), ",")
		switch {
		case field.Type == reflect.TypeFor[Doc]() && options == "inline":
			p["_id"], p["version"] = plainField{append(index, 0), reflect.String}, plainField{append(index, 1), reflect.Int64}
			p["token"], p["schema"] = plainField{append(index, 2), reflect.Int64}, plainField{append(index, 3), reflect.Int64}
			continue
		case !field.IsExported():
			continue
		}
		kind, ok := plainKind(field.Type)
		if !ok || name == "" || name == "-" || strings.Contains(options, "inline") {
			return false
		}
		p[name] = plainField{index, kind}
	}
	return true
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
	elements, err := body.Elements()
	if err != nil {
		return false
	}
	for _, element := range elements {
		end := 1 + bytes.IndexByte(element[1:], 0) // type, name, 0, value
		field, known := p[string(element[1:end])]
		value := bson.RawValue{Type: bsontype.Type(element[0]), Value: element[end+1:]}
		if !known || !field.set(value, v.FieldByIndex(field.index)) {
			return false
		}
	}
	return true
}

func (f plainField) set(value bson.RawValue, into reflect.Value) bool {
	switch f.kind {
	case reflect.String:
		text, ok := value.StringValueOK()
		if ok {
			into.SetString(text)
		}
		return ok
	case reflect.Int64:
		if value.Type != bson.TypeInt64 && value.Type != bson.TypeInt32 {
			return false
		}
		n, ok := value.AsInt64OK()
		if ok {
			into.SetInt(n)
		}
		return ok
	case reflect.Bool:
		yes, ok := value.BooleanOK()
		if ok {
			into.SetBool(yes)
		}
		return ok
	case reflect.Slice:
		kind, data, ok := value.BinaryOK()
		if ok && kind == bson.TypeBinaryGeneric {
			into.SetBytes(append([]byte{}, data...))
			return true
		}
		return false
	case reflect.Struct:
		ms, ok := value.DateTimeOK()
		if ok {
			into.Set(reflect.ValueOf(time.UnixMilli(ms).UTC()))
		}
		return ok
	}
	return false
}
