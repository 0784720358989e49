package bench

import (
	"bytes"
	"fmt"
	"io"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// parts says who used the processor. Garbage collection and scheduling that no part can be blamed for are ours.
type parts struct{ rsa, sandbox, client, ours time.Duration }

func (p *parts) total() time.Duration { return p.rsa + p.sandbox + p.client + p.ours }

func (p *parts) share(d time.Duration) float64 {
	if p.total() == 0 {
		return 0
	}
	return d.Seconds() / p.total().Seconds()
}

// profiler collects CPU profiles of several laps.
type profiler struct {
	parts parts
	all   []*profile.Profile
	raw   bytes.Buffer
	on    bool
}

func (p *profiler) start() error {
	p.raw.Reset()
	if err := pprof.StartCPUProfile(&p.raw); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	p.on = true
	return nil
}

// stop is safe to call when nothing runs.
func (p *profiler) stop() error {
	if !p.on {
		return nil
	}
	p.on = false
	pprof.StopCPUProfile()
	one, err := profile.ParseData(p.raw.Bytes())
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	p.all = append(p.all, one)
	value := len(one.SampleType) - 1 // cpu, nanoseconds
	for _, s := range one.Sample {
		*p.parts.of(s) += time.Duration(s.Value[value])
	}
	return nil
}

// write merges what was collected.
func (p *profiler) write(to io.Writer) error {
	if to == nil || len(p.all) == 0 {
		return nil
	}
	merged, err := profile.Merge(p.all)
	if err == nil {
		err = merged.Write(to)
	}
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

// of finds the part a sample belongs to: arithmetic of RSA whoever asked for it, then by label, then by stack.
func (p *parts) of(s *profile.Sample) *time.Duration {
	rsa, sandbox, client, server := false, false, false, false
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function == nil {
				continue
			}
			name := line.Function.Name
			rsa = rsa || strings.HasPrefix(name, "crypto/rsa.") || strings.HasPrefix(name, "crypto/internal/fips140/rsa.") ||
				strings.HasPrefix(name, "crypto/internal/fips140/bigmod.")
			sandbox = sandbox || strings.HasPrefix(name, "guanxi/platform/sandbox.")
			client = client || strings.HasPrefix(name, "guanxi/app/bench.send")
			server = server || strings.HasPrefix(name, "net/http.(*conn).serve")
		}
	}
	label := ""
	if values := s.Label["part"]; len(values) > 0 {
		label = values[0]
	}
	switch {
	case rsa:
		return &p.rsa
	case sandbox, label == "sandbox", server && label != "edge": // the only other server is the sandbox's
		return &p.sandbox
	case client, label == "client":
		return &p.client
	}
	return &p.ours
}
