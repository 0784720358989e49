package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/withdrawal"
	"guanxi/console"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/order"
	"guanxi/platform/sandbox"
)

// world is the whole program with the platforms imitated, and people who tap on things.
type world struct {
	t *testing.T
	*harness.Sandboxed
	clock *clock.Manual
	keys  atomic.Int64
}

// newWorld starts a program on a fresh store with one policy, one product (40 units) and a clock that tests move.
func newWorld(t *testing.T) *world {
	t.Helper()
	c := clock.NewManual(clock.System{}.Now())
	return startWorld(t, c, harness.Config{
		Store: docstoretest.NewStore(t, c), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sandbox: sandbox.Config{Keys: keys()},
	})
}

// keys are made once: that is what takes longest in a small world.
var keys = sync.OnceValue(func() sandbox.Keys {
	made, err := sandbox.GenerateKeys()
	if err != nil {
		panic(err)
	}
	return made
})

// startWorld starts a program as configured.
func startWorld(t *testing.T, c *clock.Manual, config harness.Config) *world {
	t.Helper()
	w := &world{t: t, clock: c}
	tune := config.Tune
	config.Tune = func(c *app.Config) { // everybody here is new, and asks often; the bounds have tests of their own
		c.Orders.Terms = []order.Terms{{Orders: 100, Units: 1 << 40, CampaignOrders: 100, CampaignUnits: 1 << 40}}
		c.Withdrawal = withdrawal.Config{
			NewAccountDays: withdrawal.NoLimit, Several: true, MaxCount: withdrawal.NoLimit, VelocityCount: withdrawal.NoLimit,
		}
		c.Outreach, c.Pace.Notices = noticeTemplates(), -1 // told_test.go looks when it wants to
		c.Passwords = console.Cost{MemoryKiB: 64, Passes: 1}
		if tune != nil {
			tune(c)
		}
	}
	var err error
	if w.Sandboxed, err = harness.Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	_, err = w.Commission.Policies.Publish(t.Context(), policy.Policy{
		From: c.Now().Add(-time.Hour), Cap: 2000, Rules: []policy.Rule{{Pays: []policy.Pay{
			{Role: commission.Direct, Rate: 1000}, {Role: commission.Host, Rate: 500},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// product adds a product with one SKU and units in stock.
func (w *world) product(name string, price, units int64) string {
	w.t.Helper()
	p, err := w.Catalog.AddProduct(w.t.Context(), catalog.ProductInput{
		Key: id.Derive("product", name), Name: name, Category: "水果", SKUs: []catalog.SKUInput{{Code: "a", Name: "5斤装", Price: moneyFen(price), Cost: moneyFen(price / 2)}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if units > 0 {
		if err := w.Catalog.Receive(w.t.Context(), catalog.StockIn{Ref: "in/" + p.ID, SKU: p.SKUs[0].ID, Units: units}); err != nil {
			w.t.Fatal(err)
		}
	}
	return p.SKUs[0].ID
}

// human is somebody with a phone.
type human struct {
	w     *world
	name  string
	token string
	id    string
}

func (w *world) human(name string) *human {
	w.t.Helper()
	h := &human{w: w, name: name}
	out := h.must("POST", "/v1/login", map[string]any{"code": w.Sandbox.LoginCode(name)}, 200)
	h.token, h.id = out["token"].(string), out["member"].(string)
	return h
}

type answer map[string]any

func (a answer) text(name string) string { s, _ := a[name].(string); return s }
func (a answer) list(name string) []any  { l, _ := a[name].([]any); return l }
func (a answer) num(name string) int64   { f, _ := a[name].(float64); return int64(f) }

// do sends a request under a fresh idempotency key.
func (h *human) do(method, path string, body any) (int, answer) {
	h.w.t.Helper()
	return h.keyed("key-"+strconv.FormatInt(h.w.keys.Add(1), 10)+"-test", method, path, body)
}

func (h *human) keyed(key, method, path string, body any) (int, answer) {
	h.w.t.Helper()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			h.w.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(h.w.t.Context(), method, h.w.URL+path, reader)
	if err != nil {
		h.w.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	if method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.w.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		h.w.t.Fatal(err)
	}
	out := answer{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			h.w.t.Fatalf("%s %s: %d: not JSON: %.200s", method, path, response.StatusCode, raw)
		}
	}
	return response.StatusCode, out
}

func (h *human) must(method, path string, body any, status int) answer {
	h.w.t.Helper()
	got, out := h.do(method, path, body)
	if got != status {
		h.w.t.Fatalf("%s %s: status %d, want %d: %v", method, path, got, status, out)
	}
	return out
}

// settled waits until every event has been taken and every posting is in the purses.
func (w *world) settled() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	for range 3 { // what an event asks of the platform comes back as a notification, and that is an event again
		if err := w.Sandbox.Drain(ctx); err != nil {
			w.t.Fatal(err)
		}
		if err := w.Relay.Drain(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.Commission.CatchUp(ctx); err != nil {
		w.t.Fatal(err)
	}
}
