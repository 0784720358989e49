package edge

import (
	"errors"
	"strings"
	"testing"
)

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"a":1}`:                 nil,
		`{"a":{"a":1},"b":[1,2]}`: nil,
		` [1] `:                   nil,
		`"\ud800"`:                nil, // a lone surrogate is mended by the decoder: the text stays valid UTF-8
		`null`:                    errNull,
		`{"a":null}`:              errNull,
		`[1,null]`:                errNull,
		`{"a":1,"a":1}`:           errTwice,
		`{"a":1,"\u0061":2}`:      errTwice,
		`{"b":{"a":1,"a":2}}`:     errTwice,
		`{} {}`:                   errTrailing,
		`1 2`:                     errTrailing,
		"{\"a\":\"\xff\"}":        errUTF8,
		"{\"\xc3\x28\":1}":        errUTF8,
		strings.Repeat("[", 16) + strings.Repeat("]", 16): nil,
		strings.Repeat("[", 17) + strings.Repeat("]", 17): errDepth,
		strings.Repeat("[", 60_000):                       errDepth,
	} {
		if err := checkJSON([]byte(body)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", body, err, want)
		}
	}
	for _, body := range []string{``, ` `, `{`, `{"a"}`, `{"a":}`, `[1,]`, `{"a":1,}`, `nul`, `'a'`, `{a:1}`, `01`, `1.`, `+1`, `NaN`, "\xef\xbb\xbf{}", `{"a":1}//`} {
		if checkJSON([]byte(body)) == nil {
			t.Errorf("%q was taken for JSON", body)
		}
	}
}

func FuzzNoBodyUpsetsTheReader(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"c"}]}`, `{"a":1,"a":2}`, `[[[[`, "\xff", `1e999`, `{"":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v any
		if err := strictJSON().Unmarshal(body, &v); err == nil && v == nil {
			t.Errorf("%q was read as nothing", body)
		}
	})
}
