package edge

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
)

var errTaken = fault.Define("TST_TAKEN", fault.Conflict, "已被占用", "taken")

func newEdge(t *testing.T, change func(*Config)) *Edge {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	config := Config{
		Name: "test", Title: "t", Label: "标签 <b>", Caller: "tester", Answers: "test_answers", Store: docstoretest.NewStore(t, c), Clock: c,
		Log: slog.New(slog.DiscardHandler),
		Authenticate: func(_ context.Context, token string, op Operation) (Identity, error) {
			if op.Permission != "" && token != op.Permission {
				return Identity{}, errTaken
			}
			return Identity{ID: token, Principal: 7}, nil
		},
	}
	if change != nil {
		change(&config)
	}
	e, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func get(t *testing.T, e *Edge, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	return w
}

type tick struct {
	N       int      `json:"n,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

func TestLinesAreSentAndAFailureIsTheLastOfThem(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	RegisterLines(e, Operation{ID: "count", Method: "GET", Path: "/count/{mode}", Tag: "t", Summary: "s", Patience: time.Minute},
		func(ctx context.Context, in *struct {
			Mode string `path:"mode" maxLength:"9"`
		}, send func(tick) error,
		) error {
			if until, ok := ctx.Deadline(); !ok || until.Sub(clock.System{}.Now()) < 30*time.Second {
				t.Error("the operation's own patience does not count")
			}
			n := map[string]int{"few": 3, "many": 20_000, "late": 20_000}[in.Mode]
			for i := range n {
				if err := send(tick{N: i + 1}); err != nil {
					return err
				}
			}
			if in.Mode == "few" || in.Mode == "many" {
				return nil
			}
			return errTaken
		})
	for mode, want := range map[string]struct{ status, lines int }{
		"few": {200, 3}, "many": {200, 20_000}, "none": {409, 0}, "late": {200, 20_001},
	} {
		w := get(t, e, "/count/"+mode, "me")
		if w.Code != want.status {
			t.Errorf("%s: %d %.200s", mode, w.Code, w.Body)
			continue
		}
		if w.Code != http.StatusOK {
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != "TST_TAKEN" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %v %s", mode, err, w.Body)
			}
			continue
		}
		lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
		var last tick
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != want.lines {
			t.Errorf("%s: %d lines, %v", mode, len(lines), err)
		}
		if late := mode == "late"; late != (last.Problem != nil && last.Problem.Code == "TST_TAKEN") {
			t.Errorf("%s ends with %+v", mode, last)
		}
		if w.Header().Get("Content-Type") != linesType {
			t.Error(w.Header())
		}
	}
	if raw, err := e.OpenAPI(); err != nil || !strings.Contains(string(raw), `"application/x-ndjson":{"schema":{"$ref":"#/components/schemas/Tick"}}`) {
		t.Errorf("%v %s", err, raw)
	}
}

// deaf is a reader who has gone.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWhoStopsReadingStopsTheWork(t *testing.T) {
	t.Parallel()
	e, sent, failure := newEdge(t, nil), 0, error(nil)
	RegisterLines(e, Operation{ID: "count", Method: "GET", Path: "/count", Tag: "t", Summary: "s", Open: true},
		func(_ context.Context, _ *struct{}, send func(tick) error) error {
			for ; failure == nil && sent < 1_000_000; sent++ {
				failure = send(tick{N: sent})
			}
			return failure
		})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/count", nil)
	e.Handler().ServeHTTP(deaf{httptest.NewRecorder()}, r)
	if !errors.Is(failure, ErrCancelled) || sent > 10_000 {
		t.Errorf("%d lines, %v", sent, failure)
	}
}

func TestTwoEdgesShareTheirMetersAndNotTheirAnswers(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	one := newEdge(t, func(c *Config) { c.Metrics = registry })
	two := newEdge(t, func(c *Config) { c.Metrics = registry; c.Answers = "other_answers" })
	one.CountFault("X")
	two.CountFault("X")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "guanxi_faults_total" && f.GetMetric()[0].GetCounter().GetValue() != 2 {
			t.Error(f)
		}
	}
	registry = prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "guanxi_faults_total", Help: "x"}))
	if _, err := newMetrics(registry); err == nil {
		t.Error("somebody else's meter was taken")
	}
}

func TestAnEdgeSaysWhoAsksAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	Register(e, Operation{ID: "who", Method: "GET", Path: "/who", Tag: "t", Summary: "s", Permission: "boss"},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			if Caller(ctx) != "boss" || Principal(ctx) != 7 || RequestID(ctx) == "" {
				t.Errorf("%q %v %q", Caller(ctx), Principal(ctx), RequestID(ctx))
			}
			return nil, docstore.ErrPage
		})
	for token, want := range map[string]int{"": 401, "clerk": 409, "boss": 422} {
		if w := get(t, e, "/who", token); w.Code != want {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	}
	if err := e.Describe("/spec", "/page"); err != nil {
		t.Fatal(err)
	}
	if body := get(t, e, "/page", "").Body.String(); !strings.Contains(body, "标签 &lt;b&gt;") {
		t.Error("the label is not shown as text")
	}
	if ops := e.Operations(); len(ops) != 1 || ops[0].ID != "who" {
		t.Error(ops)
	}
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("an edge was made of nothing")
	}
}
