package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCommandsInTheRunbookExist: what docs and the unit of systemd tell people to type is understood.
func TestCommandsInTheRunbookExist(t *testing.T) {
	t.Parallel()
	for file, pattern := range map[string]string{
		"docs/keeping.md":                   `(?m)^guanxi (.*?)(?:\s+#.*)?$`,
		"docs/runbook.md":                   `(?m)^guanxi (.*?)(?:\s+#.*)?$`,
		"deploy/systemd/guanxi.service":     `(?m)^Exec\w+=/usr/local/bin/guanxi (.*)$`,
		"deploy/kubernetes/deployment.yaml": `args: \["(.*)"\]`,
	} {
		raw, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		lines := regexp.MustCompile(pattern).FindAllStringSubmatch(string(raw), -1)
		if len(lines) == 0 {
			t.Errorf("%s tells nobody to type anything", file)
		}
		for _, line := range lines {
			found, rest, err := command().Find(strings.Fields(line[1]))
			if err != nil || found.Run == nil && found.RunE == nil {
				t.Errorf("%s: guanxi %s: no such command %v", file, line[1], err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: guanxi %s: %v", file, line[1], err)
			}
		}
	}
}
