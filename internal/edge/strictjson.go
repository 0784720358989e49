package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const maxDepth = 16

var (
	errNull     = errors.New("null is not accepted: leave the field out")
	errDepth    = errors.New("nested too deeply")
	errTrailing = errors.New("more than one JSON value")
	errTwice    = errors.New("a field is given twice")
	errUTF8     = errors.New("the text is not UTF-8")
)

// strictJSON reads bodies more strictly than encoding/json: no null, no duplicate names, no trailing text,
// bounded depth, valid UTF-8 (which encoding/json would mend in silence). Huma would accept null for optional fields and turn it into "not given".
func strictJSON() huma.Format {
	return huma.Format{
		Marshal: huma.DefaultJSONFormat.Marshal,
		Unmarshal: func(data []byte, v any) error {
			if _, generic := v.(*any); generic { // the validator's pass comes first and sees everything
				if err := checkJSON(data); err != nil {
					return err
				}
			}
			return json.Unmarshal(data, v)
		},
	}
}

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := checkValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return errNull
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if depth >= maxDepth {
		return errDepth
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string)
			if seen[text] {
				return errTwice
			}
			seen[text] = true
		}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
