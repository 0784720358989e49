package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The marker and the phone stand in what is sent and must never come back, nor appear in the log.
const (
	marker = "MARKERqzx"
	secret = "13812345678"
)

// spoiled is one request that must be refused.
type spoiled struct {
	what, path string
	body       []byte
	header     []string
	idle       bool // names nothing that exists
}

// TestBadInputIsRefusedAndChangesNothing spoils a good request to every operation in every way its description allows
// to think of.
func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w, store, log := watchedWorld(t, nil)
	e := newEstate(t, w)
	all, sent := w.described(), 0
	for _, op := range operations() {
		good := op.make(e)
		e.settled()
		caller := op.owner(e)
		before, written := store.contents(t), store.written.Load()
		for _, bad := range spoil(t, all[op.id], good) {
			r := caller.send(op.method, bad.path, bad.body, bad.header...)
			sent++
			what := op.id + ": " + bad.what
			if op.id == "unpick" && r.status == 204 && bad.idle { // what is not picked is unpicked
				before, written = store.contents(t), store.written.Load()
				continue
			}
			if r.status < 400 || r.status >= 500 {
				t.Errorf("%s: %v", what, r)
			} else {
				checkProblem(t, what, r)
			}
			if strings.Contains(r.body, marker) || strings.Contains(r.body, secret) {
				t.Errorf("%s: what was sent came back: %v", what, r)
			}
			if now := store.written.Load(); now != written {
				t.Errorf("%s: %d writes", what, now-written)
				written = now
			}
		}
		if diff := cmp.Diff(before, store.contents(t)); diff != "" {
			t.Errorf("%s: bad input changed something:\n%s", op.id, diff)
		}
	}
	for _, leak := range []string{marker, secret} {
		if at := strings.Index(log.String(), leak); at >= 0 {
			t.Errorf("%s is in the log: %.300s", leak, log.String()[max(0, at-200):])
		}
	}
	t.Logf("%d bad requests to %d operations", sent, len(operations()))
}

func spoil(t *testing.T, d described, good ask) []spoiled {
	t.Helper()
	var all []spoiled
	path, query, _ := strings.Cut(good.path, "?")
	if query != "" {
		query = "?" + query
	}
	add := func(what, path string, body []byte, header ...string) {
		all = append(all, spoiled{what, path, body, header, strings.HasSuffix(what, "} unknown") || strings.HasSuffix(what, "} marker")})
	}
	spoilPath(d, path, func(what, p string) { add(what, p+query, good.raw()) })
	spoilQuery(d, path, func(what, q string) { add(what, path+"?"+q, good.raw()) })
	if d.method != "GET" && d.OperationID != "quote" {
		for what, key := range map[string]string{
			"no key": "", "short key": "abc", "long key": strings.Repeat("k", 81), "odd key": marker + " " + secret, "key with a slash": "abc/defgh",
		} {
			add(what, good.path, good.raw(), "Idempotency-Key: "+key)
		}
	}
	if d.RequestBody == nil {
		return all
	}
	spoilWhole(good, func(what string, body []byte, header ...string) { add(what, good.path, body, header...) })
	var body any
	if err := json.Unmarshal(good.raw(), &body); err != nil {
		t.Fatal(err)
	}
	s := d.RequestBody.Content["application/json"].Schema
	spoilValue(d, s, body, "body", func(what string, spoiled any) {
		raw, err := json.Marshal(spoiled)
		if err != nil {
			t.Fatal(err)
		}
		add(what, good.path, raw)
	})
	return all
}

func spoilPath(d described, path string, add func(what, path string)) {
	template, actual := strings.Split(d.path, "/"), strings.Split(path, "/")
	for i, part := range template {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		for what, value := range map[string]string{
			"unknown": "nobody" + secret, "marker": marker, "zero byte": "%00" + marker, "escape": "%2e%2e%2f" + marker, "Chinese": "%E6%9D%8E" + marker,
			"quote": "%22%27" + marker, "percent": "%25" + marker, "too long": strings.Repeat("a", 65) + marker, "very long": strings.Repeat("a", 4000) + marker,
			"invalid UTF-8": "%FF%FE" + marker, "space": "%20", "dollar": "$where" + marker,
		} {
			spoiled := slices.Clone(actual)
			spoiled[i] = value
			add(part+" "+what, strings.Join(spoiled, "/"))
		}
	}
}

