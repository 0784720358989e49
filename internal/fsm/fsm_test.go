package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/fsm"
)

type (
	state string
	cause string
)

func door() fsm.Table[state, cause] {
	return fsm.Table[state, cause]{
		{"shut", "push", "open"},
		{"shut", "knock", "shut"},
		{"open", "pull", "shut"},
		{"shut", "lock up", "locked"},
	}
}

func TestATableLeadsWhereItSaysAndNowhereElse(t *testing.T) {
	t.Parallel()
	type step struct {
		from state
		by   cause
	}
	want := map[step]state{{"shut", "push"}: "open", {"shut", "knock"}: "shut", {"open", "pull"}: "shut", {"shut", "lock up"}: "locked"}
	for _, from := range []state{"shut", "open", "locked", "", "gone"} {
		for _, by := range []cause{"push", "pull", "knock", "lock up", "", "kick"} {
			to, ok := door().Move(from, by)
			next, allowed := want[step{from, by}]
			if !allowed {
				next = from
			}
			if ok != allowed || to != next {
				t.Errorf("%q by %q: %q %v", from, by, to, ok)
			}
		}
	}
	for pair, want := range map[[2]state]bool{{"shut", "open"}: true, {"shut", "shut"}: true, {"open", "locked"}: false, {"locked", "shut"}: false} {
		if got := door().Leads(pair[0], pair[1]); got != want {
			t.Errorf("%v: %v", pair, got)
		}
	}
}

func TestADrawingShowsBeginningsAndEnds(t *testing.T) {
	t.Parallel()
	got := fsm.Table[state, cause]{{"", "make", "new"}, {"new", "use-up", "used-up"}, {"new", "look", "new"}, {"late", "", "used-up"}}.Draw("thing")
	want := fsm.Drawing{Name: "thing", Mermaid: `stateDiagram-v2
    [*] --> new : make
    new --> used_up : use-up
    used_up --> [*]
    [*] --> late
    late --> used_up
`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
