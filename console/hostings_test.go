package console

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/community/hosting"
	"guanxi/staff"
)

// Staff lets somebody host, and takes it back; every decision has a reason and a line in the audit log, findings are
// shown and refuse nobody, and an operator who is that member decides nothing.
func TestStaffDecidesWhoHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, auditor, twin := w.hire("desk", staff.Operations), w.hire("auditor", staff.Auditor), w.hire("twin", staff.Operations)
	w.links[twin.operator] = "alice"
	path, why := "/console/api/hostings/alice", map[string]any{"reason": "面谈过"}
	desk.refused("POST", path+"/approve", why, 404, "HST_NOT_FOUND")
	desk.refused("GET", path, nil, 404, "HST_NOT_FOUND")
	if _, err := w.hosting.Apply(t.Context(), hosting.ApplyInput{Member: "alice", Words: "小区三百户"}); err != nil {
		t.Fatal(err)
	}
	auditor.refused("POST", path+"/approve", why, 403, "STF_DENIED")
	twin.refused("POST", path+"/approve", why, 403, "CON_OWN_CASE")
	desk.refused("POST", path+"/approve", map[string]any{}, 422, "API_INPUT_INVALID")
	desk.refused("POST", path+"/revoke", why, 409, "HST_STATE")
	if list := auditor.must("GET", "/console/api/hostings?state=applied", nil, 200).list("hostings"); len(list) != 1 {
		t.Errorf("waiting: %v", list)
	}
	one := desk.keyed("approve-once", "POST", path+"/approve", why)
	again := desk.keyed("approve-once", "POST", path+"/approve", why)
	if one.status != 200 || again.String() != one.String() {
		t.Errorf("%v, again %v", one, again)
	}
	seen := auditor.must("GET", path, nil, 200)
	if seen.text("state") != "approved" || len(seen.list("history")) != 2 || len(seen.list("relations")) != 1 {
		t.Errorf("seen: %v", seen)
	}
	desk.must("POST", path+"/revoke", map[string]any{"reason": "投诉属实"}, 200)
	desk.must("POST", path+"/reinstate", map[string]any{"reason": "已整改"}, 200)
	deeds := w.deeds("host/alice") // of one moment: their order says nothing
	slices.Sort(deeds)
	if d := cmp.Diff([]string{
		"approve-hosting|done||applied|approve: 面谈过", "approve-hosting|refused|CON_OWN_CASE||approve: 面谈过",
		"approve-hosting|refused|HST_NOT_FOUND||approve: 面谈过", "reinstate-hosting|done||revoked|reinstate: 已整改",
		"revoke-hosting|done||approved|revoke: 投诉属实", "revoke-hosting|refused|HST_STATE|applied|revoke: 面谈过",
	}, deeds); d != "" {
		t.Error(d)
	}
}