func spoilQuery(d described, path string, add func(what, query string)) {
	add("unknown query parameter", marker+"="+secret)
	for _, p := range d.Parameters {
		if p.In != "query" {
			continue
		}
		switch p.Name {
		case "limit":
			for _, limit := range []string{"0", "-1", "101", "1e2", "abc" + marker, "9999999999999999999999", "1.5", "%00"} {
				add("limit "+limit, "limit="+limit)
			}
		case "cursor":
			for what, cursor := range map[string]string{
				"rubbish": marker, "base64": base64.RawURLEncoding.EncodeToString([]byte(marker)), "zero": "\x00", "too long": strings.Repeat("A", 401),
				"json": `{"` + marker + `":1}`, "base64 of bytes": base64.RawURLEncoding.EncodeToString([]byte{255, 0, 255, 1}), "Chinese": "下一页", "invalid UTF-8": "\xff",
				"star": "*", "number": "-1",
			} {
				add("cursor "+what, "cursor="+url.QueryEscape(cursor))
			}
		default:
			if p.Required {
				add("no "+p.Name, "")
				add("empty "+p.Name, p.Name+"=")
			}
			add("long "+p.Name, p.Name+"="+strings.Repeat("a", 1000)+marker)
			add("odd "+p.Name, p.Name+"="+url.QueryEscape("\xff\x00"+marker))
		}
	}
}

// spoilWhole spoils the body as bytes.
func spoilWhole(good ask, add func(what string, body []byte, header ...string)) {
	raw := string(good.raw())
	add("no body", nil, "Content-Type: application/json")
	for what, body := range map[string]string{
		"empty body": "", "space": "   ", "null": "null", "array": `["` + marker + `"]`, "empty array": "[]", "text": `"` + marker + `"`, "number": secret, "true": "true",
		"not JSON": marker, "cut short": raw[:len(raw)-1], "two values": raw + raw, "trailing": raw + marker,
		"nested deeply":        strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
		"arrays nested deeply": strings.Repeat("[", 30000) + strings.Repeat("]", 30000),
		"too large":            `{"` + marker + `":"` + strings.Repeat("x", 70<<10) + `"}`,
		"large with space":     raw + strings.Repeat(" ", 70<<10),
		"invalid UTF-8":        "{\"" + marker + "\xff\":1}",
		"byte order mark":      "\xef\xbb\xbf" + raw,
		"comment":              raw + "// " + marker,
		"NaN":                  `{"` + marker + `":NaN}`,
	} {
		add(what, []byte(body))
	}
	for _, media := range []string{"text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/cbor", marker + "/" + marker} {
		add("media type "+media, good.raw(), "Content-Type: "+media)
	}
	var fields map[string]any
	if json.Unmarshal(good.raw(), &fields) != nil {
		return
	}
	for name := range fields {
		value, err := json.Marshal(fields[name])
		if err != nil {
			continue
		}
		for what, twin := range map[string]string{"twice": name, "twice in capitals": strings.ToUpper(name)} {
			add(name+" "+what, []byte(raw[:len(raw)-1]+`,"`+twin+`":`+string(value)+"}"))
		}
		add(name+" in capitals only", []byte(strings.Replace(raw, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1)))
		if text, ok := fields[name].(string); ok {
			add(name+" invalid UTF-8", []byte(strings.Replace(raw, `"`+text+`"`, "\""+text+"\xff\"", 1)))
		}
	}
}

