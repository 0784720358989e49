package console

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/tax"
	"guanxi/staff"
)

// proposal is a built-in table as the console gives it, to be sent back as a draft.
func (c *caller) proposal(id string) map[string]any {
	c.w.t.Helper()
	for _, p := range c.must("GET", "/console/api/tax/proposals", nil, 200).list("proposals") {
		if one := p.(map[string]any); one["id"] == id {
			return one["table"].(map[string]any)
		}
	}
	c.w.t.Fatal("no proposal", id)
	return nil
}

func (c *caller) draftTable(title string, table map[string]any) (path, id string) {
	c.w.t.Helper()
	id = c.must("POST", "/console/api/tax-drafts", map[string]any{"title": title, "table": table}, 201).text("id")
	return "/console/api/tax-drafts/" + id, id
}

func TestTheProposalsAreTheOfficialTables(t *testing.T) {
	t.Parallel()
	clerk := newWorld(t).hire("clerk", staff.Tax)
	for id, want := range map[string]tax.Table{
		"per-payment": tax.PerPaymentTable(), "cumulative": tax.CumulativeTable(), "off": tax.OffTable(),
	} {
		raw, err := json.Marshal(clerk.proposal(id))
		if err != nil {
			t.Fatal(err)
		}
		var rules TaxRules
		if err := json.Unmarshal(raw, &rules); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rules.table(), cmp.AllowUnexported(tax.Table{}.Doc)); diff != "" {
			t.Errorf("%s changed on its way: %s", id, diff)
		}
	}
}

func TestATaxTableIsDraftedByOneAndPublishedByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk, checker := w.hire("clerk", staff.Tax), w.hire("checker", staff.FinanceChecker)
	both, maker := w.hire("both", staff.Tax, staff.FinanceChecker), w.hire("maker", staff.FinanceMaker)
	if none := maker.must("GET", "/console/api/tax/tables", nil, 200); none["in_force"] != 0.0 || len(none.list("tables")) != 0 {
		t.Error(none)
	}
	if off := maker.must("GET", "/console/api/tax/tables/0", nil, 200); off["in_force"] != true || off.text("name") != "不代扣" {
		t.Error(off)
	}
	maker.refused("POST", "/console/api/tax-drafts", map[string]any{"title": "t", "table": maker.proposal("off")}, 403, "STF_DENIED")
	crooked := clerk.proposal("per-payment")
	crooked["rules"].([]any)[0].(map[string]any)["small_deduction_fen"] = 1
	clerk.refused("POST", "/console/api/tax-drafts", map[string]any{"title": "t", "table": crooked}, 422, "TAX_BAD_TABLE")
	path, draft := both.draftTable("累计预扣", both.proposal("cumulative"))
	clerk.refused("POST", path+"/publish", nil, 403, "STF_DENIED")
	both.refused("POST", path+"/publish", nil, 403, "STF_DRAFT_OWN")
	clerk.refused("POST", path+"/withdraw", nil, 403, "CON_NOT_YOURS")
	published := checker.must("POST", path+"/publish", nil, 200)
	if published.text("state") != "taken" || published.text("result") != "tax-table/1" || published["table"] == nil {
		t.Fatal(published)
	}
	if again := checker.must("POST", path+"/publish", nil, 200); again.text("result") != "tax-table/1" {
		t.Error(again)
	}
	one := maker.must("GET", "/console/api/tax/tables/1", nil, 200)
	if one.text("by") != checker.operator || one.text("draft") != draft || one["in_force"] != true || len(one.list("rules")) != 3 {
		t.Error(one)
	}
	w.clock.Advance(time.Minute)
	later := clerk.proposal("per-payment")
	later["from"] = "2026-04-01T00:00:00+08:00"
	path, _ = clerk.draftTable("四月起按次", later)
	checker.must("POST", path+"/publish", nil, 200)
	all := maker.must("GET", "/console/api/tax/tables", nil, 200)
	if all["in_force"] != 1.0 || len(all.list("tables")) != 2 || all.list("tables")[0].(map[string]any)["number"] != 2.0 {
		t.Error(all)
	}
	later["from"] = "2026-03-20T00:00:00+08:00"
	path, _ = clerk.draftTable("太早", later)
	checker.refused("POST", path+"/publish", nil, 409, "TAX_TABLE_PAST")
	if open := maker.must("GET", "/console/api/tax-drafts", nil, 200).list("drafts"); len(open) != 1 {
		t.Error("a refused draft is not open again:", open)
	}
	checker.must("POST", path+"/refuse", map[string]any{"why": "生效时间太早"}, 200)
	path, _ = clerk.draftTable("填错了", clerk.proposal("off"))
	if gone := clerk.must("POST", path+"/withdraw", nil, 200); gone.text("state") != "dropped" {
		t.Error(gone)
	}
	maker.refused("GET", "/console/api/tax/tables/3", nil, 404, "TAX_TABLE_MISSING")
	digest := regexp.MustCompile("sha256:[0-9a-f]{24}")
	log := strings.Split(digest.ReplaceAllString(strings.Join(w.deeds("draft/"+draft), "\n"), "(digest)"), "\n")
	if diff := cmp.Diff([]string{
		"draft-tax-table|done|||(digest)", "publish-tax-table|refused|STF_DRAFT_OWN||", "withdraw-tax-draft|refused|CON_NOT_YOURS||",
		"publish-tax-table|done||(digest)|tax-table/1", "publish-tax-table|done|||",
	}, log, sorted()); diff != "" {
		t.Error(diff)
	}
}

