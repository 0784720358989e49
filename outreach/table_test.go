package outreach

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"guanxi/internal/goldentest"

	"pgregory.net/rapid"
)

// TestMoves tries every cause in every state.
func TestMoves(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, from := range States() {
		for _, by := range causes() {
			n := Notice{State: from}
			if err := n.move(by); err == nil {
				fmt.Fprintf(&b, "%-8s + %-9s = %s\n", from, by, n.State)
			} else if n.State != from {
				t.Errorf("%s + %s was refused and moved it", from, by)
			}
		}
	}
	goldentest.Golden(t, "testdata/moves.txt", b.String())
}

// TestFields reads testdata/fields.txt: key | value = what is sent; nothing behind "=" does not fit.
func TestFields(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		in, want, ok := strings.Cut(line, "=")
		key, value, ok2 := strings.Cut(in, "|")
		if !ok || !ok2 {
			t.Fatalf("cannot be read: %s", line)
		}
		value = strings.NewReplacer(`\n`, "\n", `\0`, "\x00").Replace(strings.TrimSpace(value))
		if got := fit(strings.TrimSpace(key), value); got != strings.TrimSpace(want) {
			t.Errorf("%s\n got %q", line, got)
		}
	}
}

func TestAFieldIsNeverLongerThanThePlatformTakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		k := rapid.SampledFrom(fieldKinds[:]).Draw(r, "kind")
		got := fit(k.name+"1", rapid.String().Draw(r, "value"))
		if n := utf8.RuneCountInString(got); n > k.most || !utf8.ValidString(got) || k.name == "thing" && n == 0 || strings.ContainsAny(got, "\n\r\t") {
			r.Fatalf("%s: %q", k.name, got)
		}
	})
}

func TestAmountsAndTimesAreWrittenForPeopleInChina(t *testing.T) {
	t.Parallel()
	if got := Yuan(1234567) + " " + Clock(time.Date(2026, 12, 31, 16, 5, 0, 0, time.UTC)); got != "12345.67元 2027年1月1日 00:05" {
		t.Error(got)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	good := func() Template {
		return Template{ID: "abc_DEF-1", Page: "pages/purse?number={number}", Fields: map[string]string{"thing1": "hint", "amount2": "net"}}
	}
	if err := (Config{Templates: map[Topic]Template{WithdrawalPaid: good()}}).Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config, *Template){
		"topic":       func(c *Config, t *Template) { c.Templates["weather"] = *t },
		"id":          func(_ *Config, t *Template) { t.ID = "a/b" },
		"no id":       func(_ *Config, t *Template) { t.ID = "" },
		"no fields":   func(_ *Config, t *Template) { t.Fields = nil },
		"field":       func(_ *Config, t *Template) { t.Fields["thing"] = "hint" },
		"other field": func(_ *Config, t *Template) { t.Fields["mood1"] = "hint" },
		"value":       func(_ *Config, t *Template) { t.Fields["thing2"] = "weather" },
		"kind":        func(_ *Config, t *Template) { t.Fields["amount2"] = "hint" },
		"time":        func(_ *Config, t *Template) { t.Fields["time2"] = "net" },
		"slash":       func(_ *Config, t *Template) { t.Page = "/pages/purse" },
		"placeholder": func(_ *Config, t *Template) { t.Page = "pages/purse?a={weather}" },
		"lease":       func(c *Config, _ *Template) { c.Lease = time.Second },
		"workers":     func(c *Config, _ *Template) { c.Workers = 65 },
	} {
		c, template := Config{Templates: map[Topic]Template{}}, good()
		spoil(&c, &template)
		c.Templates[WithdrawalPaid] = template
		if err := c.Check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWhatACreditRemembersIsBounded(t *testing.T) {
	t.Parallel()
	now, c := time.Unix(0, 0), Credit{Left: maxCredits, Granted: maxCredits}
	for n := range 2 * maxCredits {
		if held := c.take(fmt.Sprint("held", n), now); held != (n < maxCredits) {
			t.Fatal(n, held)
		}
	}
	for n := range 2 * maxSettled {
		c.settle(fmt.Sprint("settled", n), released)
	}
	if len(c.Holds) != maxCredits || len(c.Settled) != maxSettled || c.take(fmt.Sprint("settled", 2*maxSettled-1), now) {
		t.Error(len(c.Holds), len(c.Settled))
	}
}
