package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/groupbuy"
	"guanxi/internal/goldentest"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
	"guanxi/staff"
	"guanxi/staff/task"
)

// TestStateMachinesAreDrawn keeps docs/states.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestStateMachinesAreDrawn(t *testing.T) {
	t.Parallel()
	var now strings.Builder
	now.WriteString("# State machines\n\nDrawn from the tables in the code: what is not drawn does not happen. A step that changes nothing is left out.\n")
	for _, drawing := range slices.Concat(groupbuy.Machines(), order.Machines(), sharing.Machines(), withdrawal.Machines(), reconcile.Machines(),
		community.Machines(), hosting.Machines(), outreach.Machines(), staff.Machines(), task.Machines()) {
		fmt.Fprintf(&now, "\n## %s\n\n```mermaid\n%s```\n", drawing.Name, drawing.Mermaid)
	}
	goldentest.Golden(t, "../docs/states.md", now.String())
}
