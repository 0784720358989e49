package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/staff"
)

func TestTheFirstDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss, first := w.newcomer("chen", staff.Admin)
	boss.refused("GET", "/console/api/operators", nil, 403, "STF_CHANGE_PASSWORD_FIRST")
	if me := boss.must("GET", "/console/api/me", nil, 200); me["must_change"] != true {
		t.Error(me)
	}
	boss.refused("POST", "/console/api/me/password", map[string]any{"old": "nonsense", "new": ownPassword}, 403, "STF_PASSWORD_WRONG")
	boss.refused("POST", "/console/api/me/password", map[string]any{"old": first, "new": first}, 422, "STF_PASSWORD_SAME")
	boss.must("POST", "/console/api/me/password", map[string]any{"old": first, "new": ownPassword}, 204)
	second := w.hire("zhao", staff.Admin)
	add := map[string]any{"login": "wang", "name": "王芳", "roles": []string{"tax", "finance-maker"}}
	asked := boss.must("POST", "/console/api/operators", add, 202)
	path := "/console/api/operator-drafts/" + asked.text("id")
	boss.refused("POST", path+"/confirm", nil, 403, "STF_DRAFT_OWN")
	added := second.confirms("operator", asked)
	code := added.text("enrolment_code")
	if code == "" || strings.Contains(boss.send("GET", path, nil).body, code) {
		t.Fatal(added)
	}
	if again := second.confirms("operator", asked); again.text("enrolment_code") == "" || again.text("enrolment_code") == code {
		t.Fatal("the answer was lost, and there is no other code:", again)
	} else {
		code = again.text("enrolment_code")
	}
	clerk := &caller{w: w, operator: staff.IDOf("wang"), console: w.console}
	clerk.signIn("wang", code)
	clerk.must("POST", "/console/api/me/password", map[string]any{"old": code, "new": ownPassword}, 204)
	if late := second.confirms("operator", asked); late["enrolment_code"] != nil {
		t.Error("a code for an account that is in use:", late)
	}
	me := clerk.must("GET", "/console/api/me", nil, 200)
	want := answer{
		"operator": clerk.operator, "login": "wang", "name": "王芳", "roles": []any{"finance-maker", "tax"}, "must_change": false,
		"expires_at": "2026-03-02T13:00:00Z",
		"permissions": []any{
			"adjustment.propose", "bond.read", "community.read", "dispute.read", "entry.read", "export.read", "goods.read", "grade.read",
			"hosting.read", "order.read", "payee.read", "payee.set", "policy.draft", "policy.read", "purse.read", "reconcile.run", "task.read", "task.resolve", "tax.draft",
			"tax.read", "withdrawal.read", "withdrawal.stop",
		},
	}
	if diff := cmp.Diff(want, me); diff != "" {
		t.Error(diff)
	}
	clerk.refused("POST", "/console/api/operators", add, 403, "STF_DENIED")
	account := "/console/api/operators/" + clerk.operator
	boss.must("PUT", account+"/roles", map[string]any{"roles": []string{"tax"}}, 200)
	more := boss.must("PUT", account+"/roles", map[string]any{"roles": []string{"auditor"}}, 202)
	clerk.refused("GET", "/console/api/audit", nil, 403, "STF_DENIED")
	second.must("POST", "/console/api/operator-drafts/"+answer(more["draft"].(map[string]any)).text("id")+"/confirm", nil, 200)
	if log := clerk.must("GET", "/console/api/audit", nil, 200); len(log.list("deeds")) == 0 {
		t.Error(log)
	}
	boss.refused("PUT", "/console/api/operators/"+boss.operator+"/roles", map[string]any{"roles": []string{"auditor"}}, 403, "STF_OWN_ACCOUNT")
	boss.must("POST", account+"/disable", nil, 200)
	clerk.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
	boss.refused("POST", account+"/reset-password", nil, 409, "STF_STATE")
	second.confirms("operator", boss.must("POST", account+"/enable", nil, 202))
	reset := second.confirms("operator", boss.must("POST", account+"/reset-password", nil, 202))
	clerk.signIn("wang", reset.text("enrolment_code"))
	boss.refused("PUT", account+"/member", map[string]any{"member": "ghost"}, 404, "CON_MEMBER_NOT_FOUND")
	second.confirms("operator", boss.must("PUT", account+"/member", map[string]any{"member": "alice"}, 202))
	if diff := cmp.Diff([]string{
		"login|done|||", "change-password|done|||", "set-roles|done||finance-maker tax|tax", "disable-operator|done|||disabled",
		"reset-password|refused|STF_STATE||", "login|done|||",
		"link-member|refused|CON_MEMBER_NOT_FOUND||",
	}, w.deeds(staff.SubjectOf(clerk.operator)), sorted()); diff != "" {
		t.Error(diff)
	}
	clerk.must("POST", "/console/api/logout", nil, 204)
	clerk.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
	log := w.deeds(staff.SubjectOf(clerk.operator))
	if !slices.ContainsFunc(log, func(line string) bool { return strings.HasPrefix(line, "logout|done||session ") }) {
		t.Error(log)
	}
}