// A checker who died between publishing and saying so makes no second version.
func TestATaxPublicationIsFinishedByItsRepetition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk, checker := w.hire("clerk", staff.Tax), w.hire("checker", staff.FinanceChecker)
	first, draft := clerk.draftTable("一", clerk.proposal("cumulative"))
	if _, err := w.staff.TakeDraft(t.Context(), draft, checker.operator); err != nil {
		t.Fatal(err)
	}
	table := tax.CumulativeTable()
	table.By, table.Draft = checker.operator, draft
	if _, err := w.taxes.Publish(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	second, _ := clerk.draftTable("二", clerk.proposal("off"))
	checker.must("POST", second+"/publish", nil, 200)
	if done := checker.must("POST", first+"/publish", nil, 200); done.text("result") != "tax-table/1" {
		t.Error(done)
	}
	if all := clerk.must("GET", "/console/api/tax/tables", nil, 200).list("tables"); len(all) != 2 {
		t.Error(all)
	}
}

// Each kind of draft has permissions of its own, so none is reached by the other's way.
func TestADraftIsFoundOnlyUnderItsKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk, checker := w.hire("clerk", staff.Tax), w.hire("checker", staff.FinanceChecker)
	maker := w.hire("maker", staff.FinanceMaker)
	_, table := clerk.draftTable("税表", clerk.proposal("off"))
	policy := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": "规则", "policy": policyBodyOf(800)}, 201).text("id")
	for path, withdraw := range map[string]*caller{"/console/api/policy-drafts/" + table: maker, "/console/api/tax-drafts/" + policy: clerk} {
		checker.refused("GET", path, nil, 404, "STF_DRAFT_NOT_FOUND")
		checker.refused("POST", path+"/publish", nil, 404, "STF_DRAFT_NOT_FOUND")
		checker.refused("POST", path+"/refuse", map[string]any{"why": "不对"}, 404, "STF_DRAFT_NOT_FOUND")
		withdraw.refused("POST", path+"/withdraw", nil, 404, "STF_DRAFT_NOT_FOUND")
	}
	checker.refused("POST", "/console/api/policies/dry-run", map[string]any{
		"draft": table, "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z",
	}, 404, "STF_DRAFT_NOT_FOUND")
	for _, list := range []string{"policy-drafts", "tax-drafts"} {
		if open := checker.must("GET", "/console/api/"+list, nil, 200).list("drafts"); len(open) != 1 {
			t.Errorf("%s: %v", list, open)
		}
	}
}
