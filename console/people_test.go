package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/console/room"
	"guanxi/staff"
)

func TestThePayeesKindIsSetWithAReasonAndTheRestIsMasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk, checker := w.hire("clerk", staff.Tax), w.hire("checker", staff.FinanceChecker)
	const name, paper = "艾丽雅", "110101199003070038"
	in := withdrawal.PayeeInput{Member: "alice", By: "alice", RealName: name, IDNumber: paper}
	if _, err := w.payouts.SetPayee(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	seen := checker.must("GET", "/console/api/purses/alice/payee", nil, 200)
	want := answer{
		"member": "alice", "kind": "resident", "real_name": "**雅", "id_number": "**************0038", "by": "alice",
		"changed_at": "2026-03-02T01:00:00Z", "nicknames": map[string]any{"alice": "艾**"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	path, set := "/console/api/purses/alice/payee-kind", map[string]any{"kind": "business", "reason": "有营业执照"}
	checker.refused("PUT", path, set, 403, "STF_DENIED")
	clerk.refused("PUT", path, map[string]any{"kind": "business"}, 422, "API_INPUT_INVALID")
	clerk.refused("PUT", path, map[string]any{"kind": "robot", "reason": "没有"}, 422, "API_INPUT_INVALID")
	asked := clerk.must("PUT", path, set, 202)
	if seen := checker.must("GET", "/console/api/purses/alice/payee", nil, 200); seen.text("kind") != "resident" {
		t.Error("proposed is not decided:", seen)
	}
	clerk.refused("POST", "/console/api/payee-drafts/"+asked.text("id")+"/confirm", nil, 403, "STF_DENIED")
	if done := checker.confirms("payee", asked); done.text("state") != "taken" || done.text("result") != "payee/alice" {
		t.Error(done)
	}
	r := checker.send("GET", "/console/api/purses/alice/payee", nil)
	after := r.answer()
	if r.status != 200 || after.text("kind") != "business" || after.text("by") != clerk.operator ||
		after["people"].(map[string]any)[clerk.operator] != "员工clerk" || strings.Contains(r.body, "艾丽") || strings.Contains(r.body, "1101") {
		t.Error(r)
	}
	kept, err := w.payouts.Payee(t.Context(), "alice")
	if err != nil || kept.Kind != tax.Business || kept.RealName.Reveal() != name || kept.IDNumber.Reveal() != paper {
		t.Error("the particulars changed:", kept.Kind, err)
	}
	clerk.refused("PUT", "/console/api/purses/nobody/payee-kind", set, 404, "CON_MEMBER_NOT_FOUND")
	clerk.refused("PUT", "/console/api/purses/staff:somebody/payee-kind", set, 404, "CON_MEMBER_NOT_FOUND")
	clerk.refused("PUT", "/console/api/purses/staff:"+clerk.operator+"/payee-kind", set, 403, "CON_BENEFIT")
	own := clerk.must("PUT", "/console/api/purses/staff:"+checker.operator+"/payee-kind", set, 202)
	checker.refused("POST", "/console/api/payee-drafts/"+own.text("id")+"/confirm", nil, 403, "CON_BENEFIT")
	if _, err := w.staff.Link(t.Context(), staff.Machine(), checker.operator, "bob"); err != nil {
		t.Fatal(err)
	}
	bob := clerk.must("PUT", "/console/api/purses/bob/payee-kind", set, 202)
	checker.refused("POST", "/console/api/payee-drafts/"+bob.text("id")+"/confirm", nil, 403, "CON_BENEFIT")
	if diff := cmp.Diff([]string{
		"set-payee-kind|done|||认定 alice 为 business：有营业执照", "confirm-payee-draft|done||D|payee/alice",
	}, w.digested("draft/"+asked.text("id")), sorted()); diff != "" {
		t.Error(diff)
	}
	if fresh := checker.must("GET", "/console/api/purses/bob/payee", nil, 200); fresh.text("kind") != "resident" || fresh["real_name"] != nil {
		t.Error(fresh)
	}
}

func TestAHostIsGradedWithAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, reader := w.hire("desk", staff.Operations), w.hire("reader", staff.Auditor)
	path := "/console/api/hosts/host1/grade"
	if none := reader.must("GET", path, nil, 200); none["grade"] != "" || len(none.list("history")) != 0 {
		t.Error(none)
	}
	gold := map[string]any{"grade": "gold", "reason": "一季度销售第一"}
	reader.refused("PUT", path, gold, 403, "STF_DENIED")
	for _, bad := range []map[string]any{{"grade": "Gold", "reason": "大写"}, {"grade": "gold"}, {"reason": "没有等级"}} {
		desk.refused("PUT", path, bad, 422, "API_INPUT_INVALID")
	}
	desk.refused("PUT", "/console/api/hosts/nobody/grade", gold, 404, "CON_MEMBER_NOT_FOUND")
	checker := w.hire("checker", staff.FinanceChecker)
	golden := desk.must("PUT", path, gold, 202)
	silver := desk.must("PUT", path, map[string]any{"grade": "silver", "reason": "另一个意见"}, 202)
	if none := reader.must("GET", path, nil, 200); none["grade"] != "" {
		t.Error("proposed is not decided:", none)
	}
	checker.confirms("grade", golden)
	checker.refused("POST", "/console/api/grade-drafts/"+silver.text("id")+"/confirm", nil, 409, "CON_STALE")
	w.clock.Advance(time.Minute)
	checker.confirms("grade", desk.must("PUT", path, map[string]any{"grade": "", "reason": "退出团长"}, 202))
	want := answer{
		"host": "host1", "grade": "", "people": map[string]any{desk.operator: "员工desk"}, "nicknames": map[string]any{"host1": "**"},
		"history": []any{
			map[string]any{"grade": "", "was": "gold", "by": desk.operator, "reason": "退出团长", "at": "2026-03-02T01:01:00Z"},
			map[string]any{"grade": "gold", "was": "", "by": desk.operator, "reason": "一季度销售第一", "at": "2026-03-02T01:00:00Z"},
		},
	}
	if diff := cmp.Diff(want, reader.must("GET", path, nil, 200)); diff != "" {
		t.Error(diff)
	}
	if grade, err := w.hosts.Grade(t.Context(), "host1"); err != nil || grade != "" {
		t.Error(grade, err)
	}
}

// digested are the deeds with "D" for every digest.
func (w *world) digested(subject string) []string {
	lines := w.deeds(subject)
	for i, line := range lines {
		parts := strings.Split(line, "|")
		for j, p := range parts {
			if strings.HasPrefix(p, "sha256:") {
				parts[j] = "D"
			}
		}
		lines[i] = strings.Join(parts, "|")
	}
	return lines
}

func TestALostTransferIsDeclaredByTwoPeople(t *testing.T) {
	t.Parallel()
	w, maker, checker, both := finance(t)
	w.give(maker, checker, "alice", 100_000)
	asked, err := w.payouts.Ask(t.Context(), withdrawal.AskInput{Key: "key-alice", Member: "alice", Amount: 10_000})
	if err != nil || asked.State != withdrawal.Waiting {
		t.Fatal(asked, err)
	}
	path, words := "/console/api/withdrawals/"+asked.Number()+"/declare-lost", map[string]any{"why": "三天账单中均无此单"}
	checker.refused("POST", path, words, 409, "WDR_WRONG_STATE") // the platform may still know it
	counts := func() string {
		var text []string
		for _, c := range maker.must("GET", "/console/api/withdrawal-counts", nil, 200).list("counts") {
			text = append(text, fmt.Sprint(c.(map[string]any)["state"], " ", c.(map[string]any)["count"]))
		}
		return strings.Join(text, ", ")
	}
	if got := counts(); got != "asked 0, held 0, approved 0, sent 0, waiting 1" {
		t.Error(got)
	}
	w.clock.Advance(3 * time.Minute)
	if _, err := w.payouts.Tend(t.Context()); err != nil { // the platform has forgotten it
		t.Fatal(err)
	}
	maker.refused("POST", path, words, 403, "STF_DENIED")
	first := checker.must("POST", path, words, 200)
	if first.text("state") != "waiting" || len(first.list("lost")) != 1 {
		t.Fatal(first)
	}
	list := maker.must("GET", "/console/api/withdrawal-incidents", nil, 200)
	odd := answer(list.list("withdrawals")[0].(map[string]any))
	if odd.text("number") != asked.Number() || odd.list("incidents")[0].(map[string]any)["kind"] != "forgotten" || len(odd.list("lost")) != 1 ||
		list["people"].(map[string]any)[checker.operator] != "员工checker" || list["nicknames"].(map[string]any)["alice"] != "艾**" {
		t.Error(list)
	}
	checker.refused("POST", path, words, 403, "WDR_SAME_REVIEWER")
	second := both.must("POST", path, words, 200)
	if second.text("state") != "failed" || len(second.list("lost")) != 2 {
		t.Fatal(second)
	}
	if got := counts(); got != "asked 0, held 0, approved 0, sent 0, waiting 0" {
		t.Error(got)
	}
	w.sealed()
	if purse := maker.must("GET", "/console/api/purses/alice", nil, 200); purse["balance"].(map[string]any)["available_fen"] != 100_000.0 {
		t.Error(purse)
	}
	if diff := cmp.Diff([]string{
		"declare-withdrawal-lost|refused|WDR_WRONG_STATE||三天账单中均无此单", "declare-withdrawal-lost|done|||waiting: 三天账单中均无此单",
		"declare-withdrawal-lost|refused|WDR_SAME_REVIEWER||三天账单中均无此单", "declare-withdrawal-lost|done|||failed: 三天账单中均无此单",
	}, w.deeds("withdrawal/"+asked.Number()), sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestMembersAreShownByTheirMaskedNicknames(t *testing.T) {
	t.Parallel()
	w, maker, _, _ := finance(t)
	w.sold()
	want := map[string]any{"alice": "艾**", "host1": "**"}
	if diff := cmp.Diff(want, maker.must("GET", "/console/api/entries?about=order1", nil, 200)["nicknames"]); diff != "" {
		t.Error(diff)
	}
	x := maker.must("GET", "/console/api/entries/explanation?entry=accrue/order1&member=alice", nil, 200)
	if diff := cmp.Diff(any(map[string]any{"alice": "艾**"}), x["nicknames"]); diff != "" {
		t.Error(diff)
	}
	for path, nickname := range map[string]any{
		"purses/alice": "艾**", "purses/alice/statement": "艾**", "purses/bob": "微信用户", "purses/staff:wang": nil, "purses/eve": nil,
	} {
		if got := maker.must("GET", "/console/api/"+path, nil, 200)["nickname"]; got != nickname {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestMasksHide(t *testing.T) {
	t.Parallel()
	for _, m := range []struct{ got, want string }{
		{room.MaskName(""), "**"},
		{room.MaskName("王"), "**"},
		{room.MaskName("王芳"), "王**"},
		{room.MaskName("艾丽丝的店"), "艾**"},
		{room.MaskName("微信用户"), "微信用户"},
		{maskEnd("", 4), ""},
		{maskEnd("王", 1), "*"},
		{maskEnd("王芳", 1), "*芳"},
		{maskEnd("E1234", 4), "***34"},
		{maskEnd("110101199003070038", 4), "**************0038"},
	} {
		if m.got != m.want {
			t.Errorf("%q, want %q", m.got, m.want)
		}
	}
}
