package mongo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"

	"guanxi/internal/docstore"
)

const maxCursor = 4096 // bytes of base64; cursors come back from clients

// place is the body of a cursor: the index values of the last record seen, behind the equality prefix.
type place struct {
	Keys []bson.RawValue `bson:"k"`
}

// cursorAfter makes the cursor that goes on behind body. Fields are the index's fields behind the prefix.
func cursorAfter(body bson.Raw, fields []string) (string, error) {
	p := place{Keys: make([]bson.RawValue, len(fields))}
	for i, field := range fields {
		value, ok := lookup(body, field)
		if !ok {
			return "", fmt.Errorf("mongo: cursor: %w: stored document lacks %s", docstore.ErrInvalid, field)
		}
		p.Keys[i] = value
	}
	raw, err := bson.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("mongo: cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// readCursor gives the values of a cursor. They must be plain: a document in their place would be an operator.
func readCursor(cursor string, fields int) ([]any, error) {
	if len(cursor) > maxCursor {
		return nil, badCursor()
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, badCursor()
	}
	var p place
	if err := bson.Raw(raw).Validate(); err != nil {
		return nil, badCursor()
	}
	if err := bson.Unmarshal(raw, &p); err != nil || len(p.Keys) != fields {
		return nil, badCursor()
	}
	values := make([]any, fields)
	for i, key := range p.Keys {
		switch key.Type {
		case bson.TypeString:
			values[i] = key.StringValue()
		case bson.TypeInt32, bson.TypeInt64:
			values[i] = key.AsInt64()
		case bson.TypeBoolean:
			values[i] = key.Boolean()
		case bson.TypeDateTime:
			values[i] = primitive.DateTime(key.DateTime())
		default:
			return nil, badCursor()
		}
	}
	return values, nil
}

// lookup finds a dotted field path.
func lookup(body bson.Raw, path string) (bson.RawValue, bool) {
	value, err := body.LookupErr(strings.Split(path, ".")...)
	return value, err == nil
}

func badCursor() error { return fmt.Errorf("mongo: %w: cursor", docstore.ErrInvalid) }

// plain turns a query's value into what a filter may hold.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		return primitive.NewDateTimeFromTime(v), nil
	case string:
		return plainString(v)
	}
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.String:
		return plainString(r.String())
	case r.CanInt():
		return r.Int(), nil
	case r.Kind() == reflect.Bool:
		return r.Bool(), nil
	}
	return nil, fmt.Errorf("mongo: %w: a %T cannot be an index value", docstore.ErrInvalid, v)
}

// less orders two plain values as the indexes do.
func less(a, b any) bool {
	left, leftErr := docstore.EncodeKey(encodable(a))
	right, rightErr := docstore.EncodeKey(encodable(b))
	return leftErr == nil && rightErr == nil && bytes.Compare(left, right) < 0
}

func encodable(v any) any {
	if t, ok := v.(primitive.DateTime); ok {
		return t.Time()
	}
	return v
}

func plainString(s string) (any, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, fmt.Errorf("mongo: %w: NUL byte in an index value", docstore.ErrInvalid)
	}
	return s, nil
}
