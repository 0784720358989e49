package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is one measurement. Per-operation numbers count the whole process: the program, the load and, where there is
// one, the sandbox.
type Row struct {
	Scenario     string  `json:"scenario"`
	Part         string  `json:"part,omitempty"` // which operation of the scenario
	Callers      int     `json:"callers"`
	Size         int     `json:"size"`
	Ops          int     `json:"ops"`
	PerSecond    float64 `json:"per_second"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
	BytesPerOp   float64 `json:"bytes_per_op"` // allocated
	AllocsPerOp  float64 `json:"allocs_per_op"`
	CPUPerOp     float64 `json:"cpu_ms_per_op"`
	RefPerSecond float64 `json:"reference_per_second"`
	Ratio        float64 `json:"ratio"` // median of the laps' ours / reference
	Lost         int64   `json:"lost"`
	Doubled      int64   `json:"doubled"`
	Oversold     int64   `json:"oversold"`

	StoredBytes float64            `json:"stored_bytes_per_op,omitempty"` // of the record; the reference writes as many
	CaughtUp    float64            `json:"caught_up_ms,omitempty"`        // purses after the last posting
	Gone        float64            `json:"gone_ms,omitempty"`             // until the last unit was sold
	RSAShare    float64            `json:"rsa_share,omitempty"`           // of all CPU
	SandShare   float64            `json:"sandbox_share,omitempty"`       // of all CPU, without its RSA
	LoadShare   float64            `json:"client_share,omitempty"`        // of all CPU
	OursCPU     float64            `json:"ours_cpu_ms_per_op,omitempty"`  // the rest
	Growth      float64            `json:"growth,omitempty"`              // cost per operation against the smallest size
	IdleMB      float64            `json:"idle_mb,omitempty"`
	BinaryMB    float64            `json:"binary_mb,omitempty"`
	Steps       map[string]float64 `json:"steps_ms,omitempty"` // median of each step
	Goals       []Goal             `json:"goals,omitempty"`
}

// Goal is one number that is asked for.
type Goal struct {
	What string  `json:"what"`
	Want float64 `json:"want"`
	Got  float64 `json:"got"`
	Met  bool    `json:"met"`
}

func (r *Row) atLeast(what string, got, want float64) {
	r.Goals = append(r.Goals, Goal{what + " ≥", want, got, got >= want})
}

func (r *Row) atMost(what string, got, want float64) {
	r.Goals = append(r.Goals, Goal{what + " ≤", want, got, got <= want})
}

func (r *Row) nothingWrong() {
	r.atMost("lost+doubled+oversold", float64(r.Lost+r.Doubled+r.Oversold), 0)
}

// WriteTable prints rows for people.
func WriteTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tcallers\tsize\tops\t/s\tp50 ms\tp99 ms\tCPU ms/op\tkB/op\tallocs/op\treference/s\tratio\tlost\tdoubled\toversold\t")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t\n", strings.TrimSuffix(r.Scenario+"/"+r.Part, "/"),
			r.Callers, r.Size, r.Ops, number(r.PerSecond), number(r.P50), number(r.P99), number(r.CPUPerOp), number(r.BytesPerOp/1024),
			number(r.AllocsPerOp), number(r.RefPerSecond), number(r.Ratio), r.Lost, r.Doubled, r.Oversold)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for i := range rows {
		writeNotes(w, &rows[i])
	}
	return nil
}

func writeNotes(w io.Writer, r *Row) {
	var notes []string
	add := func(name string, value float64, unit string) {
		if value != 0 {
			notes = append(notes, name+" "+number(value)+unit)
		}
	}
	add("purses caught up in", r.CaughtUp, " ms")
	add("sold out after", r.Gone, " ms")
	add("RSA", 100*r.RSAShare, " %")
	add("sandbox", 100*r.SandShare, " %")
	add("client", 100*r.LoadShare, " %")
	add("ours", r.OursCPU, " ms CPU/op")
	for _, step := range slices.Sorted(maps.Keys(r.Steps)) {
		add(step, r.Steps[step], " ms")
	}
	add("growth ×", r.Growth, "")
	add("idle", r.IdleMB, " MB")
	add("binary", r.BinaryMB, " MB")
	for _, g := range r.Goals {
		mark := "✓"
		if !g.Met {
			mark = "✗"
		}
		notes = append(notes, mark+" "+g.What+" "+number(g.Want)+" (is "+number(g.Got)+")")
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "%s %d: %s\n", strings.TrimSuffix(r.Scenario+"/"+r.Part, "/"), r.Callers, strings.Join(notes, " · "))
	}
}

// number shows three digits or, from a thousand on, all before the point.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