// One administrator tries to become a maker and two checkers.
func TestOneAdministratorAloneGetsNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	clerk := w.hire("wang", staff.Auditor)
	account := "/console/api/operators/" + clerk.operator
	for _, try := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/console/api/operators", map[string]any{"login": "maker", "name": "n", "roles": []string{"finance-maker"}}},
		{"POST", account + "/reset-password", nil},
		{"POST", account + "/enable", nil},
		{"PUT", account + "/member", map[string]any{"member": "alice"}},
		{"PUT", account + "/roles", map[string]any{"roles": []string{"auditor", "finance-checker"}}},
	} {
		r := boss.send(try.method, try.path, try.body)
		draft := r.answer().text("id")
		if draft == "" {
			draft = answer(r.answer()["draft"].(map[string]any)).text("id")
		}
		if r.status != 202 || strings.Contains(r.body, "enrolment_code") {
			t.Fatal(r)
		}
		boss.refused("POST", "/console/api/operator-drafts/"+draft+"/confirm", nil, 403, "STF_DRAFT_OWN")
	}
	if o, err := w.staff.Operator(t.Context(), clerk.operator); err != nil || o.Member != "" || len(o.Roles) != 1 {
		t.Error(o, err)
	}
	if _, err := w.staff.Operator(t.Context(), staff.IDOf("maker")); err == nil {
		t.Error("the maker exists")
	}
	r := boss.send("PUT", account+"/roles", map[string]any{"roles": []string{"finance-maker"}})
	mine := w.hire("second", staff.Admin)
	mine.must("POST", "/console/api/operator-drafts/"+answer(r.answer()["draft"].(map[string]any)).text("id")+"/refuse", map[string]any{"why": "没有必要"}, 200)
}

// What is refused, taken out of the house, or failed is in the audit log with where it came from.
func TestTheAuditLogKnowsSourcesFailuresAndExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire("boss", staff.Admin)
	clerk := w.hire("tax", staff.Tax)
	reader := w.hire("reader", staff.Auditor)
	w.clock.Advance(time.Minute)
	w.nobody().refused("POST", "/console/api/login", map[string]any{"login": "tax", "password": "nonsense"}, 401, "STF_LOGIN_REFUSED")
	w.nobody().refused("POST", "/console/api/login", map[string]any{"login": "no-such-person", "password": "nonsense"}, 401, "STF_LOGIN_REFUSED")
	clerk.refused("POST", "/console/api/operators", nil, 403, "STF_DENIED")
	clerk.must("GET", "/console/api/tax/filing?year=2026&month=2", nil, 200)
	clerk.must("POST", "/console/api/logout", nil, 204)
	page := reader.must("GET", "/console/api/audit?from=2026-03-02T01:01:00Z", nil, 200)
	var got []string
	for _, d := range page.list("deeds") {
		deed := answer(d.(map[string]any))
		got = append(got, strings.Join([]string{deed.text("by"), deed.text("operation"), deed.text("subject"), deed.text("outcome"), deed.text("code"), deed.text("after")}, "|"))
		signedIn := deed.text("by") != staff.Nobody
		if deed.text("address") != "192.0.2.1" || deed.text("request_id") == "" || (deed.text("session") != "") != signedIn {
			t.Error(deed)
		}
	}
	tax := clerk.operator
	if diff := cmp.Diff([]string{
		"nobody|login|" + staff.SubjectOf(tax) + "|refused|STF_LOGIN_REFUSED|failed 1 times here",
		"nobody|login|login/unknown|refused|STF_LOGIN_REFUSED|failed 1 times here",
		tax + "|add-operator||refused|STF_DENIED|", tax + "|export-filing|filing/2026-02|done||0 lines",
		tax + "|logout|" + staff.SubjectOf(tax) + "|done||",
	}, got, sorted()); diff != "" {
		t.Error(diff)
	}
}

