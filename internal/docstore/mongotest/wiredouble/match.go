package wiredouble

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsontype"
)

// Classes of values in MongoDB's order; comparisons never cross them.
const (
	classNull   = 0x05
	classNumber = 0x10
	classString = 0x20
	classObject = 0x30
	classArray  = 0x38
	classBinary = 0x40
	classID     = 0x48
	classBool   = 0x50
	classDate   = 0x58
	classTime   = 0x60
)

// appendKey encodes a value so that bytes compare as values do. A missing value is a null.
func appendKey(out []byte, v bson.RawValue) []byte {
	switch v.Type {
	case bsontype.Int32, bsontype.Int64:
		return binary.BigEndian.AppendUint64(append(out, classNumber), uint64(v.AsInt64())^(1<<63))
	case bsontype.Double: // ours are never fractional; NaN and friends do not occur
		return binary.BigEndian.AppendUint64(append(out, classNumber), uint64(int64(math.Floor(v.Double())))^(1<<63))
	case bsontype.String:
		out = append(out, classString)
		out = append(out, strings.ReplaceAll(v.StringValue(), "\x00", "\x00\xff")...)
		return append(out, 0)
	case bsontype.Boolean:
		if v.Boolean() {
			return append(out, classBool, 1)
		}
		return append(out, classBool, 0)
	case bsontype.DateTime:
		return binary.BigEndian.AppendUint64(append(out, classDate), uint64(v.DateTime())^(1<<63))
	case bsontype.EmbeddedDocument:
		return append(append(out, classObject), v.Value...)
	case bsontype.Array:
		return append(append(out, classArray), v.Value...)
	case bsontype.Binary:
		return append(append(out, classBinary), v.Value...)
	case bsontype.ObjectID:
		return append(append(out, classID), v.Value...)
	case bsontype.Timestamp:
		return append(append(out, classTime), v.Value...)
	}
	return append(out, classNull)
}

func find(doc bson.Raw, path string) (bson.RawValue, bool) {
	v, err := doc.LookupErr(strings.Split(path, ".")...)
	return v, err == nil
}

// condition is one operator on one field.
type condition struct {
	field, operator string
	value           bson.RawValue
	key             []byte   // of value
	among           [][]byte // $in
}

// parseFilter understands equality and the comparison operators; anything else is refused, as the real driver
// must not send it.
func parseFilter(filter bson.Raw) ([]condition, *failure) {
	if len(filter) == 0 {
		return nil, nil
	}
	elements, err := filter.Elements()
	if err != nil {
		return nil, fail(2, "BadValue", "filter: "+err.Error())
	}
	var out []condition
	for _, e := range elements {
		if strings.HasPrefix(e.Key(), "$") {
			return nil, fail(2, "BadValue", "unknown top level operator: "+e.Key())
		}
		operators, ok := e.Value().DocumentOK()
		if !ok {
			out = append(out, condition{field: e.Key(), operator: "$eq", value: e.Value(), key: appendKey(nil, e.Value())})
			continue
		}
		parts, err := operators.Elements()
		if err != nil || len(parts) == 0 {
			return nil, fail(2, "BadValue", "empty condition on "+e.Key())
		}
		for _, p := range parts {
			c := condition{field: e.Key(), operator: p.Key(), value: p.Value(), key: appendKey(nil, p.Value())}
			if f := c.check(); f != nil {
				return nil, f
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func (c *condition) check() *failure {
	switch c.operator {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$exists":
		return nil
	case "$in":
		array, ok := c.value.ArrayOK()
		if !ok {
			return fail(2, "BadValue", "$in needs an array")
		}
		values, _ := array.Values()
		for _, v := range values {
			c.among = append(c.among, appendKey(nil, v))
		}
		return nil
	}
	return fail(2, "BadValue", "unknown operator: "+c.operator)
}

func (c *condition) holds(doc bson.Raw) bool {
	v, present := find(doc, c.field)
	if c.operator == "$exists" {
		return present == c.value.Boolean()
	}
	key := appendKey(nil, v)
	if c.operator == "$in" {
		for _, k := range c.among {
			if bytes.Equal(k, key) {
				return true
			}
		}
		return false
	}
	order := bytes.Compare(key, c.key)
	sameClass := key[0] == c.key[0]
	switch c.operator {
	case "$eq":
		return order == 0
	case "$ne":
		return order != 0
	case "$gt":
		return sameClass && order > 0
	case "$gte":
		return sameClass && order >= 0
	case "$lt":
		return sameClass && order < 0
	}
	return sameClass && order <= 0
}

func matches(doc bson.Raw, conditions []condition) bool {
	for i := range conditions {
		if !conditions[i].holds(doc) {
			return false
		}
	}
	return true
}

// equal gives the key a filter fixes for a field.
func equal(conditions []condition, field string) ([]byte, bool) {
	for _, c := range conditions {
		if c.field == field && c.operator == "$eq" {
			return c.key, true
		}
	}
	return nil, false
}
