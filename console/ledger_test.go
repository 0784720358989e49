package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
	"guanxi/staff"
)

// finance is a world with a maker, a checker and somebody who is both.
func finance(t *testing.T) (w *world, maker, checker, both *caller) {
	t.Helper()
	w = newWorld(t)
	maker, checker = w.hire("maker", staff.FinanceMaker), w.hire("checker", staff.FinanceChecker)
	return w, maker, checker, w.hire("both", staff.FinanceMaker, staff.FinanceChecker)
}

// give puts money into a purse by a voucher of two people.
func (w *world) give(maker, checker *caller, member string, amount int64) string {
	w.t.Helper()
	for ; amount > 150_000; amount -= 150_000 { // from 2,000 yuan on it would take a second checker
		w.give(maker, checker, member, 150_000)
	}
	v := maker.must("POST", "/console/api/adjustments", map[string]any{
		"kind": "adjust", "from": "brand:adjustment", "to": "member:" + member + ":available", "amount_fen": amount, "reason": "补发三月佣金",
	}, 201).text("id")
	checker.must("POST", "/console/api/adjustments/"+v+"/approve", map[string]any{"why": "核对无误"}, 200)
	w.sealed()
	return v
}

func (w *world) sealed() {
	w.t.Helper()
	if err := w.ledger.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// lines reads an answer of one document per line.
func (r reply) lines(t *testing.T) []answer {
	t.Helper()
	if r.status != 200 || r.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatal(r)
	}
	var all []answer
	for line := range strings.Lines(r.body) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(line, err)
		}
		all = append(all, a)
	}
	return all
}

