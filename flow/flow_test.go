package flow_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/flow"
	"guanxi/internal/event"
)

// TestTheTableIsPrinted keeps docs/flow.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheTableIsPrinted(t *testing.T) {
	t.Parallel()
	const file = "../docs/flow.md"
	var now bytes.Buffer
	now.WriteString("# Who reacts to what\n\nPrinted from `flow.Table` by a test.\n\n")
	if err := event.WriteTable(&now, flow.Table(flow.Deps{})); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("GUANXI_UPDATE") == "1" {
		if err := os.WriteFile(file, now.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), now.String()); diff != "" {
		t.Errorf("docs/flow.md is stale; run GUANXI_UPDATE=1 go test ./flow (-stored +now):\n%s", diff)
	}
}