// sorted compares deeds of one moment, whose order is nobody's business.
func sorted() cmp.Option {
	return cmp.Transformer("sorted", func(lines []string) map[string]int {
		counted := map[string]int{}
		for _, l := range lines {
			counted[l]++
		}
		return counted
	})
}

func TestTheAuditLogIsReadByTimeAndNamesPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	other := w.hire("wang", staff.Tax)
	w.clock.Advance(time.Hour)
	boss.must("POST", "/console/api/operators/"+other.operator+"/disable", nil, 200)
	log := boss.must("GET", "/console/api/audit?from=2026-03-02T02:00:00Z&limit=5", nil, 200)
	if len(log.list("deeds")) != 1 {
		t.Fatal(log)
	}
	deed, _ := log.list("deeds")[0].(map[string]any)
	delete(deed, "id")
	if deed["request_id"] == "" {
		t.Error("no request id")
	}
	delete(deed, "request_id")
	delete(deed, "session")
	want := map[string]any{
		"by": boss.operator, "name": "员工chen", "at": "2026-03-02T02:00:00Z", "operation": "disable-operator",
		"subject": "operator/" + other.operator, "after": "disabled", "outcome": "done", "address": "192.0.2.1", "ended_at": "2026-03-02T02:00:00Z",
	}
	if diff := cmp.Diff(want, deed); diff != "" {
		t.Error(diff)
	}
	by := boss.must("GET", "/console/api/audit?by=system", nil, 200)
	if len(by.list("deeds")) != 2 {
		t.Error(by)
	}
	boss.refused("GET", "/console/api/audit?by=system&subject=x", nil, 422, "STF_QUERY_INVALID")
	boss.refused("GET", "/console/api/audit?cursor=nonsense", nil, 422, "STF_QUERY_INVALID")
	boss.refused("GET", "/console/api/audit?from=yesterday", nil, 422, "API_INPUT_INVALID")
}

func TestSessionsAreSeenAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	clerk := w.hire("wang", staff.Tax)
	w.clock.Advance(time.Minute)
	second := &caller{w: w, operator: clerk.operator, console: w.console}
	second.signIn("wang", ownPassword)
	mine := second.must("GET", "/console/api/me/sessions", nil, 200).list("sessions")
	if len(mine) != 2 || mine[0].(map[string]any)["current"] != true || mine[1].(map[string]any)["current"] != nil {
		t.Fatal(mine)
	}
	old, _ := mine[1].(map[string]any)["id"].(string)
	second.must("DELETE", "/console/api/me/sessions/"+old, nil, 204)
	clerk.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
	theirs := boss.must("GET", "/console/api/operators/"+clerk.operator+"/sessions", nil, 200).list("sessions")
	if len(theirs) != 1 {
		t.Fatal(theirs)
	}
	boss.must("DELETE", fmt.Sprintf("/console/api/operators/%s/sessions/%s", clerk.operator, theirs[0].(map[string]any)["id"]), nil, 204)
	second.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
	boss.refused("GET", "/console/api/operators/nobody/sessions", nil, 404, "STF_NOT_FOUND")
}

func TestProposingAnAccountIsRepeatable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	add := map[string]any{"login": "wang", "name": "王芳", "roles": []string{"tax"}}
	one := boss.keyed("key-of-wang", "POST", "/console/api/operators", add)
	two := boss.keyed("key-of-wang", "POST", "/console/api/operators", add)
	if one.status != 202 || one.body != two.body {
		t.Error(one, two)
	}
	add["login"] = "chen"
	boss.refused("POST", "/console/api/operators", add, 409, "STF_LOGIN_TAKEN")
}

func TestBadInputIsRefusedWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	for body, code := range map[string]string{
		`{"login":"secret-x","password":"secret-x","x":1}`:          "API_INPUT_INVALID",
		`{"login":"secret-x"}`:                                      "API_INPUT_INVALID",
		`{"login":"secret-x","password":null}`:                      "API_MALFORMED",
		`{"login":"secret-x","password":"a","password":"secret-x"}`: "API_MALFORMED",
		`{"login":"secret-x","password":"a"} secret-x`:              "API_MALFORMED",
		`secret-x`: "API_MALFORMED",
		`{"login":"secret-x","password":"` + strings.Repeat("secret-x", 9000) + `"}`: "API_TOO_LARGE",
	} {
		r := w.nobody().send("POST", "/console/api/login", body)
		if r.answer().text("code") != code || strings.Contains(r.body, "secret-x") || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.60s: %v", body, r)
		}
	}
	for _, roles := range [][]string{{}, {"owner"}, {"tax", "tax"}} {
		r := boss.send("POST", "/console/api/operators", map[string]any{"login": "wang", "name": "n", "roles": roles})
		if r.status != 422 {
			t.Errorf("%v: %v", roles, r)
		}
	}
	if r := w.nobody().send("GET", "/console/api/nothing", nil); r.status != 404 || r.answer().text("code") != "API_NO_SUCH_OPERATION" {
		t.Error(r)
	}
}

// A write whose beginning cannot be stored does not happen; one whose outcome cannot be stored is not answered, and
// the log says that it began.
func TestNothingHappensUnrecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	clerk := w.hire("wang", staff.Tax)
	disable := func() reply { return boss.send("POST", "/console/api/operators/"+clerk.operator+"/disable", nil) }
	refuse := func(kind docstore.OpKind) func(docstore.Op) docstoretest.Mishap {
		return func(op docstore.Op) docstoretest.Mishap {
			if op.Collection == "deeds" && op.Kind == kind {
				return docstoretest.Refused
			}
			return docstoretest.Fine
		}
	}
	w.flaky.Next = refuse(docstore.Insert)
	if r := disable(); r.status != 503 || r.header.Get("Retry-After") == "" {
		t.Fatal(r)
	}
	if o, err := w.staff.Operator(t.Context(), clerk.operator); err != nil || o.State != staff.Active {
		t.Fatal(o, err)
	}
	w.flaky.Next = refuse(docstore.Replace)
	if r := disable(); r.status != 503 {
		t.Fatal(r)
	}
	w.flaky.Next = nil
	if r := disable(); r.status != 200 {
		t.Fatal(r)
	}
	log := w.deeds(staff.SubjectOf(clerk.operator))
	if diff := cmp.Diff([]string{
		"add-operator|done|||tax", "login|done|||", "change-password|done|||", "disable-operator|begun|||", "disable-operator|done|||disabled",
	}, log, sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestTwoProcessesSeeOneStaff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss, clerk := w.hire("chen", staff.Admin), w.hire("wang", staff.Tax)
	_, second := w.process()
	there := &caller{w: w, operator: clerk.operator, token: clerk.token, console: second}
	there.must("GET", "/console/api/me", nil, 200)
	boss.must("POST", "/console/api/operators/"+clerk.operator+"/disable", nil, 200)
	there.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
}

// gatekeeper lets nobody but one in.
type gatekeeper struct{ asked []string }

func (g *gatekeeper) Allow(_ context.Context, who string, tokens int) (time.Duration, bool) {
	g.asked = append(g.asked, fmt.Sprintf("%s %d", who, tokens))
	return 90 * time.Second, false
}

func TestWhoAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	g := &gatekeeper{}
	w := limitedWorld(t, g)
	r := w.nobody().send("POST", "/console/api/login", map[string]any{"login": "chen", "password": "x"})
	if r.status != 429 || r.header.Get("Retry-After") != "90" || r.answer().text("code") != "API_TOO_MANY" {
		t.Error(r)
	}
	if len(g.asked) != 1 || !strings.HasPrefix(g.asked[0], "address:") || !strings.HasSuffix(g.asked[0], " 4") {
		t.Error(g.asked)
	}
}

func TestTidyForgetsSessionsThatAreOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire("chen", staff.Admin)
	w.clock.Advance(13 * time.Hour)
	if n, err := w.console.Tidy(t.Context()); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestEveryAnswerIsSafeAndHasARequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/console/api/me", "/console/nothing", "/console/openapi.json"} {
		r := w.nobody().send(http.MethodGet, path, nil)
		if r.header.Get("X-Request-Id") == "" || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, r.header)
		}
	}
}
