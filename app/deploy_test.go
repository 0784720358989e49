package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/platform/sandbox"
	"guanxi/staff/task"
)

func deployed(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestAlarmsAndBoardNameMetricsThatExist: they speak of what the program registers, and of kinds that exist.
func TestAlarmsAndBoardNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(clock.System{}.Now())
	metrics := prometheus.NewRegistry()
	w := startWorld(t, c, harness.Config{
		Store: docstoretest.NewStore(t, c), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sandbox: sandbox.Config{Keys: keys()}, Metrics: metrics,
	})
	(&human{w: w}).send("GET", "/v1/me", nil) // so that requests and refusals have been counted
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	registered := map[string]bool{"guanxi_unreadable_documents": true} // there once something is unreadable: unreadable_test
	for _, f := range families {
		registered[f.GetName()] = true
	}
	for _, file := range []string{"deploy/alarms.yaml", "deploy/grafana.json"} {
		text := deployed(t, file)
		named := regexp.MustCompile(`guanxi_[a-z_]+`).FindAllString(text, -1)
		if len(named) < 8 {
			t.Errorf("%s: only %d metrics are named", file, len(named))
		}
		for _, name := range named {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
			if !registered[name] && !registered[base] {
				t.Errorf("%s: %s is not registered", file, name)
			}
		}
		for _, kind := range regexp.MustCompile(`kind="([^"]+)"`).FindAllStringSubmatch(text, -1) {
			if _, known := task.KindOf(kind[1]); !known {
				t.Errorf("%s: no task has the kind %s", file, kind[1])
			}
		}
	}
	if !json.Valid([]byte(deployed(t, "deploy/grafana.json"))) {
		t.Error("the board is not JSON")
	}
}

// TestAlarmsFire has Prometheus' own tool play the alarms.
func TestAlarmsFire(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("GUANXI_TEST_REQUIRE_PROMTOOL") != "" {
			t.Fatal(err)
		}
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "alarms.yaml"}, {"check", "config", "prometheus.yaml"}, {"test", "rules", "alarms_test.yaml"}} {
		run := exec.CommandContext(t.Context(), tool, args...)
		run.Dir = "../deploy"
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestEveryAlarmHasAPageAndATest: the runbook's sections and the alarms that are played are those that exist.
func TestEveryAlarmHasAPageAndATest(t *testing.T) {
	t.Parallel()
	found := func(text, pattern string) (names []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	alarms := found(deployed(t, "deploy/alarms.yaml"), `alert: (\w+)`)
	if diff := cmp.Diff(alarms, found(deployed(t, "docs/runbook.md"), `(?m)^## (\w+)$`)); diff != "" {
		t.Errorf("docs/runbook.md (-alarms +pages):\n%s", diff)
	}
	played := deployed(t, "deploy/alarms_test.yaml")
	if diff := cmp.Diff(alarms, found(played, `alertname: (\w+)\n\s+exp_alerts:\n`)); diff != "" {
		t.Errorf("fire in deploy/alarms_test.yaml (-alarms +played):\n%s", diff)
	}
	if diff := cmp.Diff(alarms, found(played, `alertname: (\w+), exp_alerts: \[\]`)); diff != "" {
		t.Errorf("are silent in deploy/alarms_test.yaml (-alarms +played):\n%s", diff)
	}
}

// TestManifestsFitTheProgram: what deploy/kubernetes and the unit of systemd set, mount and probe is there.
func TestManifestsFitTheProgram(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range app.Settings() {
		known[s.Name] = true
	}
	files, err := filepath.Glob("../deploy/kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	var text strings.Builder
	for _, file := range files {
		name := filepath.Base(file)
		raw := deployed(t, "deploy/kubernetes/"+name)
		for n, doc := range documents(t, name, raw) {
			if doc["kind"] == nil || doc["apiVersion"] == nil {
				t.Errorf("%s, document %d: no kind or apiVersion", name, n)
			}
		}
		text.WriteString(raw)
		if name != "kustomization.yaml" {
			there = append(there, name)
		}
	}
	var listed []string
	for _, one := range documents(t, "kustomization.yaml", deployed(t, "deploy/kubernetes/kustomization.yaml"))[0]["resources"].([]any) {
		listed = append(listed, one.(string))
	}
	slices.Sort(listed)
	if diff := cmp.Diff(there, listed); diff != "" {
		t.Errorf("kustomization.yaml (-files +listed):\n%s", diff)
	}
	text.WriteString(deployed(t, "deploy/systemd/guanxi.service"))
	for _, name := range regexp.MustCompile(`GUANXI_[A-Z_]+`).FindAllString(text.String(), -1) {
		if !known[name] {
			t.Errorf("%s is no setting", name)
		}
	}
	w := newWorld(t)
	for _, probe := range regexp.MustCompile(`path: (/\w+), port: edge`).FindAllStringSubmatch(text.String(), -1) {
		if r := (&human{w: w}).send("GET", probe[1], nil); r.status != 200 {
			t.Errorf("probe %s: %v", probe[1], r)
		}
	}
}

func documents(t *testing.T, name, text string) (all []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader([]byte(text)), yaml.Strict()); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, doc)
	}
}
