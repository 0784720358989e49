package app_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"guanxi/internal/goldentest"
)

// TestTheDescriptionIsCommitted keeps docs/openapi.json equal to the code. GUANXI_UPDATE=1 writes it.
func TestTheDescriptionIsCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw, err := w.API.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var now bytes.Buffer
	if err := json.Indent(&now, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	now.WriteByte('\n')
	goldentest.Golden(t, "../docs/openapi.json", now.String())
	served := (&human{w: w}).send("GET", "/openapi.json", nil)
	if served.status != 200 || served.body != string(raw) {
		t.Errorf("/openapi.json says something else: %v", served)
	}
}

func TestTheDescriptionIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	raw, err := newWorld(t).API.OpenAPI()
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
}

// TestEveryOperationIsDescribedWhole: who may call it, in which room it stands, how it refuses, how long what it takes
// may be.
func TestEveryOperationIsDescribedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, op := range w.described() {
		if op.Summary == "" || len(op.Tags) != 1 || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(id) {
			t.Errorf("%s: no summary, or not one tag, or an odd name", id)
		}
		if open := id == "login"; open == (len(op.Security) > 0) {
			t.Errorf("%s: security %v", id, op.Security)
		}
		refusals := 0
		for status, response := range op.Responses {
			if status[0] == '2' {
				continue
			}
			refusals++
			media, only := response.Content["application/problem+json"]
			if !only || len(response.Content) != 1 || media.Schema == nil || media.Schema.Ref != "#/components/schemas/Problem" {
				t.Errorf("%s %s: is not described as a Problem: %+v", id, status, response)
			}
		}
		for _, status := range []string{"401", "403", "404", "409", "422", "429", "500", "503"} {
			if _, ok := op.Responses[status]; !ok {
				t.Errorf("%s: no %s", id, status)
			}
		}
		keyed := false
		for _, p := range op.Parameters {
			keyed = keyed || p.Name == "Idempotency-Key" && p.Required
			if p.In == "path" && (p.Schema.MaxLength == nil || !p.Required) {
				t.Errorf("%s: parameter %s has no greatest length", id, p.Name)
			}
		}
		if keyed != (op.method != "GET" && id != "quote") {
			t.Errorf("%s %s: Idempotency-Key required: %v", op.method, id, keyed)
		}
		if op.RequestBody != nil && !op.RequestBody.Required {
			t.Errorf("%s: the body is optional", id)
		}
	}
	problem := w.described()["me"].schemas["Problem"]
	if problem == nil || problem.Properties["code"] == nil || problem.Properties["english"] == nil {
		t.Errorf("Problem is described as %+v", problem)
	}
	if _, foreign := w.described()["me"].schemas["ErrorModel"]; foreign {
		t.Error("the framework's own error body is described")
	}
}

func TestTheDocsPageNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	r := (&human{w: newWorld(t)}).send("GET", "/docs", nil)
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Fatal(r)
	}
	if found := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}|src=|@import|url\(`).FindString(r.body); found != "" {
		t.Errorf("the page asks for %q", found)
	}
	if policy := r.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "connect-src 'self'") {
		t.Errorf("policy %q", policy)
	}
}
