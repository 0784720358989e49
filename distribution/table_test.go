package distribution

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/fault"
)

// The tables in testdata say how bonds are decided; this test plays them through the service.
func TestBondTables(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases(string(text)) {
			t.Run(filepath.Base(file)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				play(t, c)
			})
		}
	}
}

type tableCase struct {
	name  string
	lines []string
}

func cases(text string) []tableCase {
	var all []tableCase
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "case "); ok {
			all = append(all, tableCase{name: name})
		} else if line != "" && line[0] != '#' && len(all) > 0 {
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

func play(t *testing.T, c tableCase) {
	h := open(t, parsePolicy(t, c.lines[0]))
	for n, line := range c.lines[1:] {
		if !step(t, h, n, line) {
			t.Fatalf("not understood: %s", line)
		}
	}
}

var (
	policyLine  = regexp.MustCompile(`^policy (\S+) valid (\d+) protect (\d+) self (\S+)( second)?$`)
	dayLine     = regexp.MustCompile(`^day (\d+)( noon)?: (.*)$`)
	opensLine   = regexp.MustCompile(`^(\S+) opens (\S+)( again| once more)?$`)
	buysLine    = regexp.MustCompile(`^(\S+) buys from (\S+) -> (\S+) because (\S+)(?: above (\S+))?$`)
	staffLine   = regexp.MustCompile(`^staff moves (\S+) to (\S+)(?: -> refused (\S+))?$`)
	withLine    = regexp.MustCompile(`^(\S+) is with (\S+)(?: until day (\d+)| (for good))?$`)
	historyLine = regexp.MustCompile(`^history (\S+): (.*)$`)
)

func parsePolicy(t *testing.T, line string) Policy {
	t.Helper()
	m := policyLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("not a policy: %s", line)
	}
	valid, _ := strconv.Atoi(m[2])
	protect, _ := strconv.Atoi(m[3])
	return Policy{
		Version: "table", Mode: Mode(m[1]), ValidityDays: valid, ProtectionDays: protect, SelfPurchase: SelfRule(m[4]),
		SecondLevel: m[5] != "",
	}
}

func dayOf(n string) time.Time {
	day, _ := strconv.Atoi(n)
	return start.Add(days(day - 1))
}

func nobody(name string) string {
	if name == "nobody" {
		return ""
	}
	return name
}

func step(t *testing.T, h house, n int, line string) bool {
	if m := historyLine.FindStringSubmatch(line); m != nil {
		why, err := h.Why(t.Context(), m[1])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range why.Lines {
			got = append(got, l.Code)
		}
		if diff := cmp.Diff(strings.Fields(m[2]), got); diff != "" {
			t.Errorf("%s\n%s", line, diff)
		}
		return true
	}
	day := dayLine.FindStringSubmatch(line)
	if day == nil {
		return false
	}
	now := dayOf(day[1])
	if day[2] != "" {
		now = now.Add(12 * time.Hour)
	}
	if now.Before(h.clock.Now()) {
		t.Fatalf("time goes back: %s", line)
	}
	h.clock.Set(now)
	switch rest := day[3]; {
	case opensLine.MatchString(rest):
		m := opensLine.FindStringSubmatch(rest)
		h.opens(t, m[1], m[2], fmt.Sprint(n))
	case buysLine.MatchString(rest):
		m := buysLine.FindStringSubmatch(rest)
		r, err := h.Attribute(t.Context(), m[1], m[2], "comm", now)
		if got := [3]string{r.Direct, r.Why, r.Upline}; err != nil || got != [3]string{nobody(m[3]), m[4], m[5]} {
			t.Errorf("%s\ngot %+v %v", line, r, err)
		}
	case staffLine.MatchString(rest):
		m := staffLine.FindStringSubmatch(rest)
		_, err := h.Rebind(t.Context(), RebindInput{Member: m[1], To: nobody(m[2]), By: "staff-1", Reason: "客户要求"})
		if f := fault.Of(err); (m[3] == "") != (err == nil) || f != nil && f.Code != m[3] {
			t.Errorf("%s\ngot %v", line, err)
		}
	case withLine.MatchString(rest):
		m := withLine.FindStringSubmatch(rest)
		stood, err := h.BondOf(t.Context(), m[1])
		if err != nil {
			t.Fatal(err)
		}
		by, until := "", time.Time{}
		if stood != nil {
			by, until = stood.By, stood.Until
		}
		if by != nobody(m[2]) || m[3] != "" && !until.Equal(dayOf(m[3])) || m[4] != "" && !until.IsZero() {
			t.Errorf("%s\ngot %q until %s", line, by, until)
		}
	default:
		return false
	}
	return true
}
