package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/lease"
	"guanxi/platform/sandbox"
)

// watched is a store that can be asked what is in it, counts what is written to it, and may go away.
type watched struct {
	*docstoretest.Flaky
	written atomic.Int64
	luck    mishaps

	mu          sync.Mutex
	collections []string
}

func (w *watched) Ensure(ctx context.Context, spec docstore.Spec) error {
	w.mu.Lock()
	w.collections = append(w.collections, spec.Name)
	w.mu.Unlock()
	return w.Flaky.Ensure(ctx, spec)
}

func (w *watched) Write(ctx context.Context, ops []docstore.Op) []error {
	answers := w.Flaky.Write(ctx, ops)
	for i, err := range answers {
		if err == nil && !sealers(ops[i].Collection) {
			w.written.Add(1)
		}
	}
	return answers
}

// sealers reports whether the ledger's sealer writes to the collection when nobody asks, or the lease of who seals lies there.
func sealers(collection string) bool {
	return collection == "entries" || collection == "seals" || collection == "books" || collection == lease.Collection
}

// contents gives the version of every document of every collection.
func (w *watched) contents(t *testing.T) map[string]int64 {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]int64{}
	for _, name := range w.collections {
		if name == lease.Collection { // a heartbeat, not what somebody asked for
			continue
		}
		for after := ""; ; {
			records, next, err := w.Driver.Find(t.Context(), name, docstore.Query{Limit: docstore.MaxLimit, After: after})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				found[name+" / "+r.ID] = r.Version
				if sealers(name) {
					found[name+" / "+r.ID] = 0
				}
			}
			if next == "" {
				break
			}
			after = next
		}
	}
	return found
}

// diary keeps everything that is logged, at every level.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// watchedWorld is a world whose time-driven loops and notary stand still, so that only requests and events write.
func watchedWorld(t *testing.T, tune func(*harness.Config)) (*world, *watched, *diary) {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	store, log, c := &watched{Flaky: docstoretest.NewFlaky(driver)}, &diary{}, clock.NewManual(clock.System{}.Now())
	store.Next = store.decide
	config := harness.Config{
		Store: docstoretest.StoreOn(t, store, c), Clock: c, Sandbox: sandbox.Config{Keys: keys()},
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Tune: func(a *app.Config) {
			a.Pace = app.Pace{Campaigns: -1, Orders: -1, Stock: -1, Settle: -1, Payouts: -1, Office: -1, Bills: -1, Tidy: -1, Notices: -1, Sharings: -1, Tasks: -1, Facts: -1}
		},
	}
	if tune != nil {
		tune(&config)
	}
	return startWorld(t, c, config), store, log
}

// reply is an answer as it came over the wire.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %.300s", r.status, r.body) }

// send sends exactly these bytes; header lines like "Name: value" replace the usual ones, "Name:" removes one.
func (h *human) send(method, path string, body []byte, header ...string) reply {
	h.w.t.Helper()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(h.w.t.Context(), method, h.w.URL+path, reader)
	if err != nil {
		h.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	if method != http.MethodGet {
		r.Header.Set("Idempotency-Key", h.w.freshKey())
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Del(name)
		if value = strings.TrimSpace(value); value != "" {
			r.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		h.w.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(raw)}
}

func (w *world) freshKey() string { return fmt.Sprintf("key-%d-test", w.keys.Add(1)) }