func TestWhoMakesAnAdjustmentCannotApproveIt(t *testing.T) {
	t.Parallel()
	w, maker, checker, both := finance(t)
	propose := map[string]any{
		"kind": "adjust", "from": "brand:adjustment", "to": "member:alice:available", "amount_fen": 12_345, "reason": "补发三月佣金",
	}
	one := both.keyed("key-of-one", "POST", "/console/api/adjustments", propose)
	again := both.keyed("key-of-one", "POST", "/console/api/adjustments", propose)
	if one.status != 201 || one.body != again.body {
		t.Fatal(one, again)
	}
	propose["reason"] = "另一个原因"
	if other := both.keyed("key-of-one", "POST", "/console/api/adjustments", propose); other.answer().text("code") != "API_KEY_REUSED" {
		t.Error(other)
	}
	path := "/console/api/adjustments/" + one.answer().text("id")
	maker.refused("POST", path+"/approve", map[string]any{"why": "ok"}, 403, "STF_DENIED")
	both.refused("POST", path+"/approve", map[string]any{"why": "ok"}, 403, "COM_VOUCHER_OWN")
	maker.refused("POST", path+"/withdraw", nil, 403, "CON_NOT_YOURS")
	approved := checker.must("POST", path+"/approve", map[string]any{"why": "核对无误"}, 200)
	if approved.text("state") != "approved" || approved.text("checker") != checker.operator || approved.text("entry") == "" {
		t.Fatal(approved)
	}
	if people, _ := approved["people"].(map[string]any); people[checker.operator] != "员工checker" || people[both.operator] != "员工both" {
		t.Error(approved)
	}
	both.refused("POST", path+"/withdraw", nil, 409, "COM_VOUCHER_DECIDED")
	w.sealed()
	purse := maker.must("GET", "/console/api/purses/alice", nil, 200)
	want := map[string]any{"pending_fen": 0.0, "available_fen": 12_345.0, "withdrawing_fen": 0.0, "withdrawn_fen": 0.0}
	if diff := cmp.Diff(want, purse["balance"]); diff != "" {
		t.Error(diff)
	}
	if lines := maker.must("GET", "/console/api/purses/alice/statement?limit=5", nil, 200).list("lines"); len(lines) != 1 {
		t.Error(lines)
	}
	deeds := w.deeds("adjustment/" + one.answer().text("id"))
	wanted := []string{
		"propose-adjustment|done|||brand:adjustment → member:alice:available 123.45 补发三月佣金",
		"approve-adjustment|refused|COM_VOUCHER_OWN||ok", "withdraw-adjustment|refused|CON_NOT_YOURS||",
		"approve-adjustment|done|||核对无误", "withdraw-adjustment|refused|COM_VOUCHER_DECIDED||",
	}
	if diff := cmp.Diff(wanted, deeds, sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestIncentivesTransfersAndTakingBack(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	wang := w.hire("wang", staff.Tax)
	for _, v := range []map[string]any{
		{"kind": "incentive", "from": "brand:staff-incentive", "to": "staff:" + wang.operator + ":available", "amount_fen": 500, "reason": "四月之星"},
		{"kind": "transfer", "from": "brand:bank", "to": "brand:merchant-balance", "amount_fen": 100_000, "reason": "充值商户余额"},
	} {
		made := maker.must("POST", "/console/api/adjustments", v, 201)
		checker.must("POST", "/console/api/adjustments/"+made.text("id")+"/approve", map[string]any{"why": "ok"}, 200)
	}
	for _, bad := range []map[string]any{
		{"kind": "transfer", "from": "brand:bank", "to": "member:alice:available", "amount_fen": 1, "reason": "不可以"},
		{"kind": "incentive", "from": "brand:bank", "to": "staff:" + wang.operator + ":available", "amount_fen": 1, "reason": "不可以"},
		{"kind": "adjust", "from": "brand:adjustment", "to": "member:alice:withdrawn", "amount_fen": 1, "reason": "不可以"},
	} {
		maker.refused("POST", "/console/api/adjustments", bad, 422, "COM_VOUCHER_INVALID")
	}
	taken := maker.must("POST", "/console/api/adjustments", map[string]any{
		"kind": "transfer", "from": "brand:bank", "to": "brand:payroll", "amount_fen": 1, "reason": "填错了",
	}, 201)
	maker.must("POST", "/console/api/adjustments/"+taken.text("id")+"/withdraw", nil, 200)
	refused := maker.must("POST", "/console/api/adjustments", map[string]any{
		"kind": "transfer", "from": "brand:bank", "to": "brand:payroll", "amount_fen": 2, "reason": "没有依据",
	}, 201)
	checker.must("POST", "/console/api/adjustments/"+refused.text("id")+"/reject", map[string]any{"why": "没有附件"}, 200)
	for state, n := range map[string]int{"proposed": 0, "approved": 2, "rejected": 2} {
		if list := maker.must("GET", "/console/api/adjustments?state="+state, nil, 200).list("adjustments"); len(list) != n {
			t.Errorf("%s: %d", state, len(list))
		}
	}
	w.sealed()
	staffs := maker.must("GET", "/console/api/purses/staff:"+wang.operator, nil, 200)
	if staffs["balance"].(map[string]any)["available_fen"] != 500.0 {
		t.Error(staffs)
	}
}

// sold puts one sale of 40.80 yuan into the ledger: 3.26 for alice, 1.22 for host1.
func (w *world) sold() {
	t := w.t
	t.Helper()
	_, err := w.ledger.Policies.Publish(t.Context(), policy.Policy{
		From: start.Add(-time.Hour), Cap: 2000,
		Rules: []policy.Rule{{Pays: []policy.Pay{{Role: commission.Direct, Rate: 800}, {Role: commission.Host, Rate: 300}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = w.ledger.Accrue(t.Context(), commission.Sale{
		Order: "order1", At: start, Campaign: "c1", Host: "host1",
		Referral: commission.Referral{Policy: "2", Direct: "alice", Why: "first-touch", Share: "sh1", Touch: "to1"},
		Lines:    []commission.SaleLine{{Line: 1, SKU: "s1", Product: "p1", Category: "水果", Units: 2, Paid: 4_080, Cost: 1_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.sealed()
}

func TestAnyEntryIsFoundAndExplained(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	w.sold()
	found := maker.must("GET", "/console/api/entries?about=order1", nil, 200).list("entries")
	if len(found) != 1 {
		t.Fatal(found)
	}
	entry := answer(found[0].(map[string]any))
	if entry.text("id") != "accrue/order1" || len(entry.list("explanations")) != 2 || !strings.Contains(entry.text("text"), "order1") {
		t.Error(entry)
	}
	sum := 0.0
	for _, p := range entry.list("postings") {
		sum += p.(map[string]any)["amount_fen"].(float64)
	}
	if sum != 0 {
		t.Errorf("the postings sum to %v", sum)
	}
	x := checker.must("GET", "/console/api/entries/explanation?entry=accrue/order1&member=alice", nil, 200)
	part := x.list("parts")[0].(map[string]any)
	if !strings.Contains(x.text("sentence"), "3.26") || part["amount_fen"] != 326.0 || x["referral"] == nil || x.text("not_yet") == "" {
		t.Error(x)
	}
	checker.refused("GET", "/console/api/entries/explanation?entry=accrue/order1&member=eve", nil, 404, "COM_ENTRY_NOT_FOUND")
	maker.refused("GET", "/console/api/entries?about=nothing", nil, 404, "COM_ENTRY_NOT_FOUND")
	maker.refused("GET", "/console/api/entries", nil, 422, "API_INPUT_INVALID")
}

func TestADisputeIsAnsweredWithTheEvidence(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	desk := w.hire("desk", staff.Operations)
	v := w.give(maker, checker, "alice", 700)
	d, err := w.ledger.OpenDispute(t.Context(), commission.DisputeInput{Key: "k", Member: "alice", Entry: "adjust/" + v, Words: "为什么只有 7 元？"})
	if err != nil {
		t.Fatal(err)
	}
	open := desk.must("GET", "/console/api/disputes", nil, 200).list("disputes")
	if len(open) != 1 || len(open[0].(map[string]any)["evidence"].([]any)) == 0 {
		t.Fatal(open)
	}
	path := "/console/api/disputes/" + d.ID
	maker.refused("POST", path+"/answer", map[string]any{"state": "upheld", "words": "您是对的"}, 403, "STF_DENIED")
	desk.refused("POST", path+"/answer", map[string]any{"state": "upheld", "words": "您是对的", "voucher": "none"}, 404, "COM_VOUCHER_NOT_FOUND")
	desk.must("POST", path+"/answer", map[string]any{"state": "upheld", "words": "您是对的，已补发", "voucher": v}, 200)
	desk.refused("POST", path+"/answer", map[string]any{"state": "declined", "words": "改主意了"}, 409, "COM_DISPUTE_DECIDED")
	if got := maker.must("GET", path, nil, 200); got.text("state") != "upheld" || got.text("by") != desk.operator {
		t.Error(got)
	}
	if mine := desk.must("GET", "/console/api/disputes?member=alice", nil, 200).list("disputes"); len(mine) != 1 {
		t.Error(mine)
	}
	if diff := cmp.Diff([]string{
		"answer-dispute|refused|COM_VOUCHER_NOT_FOUND||upheld 您是对的", "answer-dispute|done|||upheld 您是对的，已补发",
		"answer-dispute|refused|COM_DISPUTE_DECIDED||declined 改主意了",
	}, w.deeds("dispute/"+d.ID), sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestALargeWithdrawalIsReviewedByTwoPeople(t *testing.T) {
	t.Parallel()
	w, maker, checker, both := finance(t)
	w.give(maker, checker, "alice", 1_000_000)
	w.give(maker, checker, "bob", 100_000)
	name := withdrawal.PayeeInput{Member: "alice", By: "alice", RealName: "艾丽"}
	if _, err := w.payouts.SetPayee(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	ask := func(member string, amount int64) string {
		t.Helper()
		one, err := w.payouts.Ask(t.Context(), withdrawal.AskInput{Key: "key-" + member, Member: member, Amount: money.Fen(amount)})
		if err != nil || one.State != withdrawal.Held {
			t.Fatal(one, err)
		}
		return one.Number()
	}
	large, small := ask("alice", 300_000), ask("bob", 60_000)
	held := checker.must("GET", "/console/api/withdrawals", nil, 200)
	if len(held.list("withdrawals")) != 2 || strings.Contains(fmt.Sprint(held), "艾丽") || strings.Contains(fmt.Sprint(held), "openid") {
		t.Fatal(held)
	}
	path := "/console/api/withdrawals/" + large
	maker.refused("POST", path+"/approve", map[string]any{"why": "ok"}, 403, "STF_DENIED")
	first := checker.keyed("key-of-first", "POST", path+"/approve", map[string]any{"why": "账实相符"}).answer()
	if lost := checker.keyed("key-of-first", "POST", path+"/approve", map[string]any{"why": "账实相符"}); lost.status != 200 {
		t.Error("the repetition after a lost answer:", lost)
	}
	if first.text("state") != "held" || first["needs"] != 2.0 {
		t.Fatal(first)
	}
	checker.refused("POST", path+"/approve", map[string]any{"why": "再一次"}, 403, "WDR_SAME_REVIEWER")
	second := both.must("POST", path+"/approve", map[string]any{"why": "同意"}, 200)
	if second.text("state") != "waiting" || strings.Contains(fmt.Sprint(second), "package") {
		t.Fatal(second)
	}
	rejected := checker.must("POST", "/console/api/withdrawals/"+small+"/reject", map[string]any{"why": "请先补充资料"}, 200)
	if rejected.text("state") != "rejected" {
		t.Fatal(rejected)
	}
	checker.refused("POST", "/console/api/withdrawals/none/approve", map[string]any{"why": "ok"}, 404, "WDR_NOT_FOUND")
	checker.refused("POST", path+"/return", map[string]any{"why": "没有付过"}, 409, "WDR_WRONG_STATE")
	if mine := checker.must("GET", "/console/api/withdrawals?member=alice", nil, 200).list("withdrawals"); len(mine) != 1 {
		t.Error(mine)
	}
	if odd := checker.must("GET", "/console/api/withdrawals?incidents=true", nil, 200).list("withdrawals"); len(odd) != 0 {
		t.Error(odd)
	}
	checker.refused("GET", "/console/api/withdrawals?cursor=nonsense", nil, 422, "API_INPUT_INVALID")
	if statement := maker.must("GET", "/console/api/purses/alice/tax?year=2026", nil, 200); statement["sum"] == nil {
		t.Error(statement)
	}
	if rows := maker.send("GET", "/console/api/tax/filing?year=2026&month=3", nil); rows.status != 200 || rows.body != "" {
		t.Error(rows)
	}
	if diff := cmp.Diff([]string{
		"approve-withdrawal|done|||held: 账实相符", "approve-withdrawal|refused|WDR_SAME_REVIEWER||再一次",
		"approve-withdrawal|done|||waiting: 同意", "return-withdrawal|refused|WDR_WRONG_STATE||没有付过",
	}, w.deeds("withdrawal/"+large), sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestAMonthIsClosedAndExported(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	w.give(maker, checker, "alice", 700)
	checker.refused("POST", "/console/api/periods/2026-03/close", nil, 409, "COM_PERIOD_OPEN")
	checker.refused("GET", "/console/api/periods/2026-03", nil, 404, "CON_PERIOD_NOT_FOUND")
	checker.refused("POST", "/console/api/periods/2026-3x/close", nil, 422, "API_INPUT_INVALID")
	w.clock.Set(time.Date(2026, 4, 1, 1, 0, 0, 0, time.UTC))
	maker.signIn("maker", ownPassword)
	checker.signIn("checker", ownPassword)
	maker.refused("POST", "/console/api/periods/2026-03/close", nil, 403, "STF_DENIED")
	closed := checker.must("POST", "/console/api/periods/2026-03/close", nil, 200)
	if closed.text("by") != checker.operator || closed["entries"] != 1.0 {
		t.Fatal(closed)
	}
	sum := 0.0
	for _, a := range closed.list("accounts") {
		sum += a.(map[string]any)["closing_fen"].(float64)
	}
	if sum != 0 || len(closed.list("accounts")) != 2 {
		t.Errorf("the trial balance sums to %v: %v", sum, closed)
	}
	if list := maker.must("GET", "/console/api/periods", nil, 200).list("periods"); len(list) != 1 {
		t.Error(list)
	}
	if list := maker.must("GET", "/console/api/periods/2026-03/statements", nil, 200).list("statements"); len(list) != 1 {
		t.Error(list)
	}
	alice := maker.must("GET", "/console/api/periods/2026-03/statements/alice", nil, 200)
	if alice["closing"].(map[string]any)["available_fen"] != 700.0 {
		t.Error(alice)
	}
	exported := maker.send("GET", "/console/api/periods/2026-03/entries", nil).lines(t)
	if len(exported) != 1 || exported[0]["entry"].(map[string]any)["kind"] != "adjust" {
		t.Error(exported)
	}
	maker.refused("GET", "/console/api/periods/2026-02/entries", nil, 404, "CON_PERIOD_NOT_FOUND")
}

func TestTheBookIsVerifiedLineByLine(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	w.give(maker, checker, "alice", 700)
	lines := maker.send("POST", "/console/api/verify", nil).lines(t)
	report, _ := lines[len(lines)-1]["report"].(map[string]any)
	if report["good"] != true || report["entries"] != 1.0 || report["purses"] != 1.0 {
		t.Error(lines)
	}
	w.console.long <- struct{}{}
	maker.refused("POST", "/console/api/verify", nil, 429, "CON_BUSY")
	<-w.console.long
	if list := maker.must("GET", "/console/api/checkpoints", nil, 200); list["checkpoints"] == nil {
		t.Error(list)
	}
}

func policyBodyOf(rate int) map[string]any {
	return map[string]any{"cap_bp": 2000, "note": "五月起", "rules": []any{
		map[string]any{"pays": []any{map[string]any{"role": "direct", "rate_bp": rate}}},
		map[string]any{"category": "水果", "pays": []any{}},
	}}
}

func TestAPolicyIsDraftedByOneAndPublishedByAnother(t *testing.T) {
	t.Parallel()
	w, maker, checker, both := finance(t)
	checked := maker.must("POST", "/console/api/policies/check", policyBodyOf(800), 200)
	if diff := cmp.Diff([]any{"default", "category:水果"}, checked["rules"]); diff != "" {
		t.Error(diff)
	}
	recruiting := policyBodyOf(800)
	recruiting["rules"].([]any)[0].(map[string]any)["pays"] = []any{map[string]any{"role": "recruiting-bonus", "fixed_fen": 100}}
	maker.refused("POST", "/console/api/policies/check", recruiting, 422, "COM_POLICY_RECRUITING")
	maker.refused("POST", "/console/api/policy-drafts", map[string]any{"title": "拉人奖励", "policy": recruiting}, 422, "COM_POLICY_RECRUITING")
	draft := both.must("POST", "/console/api/policy-drafts", map[string]any{"title": "五月规则", "policy": policyBodyOf(800)}, 201)
	path := "/console/api/policy-drafts/" + draft.text("id")
	maker.refused("POST", path+"/publish", nil, 403, "STF_DENIED")
	both.refused("POST", path+"/publish", nil, 403, "STF_DRAFT_OWN")
	maker.refused("POST", path+"/withdraw", nil, 403, "CON_NOT_YOURS")
	published := checker.must("POST", path+"/publish", nil, 200)
	if published.text("state") != "taken" || published.text("result") != "policy/1" {
		t.Fatal(published)
	}
	if again := checker.must("POST", path+"/publish", nil, 200); again.text("result") != "policy/1" {
		t.Error(again)
	}
	one := maker.must("GET", "/console/api/policies/1", nil, 200)
	if one.text("by") != checker.operator || len(one.list("rules")) != 2 || one["cap_bp"] != 2000.0 || one["margin_floor_bp"] != nil {
		t.Error(one)
	}
	maker.refused("GET", "/console/api/policies/2", nil, 404, "CON_POLICY_NOT_FOUND")
	if all := maker.must("GET", "/console/api/policies", nil, 200).list("policies"); len(all) != 1 {
		t.Error(all)
	}
	digest := regexp.MustCompile("sha256:[0-9a-f]{24}")
	log := strings.Split(digest.ReplaceAllString(strings.Join(w.deeds("draft/"+draft.text("id")), "\n"), "(digest)"), "\n")
	if diff := cmp.Diff([]string{
		"draft-policy|done||" + "|(digest)", "publish-policy|refused|STF_DRAFT_OWN||", "withdraw-draft|refused|CON_NOT_YOURS||",
		"publish-policy|done||(digest)|policy/1", "publish-policy|done|||",
	}, log, sorted()); diff != "" {
		t.Error(diff)
	}
	late := policyBodyOf(500)
	late["from"] = "2026-01-01T00:00:00Z"
	old := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": "太早", "policy": late}, 201)
	checker.refused("POST", "/console/api/policy-drafts/"+old.text("id")+"/publish", nil, 422, "COM_POLICY_PAST")
	if back := maker.must("GET", "/console/api/policy-drafts", nil, 200).list("drafts"); len(back) != 1 {
		t.Error("a refused draft is not open again:", back)
	}
	checker.must("POST", "/console/api/policy-drafts/"+old.text("id")+"/refuse", map[string]any{"why": "生效时间太早"}, 200)
	checker.refused("POST", "/console/api/policy-drafts/"+old.text("id")+"/publish", nil, 409, "STF_DRAFT_STATE")
}

// A checker who died between publishing and saying so makes no second version.
func TestAPublicationIsFinishedByItsRepetition(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	publish := func(title string, rate int) (string, answer) {
		draft := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": title, "policy": policyBodyOf(rate)}, 201)
		return "/console/api/policy-drafts/" + draft.text("id"), draft
	}
	first, draft := publish("一", 800)
	rules := PolicyRules{}
	raw, err := json.Marshal(draft["policy"])
	if err == nil {
		err = json.Unmarshal(raw, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.staff.TakeDraft(t.Context(), draft.text("id"), checker.operator); err != nil {
		t.Fatal(err)
	}
	p := rules.policy()
	p.By, p.Note = checker.operator, p.Note+"（草稿 "+draft.text("id")+"）"
	if _, err := w.ledger.Policies.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	second, _ := publish("二", 700)
	checker.must("POST", second+"/publish", nil, 200)
	if done := checker.must("POST", first+"/publish", nil, 200); done.text("result") != "policy/1" {
		t.Error(done)
	}
	if all := maker.must("GET", "/console/api/policies", nil, 200).list("policies"); len(all) != 2 {
		t.Error(all)
	}
}

func TestADifferenceIsResolvedWithWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk, reader := w.hire("desk", staff.Operations), w.hire("reader", staff.Auditor)
	w.clock.Advance(4 * time.Hour)
	for range 3 {
		if _, err := w.reconcile.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run := reader.must("GET", "/console/api/reconcile/runs/trade/2026-03-01", nil, 200)
	if run.text("state") != "differing" || run["differences"] != 1.0 {
		t.Fatal(run)
	}
	tasks := reader.must("GET", "/console/api/reconcile/tasks", nil, 200).list("tasks")
	if len(tasks) != 1 {
		t.Fatal(tasks)
	}
	task := answer(tasks[0].(map[string]any))
	if task.text("difference") != "missing-ours" || task.text("number") != "stray1" || task.text("sentence") == "" {
		t.Error(task)
	}
	path := "/console/api/reconcile/tasks/" + task.text("id")
	reader.refused("POST", path+"/resolve", map[string]any{"words": "线下收款"}, 403, "STF_DENIED")
	desk.must("POST", path+"/resolve", map[string]any{"words": "线下收款，已补录"}, 200)
	if run = reader.must("GET", "/console/api/reconcile/runs/trade/2026-03-01", nil, 200); run.text("state") != "resolved" {
		t.Error(run)
	}
	if list := reader.must("GET", "/console/api/reconcile/runs?statement=trade", nil, 200).list("runs"); len(list) == 0 {
		t.Error(list)
	}
	if list := reader.must("GET", "/console/api/reconcile/runs/trade/2026-03-01/tasks", nil, 200).list("tasks"); len(list) != 1 {
		t.Error(list)
	}
	lines := reader.send("GET", "/console/api/reconcile/runs/trade/2026-03-01/lines", nil).lines(t)
	if len(lines) != 1 || lines[0]["line"].(map[string]any)["amount_fen"] != 990.0 {
		t.Error(lines)
	}
	desk.must("POST", "/console/api/reconcile/runs/trade/2026-03-01/again", nil, 200)
	desk.refused("POST", "/console/api/reconcile/runs/trade/2026-03-02/again", nil, 409, "REC_TOO_EARLY")
	desk.refused("GET", "/console/api/reconcile/runs/coins/2026-03-02", nil, 422, "API_INPUT_INVALID")
}

func TestADraftIsTriedOnThePast(t *testing.T) {
	t.Parallel()
	w, maker, checker, _ := finance(t)
	w.sold()
	w.clock.Advance(time.Hour)
	ask := map[string]any{"policy": policyBodyOf(500), "from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
	lines := maker.send("POST", "/console/api/policies/dry-run", ask).lines(t)
	result, _ := lines[len(lines)-1]["result"].(map[string]any)
	want := map[string]any{"old_fen": 448.0, "new_fen": 0.0, "change_fen": -448.0, "sales": 1.0}
	if diff := cmp.Diff(want, result["total"]); diff != "" {
		t.Error(diff)
	}
	if rows := answer(result["beneficiaries"].(map[string]any)).list("rows"); len(rows) != 2 || rows[0].(map[string]any)["name"] != "alice" {
		t.Error(rows)
	}
	draft := maker.must("POST", "/console/api/policy-drafts", map[string]any{"title": "五月规则", "policy": policyBodyOf(500)}, 201)
	stored := map[string]any{"draft": draft.text("id"), "from": ask["from"], "to": ask["to"]}
	again := checker.send("POST", "/console/api/policies/dry-run", stored).lines(t)
	if diff := cmp.Diff(result, again[len(again)-1]["result"]); diff != "" {
		t.Error(diff)
	}
	if all := maker.must("GET", "/console/api/policies", nil, 200).list("policies"); len(all) != 1 {
		t.Error("a dry run published:", all)
	}
	for _, bad := range []struct {
		change func(map[string]any)
		status int
		code   string
	}{
		{func(a map[string]any) { delete(a, "policy") }, 422, "API_INPUT_INVALID"},
		{func(a map[string]any) { a["draft"] = "x" }, 422, "API_INPUT_INVALID"},
		{func(a map[string]any) { delete(a, "policy"); a["draft"] = "x" }, 404, "STF_DRAFT_NOT_FOUND"},
		{func(a map[string]any) { a["to"] = "2028-01-01T00:00:00Z" }, 422, "API_INPUT_INVALID"},
		{func(a map[string]any) { a["to"] = a["from"] }, 422, "COM_PERIOD_INVALID"},
		{func(a map[string]any) { a["policy"] = nil }, 422, "API_MALFORMED"},
	} {
		broken := maps.Clone(ask)
		bad.change(broken)
		r := maker.send("POST", "/console/api/policies/dry-run", broken)
		if r.status != bad.status || r.answer().text("code") != bad.code {
			t.Errorf("%v: %v; want %d %s", broken, r, bad.status, bad.code)
		}
	}
}
