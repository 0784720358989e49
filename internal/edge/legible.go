package edge

import (
	"context"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"guanxi/internal/fault"
	"guanxi/internal/text"
)

// What people write reaches no use case with something hidden in it: every text of a body is brought into its clean form
// (package text), and refused when characters stand in it that nobody sees, or when it is required, or a change, and shows
// nothing. Passwords are taken as they are.

const (
	whyHidden = "含有看不见或不允许的字符 / it has characters that cannot be seen"
	whyBlank  = "不能只有空白 / it must show something"
)

// legible cleans the body of an operation's input.
func legible(in any) error {
	body := reflect.ValueOf(in).Elem()
	if body.Kind() != reflect.Struct {
		return nil
	}
	if body = body.FieldByName("Body"); !body.IsValid() {
		return nil
	}
	bad := ErrInput
	cleanValue(body, "body", "", &bad)
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

func cleanValue(v reflect.Value, name string, tag reflect.StructTag, bad **fault.Fault) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if v.Elem().Kind() == reflect.String { // a part of a document to be changed: only nothing at all clears it
			tag += ` change:"true"`
		}
		cleanValue(v.Elem(), name, tag, bad)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			label, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !field.IsExported() || label == "-" {
				continue
			}
			inner := name
			if label != "" {
				inner += "." + label
			}
			cleanValue(v.Field(i), inner, field.Tag, bad)
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanValue(v.Index(i), name+"["+strconv.Itoa(i)+"]", "", bad)
		}
	case reflect.Map:
		cleanMap(v, name, bad)
	case reflect.String:
		if clean, why := cleanText(v.String(), tag); why != "" {
			*bad = (*bad).With(name, why)
		} else if v.CanSet() && clean != v.String() {
			v.SetString(clean)
		}
	}
}

// cleanMap looks at the texts of a map; what would have to be changed in it is refused.
func cleanMap(v reflect.Value, name string, bad **fault.Fault) {
	for each := v.MapRange(); each.Next(); {
		inner := name + "." + each.Key().String()
		if each.Value().Kind() == reflect.String {
			if clean, why := cleanText(each.Value().String(), ""); why != "" || clean != each.Value().String() {
				*bad = (*bad).With(inner, whyHidden)
			}
		}
	}
}

func cleanText(s string, tag reflect.StructTag) (clean, why string) {
	if s == "" || tag.Get("format") == "password" {
		return s, ""
	}
	clean, ok := text.Words(s, 0, utf8.RuneCountInString(s))
	least, _ := strconv.Atoi(tag.Get("minLength"))
	switch {
	case !ok:
		return s, whyHidden
	case clean == "" && (least > 0 || tag.Get("change") != ""), utf8.RuneCountInString(clean) < least:
		return s, whyBlank
	}
	return clean, ""
}

// legibly runs a use case on a clean input.
func legibly[I, O any](handle func(ctx context.Context, in *I) (*O, error)) func(ctx context.Context, in *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		if err := legible(in); err != nil {
			return nil, err
		}
		return handle(ctx, in)
	}
}
