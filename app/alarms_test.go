package app_test

import (
	"io"
	"log/slog"
	"os"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/platform/sandbox"
	"guanxi/staff/task"
)

// TestAlarmsNameMetricsThatExist: deploy/alarms.yaml speaks of what the program registers, and of kinds that exist.
func TestAlarmsNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(clock.System{}.Now())
	metrics := prometheus.NewRegistry()
	startWorld(t, c, harness.Config{
		Store: docstoretest.NewStore(t, c), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sandbox: sandbox.Config{Keys: keys()}, Metrics: metrics,
	})
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]bool{}
	for _, f := range families {
		registered[f.GetName()] = true
	}
	text, err := os.ReadFile("../deploy/alarms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`guanxi_[a-z_]+`).FindAllString(string(text), -1)
	if len(named) < 8 {
		t.Errorf("only %d metrics are named", len(named))
	}
	for _, name := range named {
		if !registered[name] {
			t.Errorf("%s is not registered", name)
		}
	}
	for _, kind := range regexp.MustCompile(`kind="([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		if _, known := task.KindOf(kind[1]); !known {
			t.Errorf("no task has the kind %s", kind[1])
		}
	}
}
