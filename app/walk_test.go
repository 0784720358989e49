package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// described reads the operations out of the program's own description.
func (w *world) described() map[string]described {
	w.t.Helper()
	raw, err := w.API.OpenAPI()
	if err != nil {
		w.t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]describedOperation
		Components struct{ Schemas map[string]*schema }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		w.t.Fatal(err)
	}
	found := map[string]described{}
	for path, verbs := range doc.Paths {
		for verb, op := range verbs {
			found[op.OperationID] = described{strings.ToUpper(verb), path, op, doc.Components.Schemas}
		}
	}
	return found
}

type describedOperation struct {
	OperationID, Summary string
	Tags                 []string
	Security             []map[string][]string
	Parameters           []struct {
		Name, In string
		Required bool
		Schema   *schema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema *schema }
	}
}

type described struct {
	method, path string
	describedOperation
	schemas map[string]*schema
}

// TestWhoMayDoWhat walks every operation as everybody. A new operation without a row fails.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	missing := w.described()
	asked := 0
	for _, op := range operations() {
		d, known := missing[op.id]
		if !known || d.method != op.method {
			t.Errorf("%s %s is in the table and not in the program (or twice)", op.method, op.id)
			continue
		}
		delete(missing, op.id)
		walk(t, e, store, op)
		asked++
	}
	for id := range missing {
		t.Errorf("operation %s has no row in the table of who may do what", id)
	}
	t.Logf("%d operations, %d people each", asked, whos)
}

func walk(t *testing.T, e *estate, store *watched, op operationCase) {
	t.Helper()
	target := op.make(e)
	e.settled()
	mine := op.owner(e)
	other := e.host
	if mine == e.host {
		other = e.shopper
	}
	people := [whos]*human{{w: e.world}, e.stranger, e.rival, other, mine}
	for one := range whos {
		want, caller := op.told[one], people[one]
		if strings.HasPrefix(op.id, "log") && one != nobody { // must not end the sessions the next rows need
			caller = e.human(map[who]string{stranger: "甲", rival: "乙", inside: "丙", owner: "丁"}[one])
		}
		if op.id == "login" || op.id == "bind-phone" { // a code is good for one
			target = op.make(e)
		}
		before := store.contents(t)
		r := caller.send(op.method, target.path, target.raw())
		if r.status != want {
			t.Errorf("%s as %s: %v; want %d", op.id, one, r, want)
			continue
		}
		if r.status < 400 {
			e.settled()
			continue
		}
		checkProblem(t, op.id+" as "+one.String(), r)
		if diff := cmp.Diff(before, store.contents(t)); diff != "" {
			t.Errorf("%s as %s was refused and changed something:\n%s", op.id, one, diff)
		}
	}
}

// checkProblem checks that a refusal is one of ours.
func checkProblem(t *testing.T, what string, r reply) (code string) {
	t.Helper()
	var p struct {
		Type, Title, Code, English string
		Status                     int
		RequestID                  string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Errorf("%s: not a problem: %v", what, r)
		return ""
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: content type %q: %v", what, got, r)
	}
	if p.Code == "" || p.Type != "urn:guanxi:fault:"+p.Code || p.Title == "" || p.English == "" || p.Status != r.status ||
		p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("%s: incomplete problem: %v", what, r)
	}
	if r.status == 401 && r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: 401 without WWW-Authenticate", what)
	}
	if (r.status == 429 || r.status == 503) && r.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d without Retry-After", what, r.status)
	}
	return p.Code
}
