package bench_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"guanxi/app/bench"
)

// small is a run of a few operations; how fast they were is nobody's business here.
func small(t *testing.T) bench.Options {
	t.Helper()
	return bench.Options{Callers: 4, Length: 10 * time.Second, Laps: 2, Ops: 12, Dir: t.TempDir()}
}

func TestEveryScenarioLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name  string
		size  int
		parts []string
	}{
		{"post", 50, []string{""}},
		{"sale", 2, []string{""}},
		{"flash", 60, []string{"sell-out", "sold-out"}},
		{"claims", 100, []string{"admit", "admit"}},
		{"feed", 3, []string{""}},
		{"grow", 1500, nil},
		{"ledger", 60, []string{
			"purse", "purse-page", "rebuild", "verify", "dry-run", "accrue", "settle", "claw-back", "withdraw", "check",
		}},
		{"idle", 6, []string{""}},
	} {
		t.Run(one.name, func(t *testing.T) {
			if !slices.Contains([]string{"sale", "flash", "feed"}, one.name) { // a process has one CPU profile at a time
				t.Parallel()
			}
			o := small(t)
			o.Size = one.size
			var rows []bench.Row
			if err := bench.Run(t.Context(), one.name, o, func(r bench.Row) { rows = append(rows, r) }); err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 || one.parts != nil && len(rows) != len(one.parts) {
				t.Fatalf("%d rows, want %d", len(rows), len(one.parts))
			}
			for i, r := range rows {
				if r.Scenario != one.name || one.parts != nil && r.Part != one.parts[i] || r.Ops == 0 {
					t.Errorf("row %d = %+v", i, r)
				}
				if r.Lost != 0 || r.Doubled != 0 || r.Oversold != 0 {
					t.Errorf("%s/%s: lost %d, doubled %d, oversold %d", r.Scenario, r.Part, r.Lost, r.Doubled, r.Oversold)
				}
			}
			left, err := os.ReadDir(o.Dir)
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestRunRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]bench.Options{"nothing": {}, "post": {Callers: 100_000}} {
		if err := bench.Run(t.Context(), name, o, func(bench.Row) { t.Error("a row") }); err == nil {
			t.Errorf("%s %+v was run", name, o)
		}
	}
}

func TestARowHasTheAgreedNames(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(bench.Row{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"scenario", "callers", "size", "ops", "per_second", "p50_ms", "p99_ms", "bytes_per_op", "allocs_per_op",
		"reference_per_second", "ratio", "lost", "doubled", "oversold",
	} {
		if !bytes.Contains(raw, []byte(`"`+name+`":`)) {
			t.Errorf("no %s in %s", name, raw)
		}
	}
}

func TestTheTableNamesEveryRow(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := bench.WriteTable(&out, []bench.Row{
		{Scenario: "flash", Part: "sold-out", Callers: 256, PerSecond: 4321, Goals: []bench.Goal{{What: "ratio ≥", Want: 0.4, Got: 0.5, Met: true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"flash/sold-out", "4321", "✓ ratio ≥ 0.400 (is 0.500)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
