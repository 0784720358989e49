package app_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/redisx"
	"guanxi/platform/sandbox"
)

// newGatedWorld is a program with an accelerator.
func newGatedWorld(t *testing.T) *world {
	t.Helper()
	c := clock.NewManual(clock.System{}.Now())
	redis, err := redisx.Open(redisx.Config{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := redis.Close(); err != nil {
			t.Error(err)
		}
	})
	return startWorld(t, c, harness.Config{
		Store: docstoretest.NewStore(t, c), Clock: c, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sandbox: sandbox.Config{Keys: keys()}, Tune: func(config *app.Config) { config.Accelerate(redis, 0) },
	})
}

func TestSoldOutIsRememberedAndForgottenWhenUnitsComeBack(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t)
	sku := w.product("车厘子", 9900, 2)
	host, first, second := w.human("王姐"), w.human("小李"), w.human("小陈")
	_, campaign := host.openCampaign(sku, nil)
	wish := func(units int) map[string]any {
		return map[string]any{"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": units}}}
	}
	expect := func(h *human, key string, units, status int, code string) answer {
		t.Helper()
		got, body := h.keyed(key, "POST", "/v1/orders", wish(units))
		if got != status || body.text("code") != code {
			t.Fatalf("%s: %d %v, want %d %s", key, got, body, status, code)
		}
		return body
	}
	placed := expect(first, "first-key", 2, 201, "")
	expect(second, "second-key-1", 1, 409, "CAT_SOLD_OUT") // by the store, which closes the gate
	expect(second, "second-key-2", 1, 409, "CAT_SOLD_OUT") // by the gate

	if again := expect(first, "first-key", 2, 201, ""); again.text("id") != placed.text("id") {
		t.Errorf("the same key gave %v while the gate was closed, want %v", again.text("id"), placed.text("id"))
	}
	first.must("POST", "/v1/orders/"+placed.text("id")+"/cancel", nil, 200)
	w.settled()
	expect(second, "second-key-3", 2, 201, "") // nobody had to wait until the gate forgot
}

// Holds that have lapsed are not "sold out", although nobody has swept them yet.
func TestTheGateDoesNotSaySoldOutOfHoldsThatHaveLapsed(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t)
	sku := w.product("车厘子", 9900, 2)
	host, first, second := w.human("王姐"), w.human("小李"), w.human("小陈")
	_, campaign := host.openCampaign(sku, nil)
	wish := map[string]any{"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": 2}}}
	if got, body := first.keyed("first-key", "POST", "/v1/orders", wish); got != 201 {
		t.Fatal(got, body)
	}
	for _, key := range []string{"second-1", "second-2"} { // by the store, then by the gate
		if got, body := second.keyed(key, "POST", "/v1/orders", wish); got != 409 || body.text("code") != "CAT_SOLD_OUT" {
			t.Fatal(got, body)
		}
	}
	w.clock.Advance(31 * time.Minute)
	if got, body := second.keyed("second-3", "POST", "/v1/orders", wish); got != 201 {
		t.Errorf("%d %v", got, body)
	}
}
