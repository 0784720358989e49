package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guanxi/staff"
)

// What is checked as good can be published, and what publishing would refuse is refused by the check with the same code.
func TestCheckingIsPublishing(t *testing.T) {
	t.Parallel()
	_, maker, checker, _ := finance(t)
	path := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": "首版", "policy": policyBodyOf(800)}, 201).text("id")
	checker.must("POST", "/console/api/policy-drafts/"+path+"/publish", nil, 200)
	with := func(change func(map[string]any)) map[string]any {
		body := policyBodyOf(700)
		change(body)
		return body
	}
	role := func(name string) map[string]any {
		return with(func(b map[string]any) {
			b["rules"].([]any)[0].(map[string]any)["pays"] = []any{map[string]any{"role": name, "rate_bp": 100}}
		})
	}
	for name, c := range map[string]struct {
		body map[string]any
		code string
	}{
		"year 9999":     {with(func(b map[string]any) { b["from"] = "9999-01-01T00:00:00Z" }), "COM_POLICY_FAR"},
		"in the past":   {with(func(b map[string]any) { b["from"] = "2020-01-01T00:00:00Z" }), "COM_POLICY_PAST"},
		"help-sell":     {role("help-sell"), "COM_POLICY_ROLE"},
		"staff":         {role("staff"), "COM_POLICY_ROLE"},
		"nobody":        {with(func(b map[string]any) { b["cap_bp"] = 0 }), "COM_POLICY_NOBODY"},
		"a long note":   {with(func(b map[string]any) { b["note"] = strings.Repeat("说", 160) }), ""},
		"as it must be": {policyBodyOf(600), ""},
	} {
		if c.code == "" {
			maker.must("POST", "/console/api/policies/check", c.body, 200)
			draft := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": name, "policy": c.body}, 201).text("id")
			checker.must("POST", "/console/api/policy-drafts/"+draft+"/publish", nil, 200)
			continue
		}
		maker.refused("POST", "/console/api/policies/check", c.body, 422, c.code)
		if c.code == "COM_POLICY_PAST" { // its date is judged when it is published
			draft := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": name, "policy": c.body}, 201).text("id")
			checker.refused("POST", "/console/api/policy-drafts/"+draft+"/publish", nil, 422, c.code)
			continue
		}
		maker.refused("POST", "/console/api/policy-drafts", map[string]any{"title": name, "policy": c.body}, 422, c.code)
	}
}

// A version that is ahead is taken back by two people; until then it stands in the way of earlier dates.
func TestAVersionAheadIsRecalledByTwo(t *testing.T) {
	t.Parallel()
	w, maker, checker, both := finance(t)
	publish := func(from time.Time) (version int) {
		t.Helper()
		body := policyBodyOf(800)
		if !from.IsZero() {
			body["from"], body["note"] = from.Format(time.RFC3339), from.String()[:10]
		}
		draft := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": "规则", "policy": body}, 201).text("id")
		result := checker.must("POST", "/console/api/policy-drafts/"+draft+"/publish", nil, 200).text("result")
		if _, err := fmt.Sscanf(result, "policy/%d", &version); err != nil {
			t.Fatal(result)
		}
		return version
	}
	why := map[string]any{"why": "日期写错"}
	publish(time.Time{})
	ahead := fmt.Sprintf("/console/api/policies/%d", publish(w.clock.Now().Add(90*24*time.Hour)))
	maker.refused("POST", "/console/api/policies/1/recall", why, 409, "COM_POLICY_IN_FORCE")
	maker.refused("POST", "/console/api/policies/7/recall", why, 409, "COM_POLICY_MISSING")
	checker.refused("POST", ahead+"/recall", why, 403, "STF_DENIED")
	draft := both.must("POST", ahead+"/recall", why, 201)
	if draft["recall_version"] != 2.0 || draft.text("recall_why") != "日期写错" || draft["policy"] != nil {
		t.Error(draft)
	}
	path := "/console/api/policy-drafts/" + draft.text("id")
	both.refused("POST", path+"/publish", nil, 403, "STF_DRAFT_OWN")
	maker.refused("POST", "/console/api/policies/dry-run", map[string]any{
		"draft": draft.text("id"), "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z",
	}, 404, "STF_DRAFT_NOT_FOUND")
	for range 2 {
		if done := checker.must("POST", path+"/publish", nil, 200); done.text("result") != "policy/2" {
			t.Error(done)
		}
	}
	recalled, _ := maker.must("GET", ahead, nil, 200)["recalled"].(map[string]any)
	if recalled["maker"] != both.operator || recalled["checker"] != checker.operator || recalled["why"] != "日期写错" {
		t.Error(recalled)
	}
	if got := publish(w.clock.Now().Add(30 * 24 * time.Hour)); got != 3 {
		t.Error("published as", got)
	}
}

func TestATaxTableAheadIsRecalledByTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk, checker := w.hire("clerk", staff.Tax), w.hire("checker", staff.FinanceChecker)
	first, _ := clerk.draftTable("一", clerk.proposal("cumulative"))
	checker.must("POST", first+"/publish", nil, 200)
	table := clerk.proposal("per-payment")
	for from, code := range map[string]string{"9999-01-01T00:00:00Z": "TAX_TABLE_FAR", "2020-01-01T00:00:00Z": "TAX_TABLE_PAST"} {
		table["from"] = from
		status := map[string]int{"TAX_TABLE_FAR": 422, "TAX_TABLE_PAST": 409}[code]
		clerk.refused("POST", "/console/api/tax/check", table, status, code)
	}
	table["from"] = w.clock.Now().Add(90 * 24 * time.Hour).Format(time.RFC3339)
	clerk.must("POST", "/console/api/tax/check", table, 200)
	second, _ := clerk.draftTable("二", table)
	checker.must("POST", second+"/publish", nil, 200)
	why := map[string]any{"why": "税率写错"}
	clerk.refused("POST", "/console/api/tax/tables/1/recall", why, 409, "TAX_TABLE_IN_FORCE")
	draft := clerk.must("POST", "/console/api/tax/tables/2/recall", why, 201)
	path := "/console/api/tax-drafts/" + draft.text("id")
	clerk.refused("POST", path+"/publish", nil, 403, "STF_DENIED")
	if done := checker.must("POST", path+"/publish", nil, 200); done.text("result") != "tax-table/2" || draft["recall_version"] != 2.0 {
		t.Error(done)
	}
	if one := clerk.must("GET", "/console/api/tax/tables/2", nil, 200); one["recalled"] == nil {
		t.Error(one)
	}
	table["from"] = w.clock.Now().Add(24 * time.Hour).Format(time.RFC3339)
	third, _ := clerk.draftTable("三", table)
	if done := checker.must("POST", third+"/publish", nil, 200); done.text("result") != "tax-table/3" {
		t.Error(done)
	}
}
