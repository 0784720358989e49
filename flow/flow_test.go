package flow_test

import (
	"bytes"
	"testing"

	"guanxi/flow"
	"guanxi/internal/event"
	"guanxi/internal/goldentest"
)

// TestTheTableIsPrinted keeps docs/flow.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheTableIsPrinted(t *testing.T) {
	t.Parallel()
	var now bytes.Buffer
	now.WriteString("# Who reacts to what\n\nPrinted from `flow.Table` by a test.\n\n")
	if err := event.WriteTable(&now, flow.Table(flow.Deps{})); err != nil {
		t.Fatal(err)
	}
	goldentest.Golden(t, "../docs/flow.md", now.String())
}
