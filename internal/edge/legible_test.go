package edge

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/fault"
)

type letter struct {
	Body struct {
		Title    string            `json:"title" minLength:"2"`
		Note     string            `json:"note,omitempty"`
		Nick     *string           `json:"nick,omitempty"`
		Password string            `json:"password,omitempty" format:"password"`
		Lines    []line            `json:"lines,omitempty"`
		Tags     []string          `json:"tags,omitempty"`
		More     map[string]string `json:"more,omitempty"`
	}
}

type line struct {
	Words string `json:"words" minLength:"1"`
}

func letterOf(change func(*letter)) *letter {
	l := &letter{}
	l.Body.Title = "接龙"
	change(l)
	return l
}

func TestWhatIsWrittenIsCleanedOrRefusedBeforeAnybodySeesIt(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		in    *letter
		want  *letter
		field string // refused for
	}{
		"nothing to do":             {letterOf(func(*letter) {}), letterOf(func(*letter) {}), ""},
		"spaces round a title":      {letterOf(func(l *letter) { l.Body.Title = " 接龙\u200b " }), letterOf(func(*letter) {}), ""},
		"a title of nothing":        {letterOf(func(l *letter) { l.Body.Title = "\u200b\u200b" }), nil, "body.title"},
		"one sign and a space":      {letterOf(func(l *letter) { l.Body.Title = "接 " }), nil, "body.title"},
		"hidden direction":          {letterOf(func(l *letter) { l.Body.Title = "接\u202e龙" }), nil, "body.title"},
		"a zero width space inside": {letterOf(func(l *letter) { l.Body.Note = "放\u200b门口" }), nil, "body.note"},
		"a note of spaces is none":  {letterOf(func(l *letter) { l.Body.Note = "  " }), letterOf(func(*letter) {}), ""},
		"two lines":                 {letterOf(func(l *letter) { l.Body.Note = "一\r\n二" }), letterOf(func(l *letter) { l.Body.Note = "一\n二" }), ""},
		"a change to spaces":        {letterOf(func(l *letter) { l.Body.Nick = text("  ") }), nil, "body.nick"},
		"a change to nothing":       {letterOf(func(l *letter) { l.Body.Nick = text("") }), letterOf(func(l *letter) { l.Body.Nick = text("") }), ""},
		"a password of spaces":      {letterOf(func(l *letter) { l.Body.Password = "  \u200b " }), letterOf(func(l *letter) { l.Body.Password = "  \u200b " }), ""},
		"words of a line":           {letterOf(func(l *letter) { l.Body.Lines = []line{{"好"}, {" "}} }), nil, "body.lines[1].words"},
		"a list of texts":           {letterOf(func(l *letter) { l.Body.Tags = []string{" 甜 "} }), letterOf(func(l *letter) { l.Body.Tags = []string{"甜"} }), ""},
		"a text in a map":           {letterOf(func(l *letter) { l.Body.More = map[string]string{"a": "\u200b"} }), nil, "body.more.a"},
	} {
		err := legible(c.in)
		if c.field != "" {
			if f := fault.Of(err); !errors.Is(err, ErrInput) || len(f.Fields) != 1 || f.Fields[0].Name != c.field {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, c.in); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if err := legible(&struct{ Key string }{"\u200b"}); err != nil {
		t.Errorf("no body: %v", err)
	}
}