// spoilValue walks a good value along its schema and hands out copies with one thing wrong.
func spoilValue(d described, s *schema, value any, at string, add func(what string, spoiled any)) {
	for s.Ref != "" {
		s = d.schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	wrong := func(what string, v any) { add(at+" "+what, v) }
	switch kind := strings.Trim(string(s.Type), `"`); kind {
	case "object":
		fields, _ := value.(map[string]any)
		spoilObject(d, s, fields, at, add)
		wrong("is an array", []any{marker})
		wrong("is a text", secret)
	case "array":
		items, _ := value.([]any)
		wrong("is a text", marker)
		wrong("is an object", map[string]any{marker: 1})
		wrong("holds null", append(slices.Clone(items), nil))
		if s.MinItems != nil && *s.MinItems > 0 {
			wrong("is empty", []any{})
		}
		if s.MaxItems != nil && len(items) > 0 {
			wrong("has too many", slices.Repeat(items[:1], *s.MaxItems+1))
		}
		if len(items) > 0 {
			spoilValue(d, s.Items, items[0], at+"[0]", func(what string, spoiled any) {
				add(what, append([]any{spoiled}, items[1:]...))
			})
		}
	case "string":
		spoilText(s, wrong)
	case "integer":
		spoilNumber(s, wrong)
	case "boolean":
		for _, v := range []any{"true", 1, 0, marker, []any{}, map[string]any{}} {
			wrong(fmt.Sprintf("is %T", v), v)
		}
	default:
		panic("no idea how to spoil a " + kind)
	}
	wrong("is null", nil)
}

func spoilObject(d described, s *schema, fields map[string]any, at string, add func(what string, spoiled any)) {
	with := func(name string, v any) map[string]any {
		spoiled := maps.Clone(fields)
		spoiled[name] = v
		return spoiled
	}
	add(at+" has an extra field", func() any {
		if fields == nil {
			fields = map[string]any{}
		}
		return with(marker+secret, secret)
	}())
	add(at+" has a field of a prototype", with("__proto__", map[string]any{marker: 1}))
	for name, property := range s.Properties {
		if slices.Contains(s.Required, name) {
			without := maps.Clone(fields)
			delete(without, name)
			add(at+"."+name+" is missing", without)
		}
		value, given := fields[name]
		if !given {
			add(at+"."+name+" is null", with(name, nil))
			continue
		}
		spoilValue(d, property, value, at+"."+name, func(what string, spoiled any) { add(what, with(name, spoiled)) })
	}
}

func spoilText(s *schema, wrong func(what string, v any)) {
	for _, v := range []any{7, -1, 1.5, true, []any{marker}, map[string]any{marker: secret}} {
		wrong(fmt.Sprintf("is %T", v), v)
	}
	switch {
	case len(s.Enum) > 0:
		wrong("is another word", marker)
		wrong("is empty", "")
		wrong("is in capitals", strings.ToUpper(fmt.Sprint(s.Enum[0])))
	case s.Format == "date-time":
		for _, v := range []string{"", marker, "2026-13-01T00:00:00Z", "2026-01-01", "1767225600", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z"} {
			wrong("is the time "+v, v)
		}
	default:
		if s.MaxLength == nil {
			wrong("has no greatest length: describe one", strings.Repeat(marker, 20_000))
			return
		}
		wrong("is too long", secret+strings.Repeat("长", *s.MaxLength))
		if s.MinLength != nil && *s.MinLength > 0 {
			wrong("is empty", "")
		}
		wrong("has a zero byte", marker+"\x00"+secret)
		wrong("has a control character", marker+"\x1b[31m")
	}
}

func spoilNumber(s *schema, wrong func(what string, v any)) {
	for _, v := range []any{"1", marker, true, 1.5, 1e30, -1e30, json.RawMessage("1e400"), json.RawMessage("9223372036854775807"), json.RawMessage("-9223372036854775808"), json.RawMessage("99999999999999999999"), json.RawMessage("0.1e1x"[:5]), []any{}, map[string]any{}} {
		wrong(fmt.Sprintf("is %T %.30v", v, text(v)), v)
	}
	if s.Minimum == nil || s.Maximum == nil {
		wrong("has no bounds: describe them", marker)
		return
	}
	wrong("is too small", *s.Minimum-1)
	wrong("is too large", *s.Maximum+1)
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
