package console

import (
	"context"
	"fmt"
	"net/http"
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
	add := map[string]any{"login": "wang", "name": "王芳", "roles": []string{"finance-maker", "tax"}}
	added := boss.must("POST", "/console/api/operators", add, 201)
	clerk := &caller{w: w, operator: added.text("id"), console: w.console}
	clerk.signIn("wang", added.text("password"))
	clerk.must("POST", "/console/api/me/password", map[string]any{"old": added.text("password"), "new": ownPassword}, 204)
	me := clerk.must("GET", "/console/api/me", nil, 200)
	want := answer{
		"operator": clerk.operator, "login": "wang", "name": "王芳", "roles": []any{"finance-maker", "tax"}, "must_change": false,
		"expires_at": "2026-03-02T13:00:00Z",
		"permissions": []any{
			"adjustment.propose", "dispute.read", "entry.read", "export.read", "grade.read", "hosting.read", "payee.read", "payee.set",
			"policy.draft", "policy.read", "purse.read", "reconcile.run", "task.read", "task.resolve", "tax.draft", "tax.read",
			"withdrawal.read",
		},
	}
	if diff := cmp.Diff(want, me); diff != "" {
		t.Error(diff)
	}
	clerk.refused("POST", "/console/api/operators", add, 403, "STF_DENIED")
	boss.must("PUT", "/console/api/operators/"+clerk.operator+"/roles", map[string]any{"roles": []string{"auditor"}}, 200)
	if log := clerk.must("GET", "/console/api/audit", nil, 200); len(log.list("deeds")) == 0 {
		t.Error(log)
	}
	boss.refused("PUT", "/console/api/operators/"+boss.operator+"/roles", map[string]any{"roles": []string{"auditor"}}, 403, "STF_OWN_ACCOUNT")
	boss.must("POST", "/console/api/operators/"+clerk.operator+"/disable", nil, 200)
	clerk.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
	boss.refused("POST", "/console/api/operators/"+clerk.operator+"/reset-password", nil, 409, "STF_STATE")
	boss.must("POST", "/console/api/operators/"+clerk.operator+"/enable", nil, 200)
	reset := boss.must("POST", "/console/api/operators/"+clerk.operator+"/reset-password", nil, 200)
	clerk.signIn("wang", reset.text("password"))
	if diff := cmp.Diff([]string{
		"add-operator|done|||finance-maker tax", "login|done|||", "change-password|done|||",
		"set-roles|done||finance-maker tax|auditor", "disable-operator|done|||disabled", "reset-password|refused|STF_STATE||",
		"enable-operator|done|||active", "reset-password|done|||", "login|done|||",
	}, w.deeds(staff.SubjectOf(clerk.operator)), sorted()); diff != "" {
		t.Error(diff)
	}
	clerk.must("POST", "/console/api/logout", nil, 204)
	clerk.refused("GET", "/console/api/me", nil, 401, "STF_SESSION_INVALID")
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
	want := map[string]any{
		"by": boss.operator, "name": "员工chen", "at": "2026-03-02T02:00:00Z", "operation": "disable-operator",
		"subject": "operator/" + other.operator, "after": "disabled", "outcome": "done", "ended_at": "2026-03-02T02:00:00Z",
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

func TestAddingIsRepeatableAndKeepsNoPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.hire("chen", staff.Admin)
	add := map[string]any{"login": "wang", "name": "王芳", "roles": []string{"tax"}}
	one := boss.keyed("key-of-wang", "POST", "/console/api/operators", add)
	two := boss.keyed("key-of-wang", "POST", "/console/api/operators", add)
	if one.status != 201 || two.status != 201 || one.answer().text("id") != two.answer().text("id") ||
		one.answer().text("password") == two.answer().text("password") {
		t.Error(one, two)
	}
	(&caller{w: w, console: w.console}).refused("POST", "/console/api/login",
		map[string]any{"login": "wang", "password": one.answer().text("password")}, 401, "STF_LOGIN_REFUSED")
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
