package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/goldentest"
	"guanxi/staff"
)

// target is a path of the operation with made-up ids.
func target(op edge.Operation) string {
	made := strings.NewReplacer("{month}", "2026-02", "{day}", "2026-03-01", "{statement}", "trade").Replace(op.Path)
	return regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(made, "1")
}

// TestWhoMayDoWhat walks every operation as everybody.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fresh, _ := w.newcomer("newcomer", staff.Roles()...)
	gone := w.hire("gone", staff.Roles()...)
	if _, err := w.staff.Disable(t.Context(), staff.System, gone.operator); err != nil {
		t.Fatal(err)
	}
	forger := &caller{w: w, token: strings.Repeat("A", 43), console: w.console}
	people := map[staff.Role]*caller{}
	for _, role := range staff.Roles() {
		people[role] = w.hire(string(role), role)
	}
	for _, op := range w.console.Operations() {
		if op.Open {
			continue
		}
		refuse := func(c *caller, status int, code string) {
			t.Helper()
			w.clock.Advance(time.Millisecond)
			before := w.countDeeds()
			r := c.send(op.Method, target(op), nil)
			if r.status != status || r.answer().text("code") != code {
				t.Errorf("%s: %v; want %d %s", op.ID, r, status, code)
			}
			if r.status == 401 && r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", op.ID)
			}
			// Who is known and refused is in the audit log; who is not known is not.
			if left := w.countDeeds() - before; left != map[int]int{401: 0, 403: 1}[status] {
				t.Errorf("%s: a refusal with %d at the door left %d deeds", op.ID, status, left)
			}
		}
		refuse(w.nobody(), 401, "API_LOGIN_REQUIRED")
		refuse(forger, 401, "STF_SESSION_INVALID")
		refuse(gone, 401, "STF_SESSION_INVALID")
		if op.Permission != own {
			refuse(fresh, 403, "STF_CHANGE_PASSWORD_FIRST")
		}
		for _, role := range staff.Roles() {
			c := people[role]
			if op.Permission != own && !staff.Allowed([]staff.Role{role}, staff.Permission(op.Permission)) {
				refuse(c, 403, "STF_DENIED")
				continue
			}
			r := c.send(op.Method, target(op), nil)
			if r.status == 401 || r.status == 403 && r.answer().text("code") == "STF_DENIED" || r.status >= 500 {
				t.Errorf("%s as %s: %v", op.ID, role, r)
			}
			if op.ID == "logout" {
				c.signIn(string(role), ownPassword)
			}
		}
	}
}

// countDeeds counts those of this moment on: the clock is moved before.
func (w *world) countDeeds() int {
	w.t.Helper()
	page, err := w.staff.Audit(w.t.Context(), staff.AuditQuery{From: w.clock.Now(), Paging: docstore.Paging{First: 200}})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(page.Items)
}

// Every permission opens something, and every operation asks for one that somebody can have.
func TestEveryPermissionIsUsed(t *testing.T) {
	t.Parallel()
	used := map[staff.Permission]bool{}
	for _, op := range newWorld(t).console.Operations() {
		used[staff.Permission(op.Permission)] = true
		if !op.Open && op.Permission != own && !staff.Allowed(staff.Roles(), staff.Permission(op.Permission)) {
			t.Errorf("%s needs %s, which no role has", op.ID, op.Permission)
		}
	}
	for _, p := range staff.PermissionsOf(staff.Roles()) {
		if !used[p] {
			t.Errorf("nothing needs %s", p)
		}
	}
}

// TestTheTableIsCommitted keeps docs/console.md equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheTableIsCommitted(t *testing.T) {
	t.Parallel()
	goldentest.Golden(t, "../docs/console.md", table(newWorld(t).console.Operations()))
}

func table(operations []edge.Operation) string {
	var b strings.Builder
	b.WriteString("# The console's operations\n\n" +
		"Printed by a test from the registrations; `GUANXI_UPDATE=1 go test ./console -run Committed` writes it. `own` needs only a\n" +
		"session, also one that an enrolment code opened; `-` needs none. Fields and answers stand in `console.openapi.json`.\n")
	tag := ""
	for _, op := range operations {
		if op.Tag != tag {
			tag = op.Tag
			b.WriteString("\n## " + tag + "\n\n| operation | request | permission | 做什么 |\n|---|---|---|---|\n")
		}
		permission := op.Permission
		if op.Open {
			permission = "-"
		}
		fmt.Fprintf(&b, "| %s | `%s %s` | %s | %s |\n", op.ID, op.Method, op.Path, permission, op.Summary)
	}
	b.WriteString("\n## Roles\n\n| permission |")
	for _, r := range staff.Roles() {
		b.WriteString(" " + string(r) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(staff.Roles())) + "\n")
	for _, p := range staff.PermissionsOf(staff.Roles()) {
		b.WriteString("| " + string(p) + " |")
		for _, r := range staff.Roles() {
			b.WriteString(map[bool]string{true: " x |", false: " |"}[staff.Allowed([]staff.Role{r}, p)])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTheDescriptionIsCommitted keeps docs/console.openapi.json equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheDescriptionIsCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw, err := w.console.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var now bytes.Buffer
	if err := json.Indent(&now, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	now.WriteByte('\n')
	goldentest.Golden(t, "../docs/console.openapi.json", now.String())
	served := w.nobody().send("GET", "/console/openapi.json", nil)
	if served.status != 200 || served.body != string(raw) {
		t.Errorf("/console/openapi.json says something else: %d", served.status)
	}
	page := w.nobody().send("GET", "/console/docs", nil)
	if page.status != 200 || !strings.Contains(page.body, "管理台接口") || strings.Contains(page.body, "{{") {
		t.Errorf("/console/docs: %d", page.status)
	}
}

func TestTheDescriptionIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw, err := w.console.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Error(err)
	}
	for _, op := range w.console.Operations() {
		described := doc.Paths.Value(op.Path).GetOperation(op.Method)
		keyed := described.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
		if reads := op.Method == "GET" || readsOnly[op.ID]; keyed == reads {
			t.Errorf("%s %s: Idempotency-Key %v", op.Method, op.ID, keyed)
		}
		for _, p := range described.Parameters {
			if s := p.Value.Schema.Value; p.Value.In == "path" && s.MaxLength == nil && s.Max == nil {
				t.Errorf("%s: parameter %s has no bound", op.ID, p.Value.Name)
			}
		}
	}
}

// readsOnly are operations that take a body and change nothing.
var readsOnly = map[string]bool{"check-policy": true, "check-tax-table": true, "check-bond-policy": true, "dry-run": true, "verify": true}

// Whatever can be changed is answered the same when it is asked for again, unless a password is in it.
func TestEveryWriteIsRecordedButForPasswords(t *testing.T) {
	t.Parallel()
	secret := map[string]bool{"login": true, "logout": true, "change-password": true, "confirm-operator-draft": true}
	for _, op := range newWorld(t).console.Operations() {
		if writes := op.Method != "GET" && !readsOnly[op.ID]; op.Recorded != (writes && !secret[op.ID]) {
			t.Errorf("%s: recorded %v", op.ID, op.Recorded)
		}
	}
}
