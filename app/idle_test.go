package app_test

import (
	"context"
	"io"
	"log/slog"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"guanxi/app"
	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/console"
	"guanxi/flow"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/member"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
)

// tally counts what a store is asked, by collection.
type tally struct {
	docstore.Driver
	calls atomic.Int64
	mu    sync.Mutex
	of    map[string]int
}

func (c *tally) note(what string) {
	c.calls.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[what]++
}

func (c *tally) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	c.note("get " + collection)
	return c.Driver.Get(ctx, collection, ids)
}

func (c *tally) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	c.note("find " + collection + " " + q.Index)
	return c.Driver.Find(ctx, collection, q)
}

func (c *tally) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	c.note("count " + collection)
	return c.Driver.Count(ctx, collection, q, limit)
}

func (c *tally) Write(ctx context.Context, ops []docstore.Op) []error {
	c.note("write " + ops[0].Collection)
	return c.Driver.Write(ctx, ops)
}

// wakeUps is how often goroutines of this process have begun to run.
func wakeUps() (n uint64) {
	s := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(s)
	for _, count := range s[0].Value.Float64Histogram().Counts {
		n += count
	}
	return 8 * n // the runtime looks at every eighth
}

// resting starts a program nobody uses.
func resting(t *testing.T, driver docstore.Driver, alone bool) *app.App {
	t.Helper()
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: docstoretest.Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	c := app.Config{
		Store: store, Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Platform: struct{ member.Platform }{}, Payments: struct{ order.Payments }{}, Rail: struct{ withdrawal.Rail }{},
		Shares: struct{ sharing.Shares }{}, Bills: struct{ reconcile.Bills }{}, Notifications: struct{ miniprogramapi.Notifications }{},
		Shipping: struct{ flow.Shipping }{}, Messages: struct{ outreach.Sender }{}, Codes: struct{ miniprogramapi.CodeImages }{},
		Passwords: console.Cost{MemoryKiB: 64, Passes: 1},
	}
	if alone {
		c.StandAlone()
	}
	c.Pace.Bills = -1 // asks the platform, once a minute
	a, err := app.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAnIdleProcessIsIdle lets programs rest for some virtual minutes, one alone and two that share a store.
func TestAnIdleProcessIsIdle(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "two": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				embedded, shared := docstoretest.Embedded(t), []*tally{}
				var apps []*app.App
				for range map[bool]int{true: 1, false: 2}[alone] {
					driver := &tally{Driver: embedded}
					shared, apps = append(shared, driver), append(apps, resting(t, driver, alone))
				}
				time.Sleep(2 * time.Minute)
				for _, driver := range shared {
					driver.calls.Store(0)
					driver.mu.Lock()
					driver.of = nil
					driver.mu.Unlock()
				}
				woken := wakeUps()
				const minutes = 8 // looks that come seldom are in it, too
				time.Sleep(minutes * time.Minute)
				woken = (wakeUps() - woken) / minutes
				for n, driver := range shared {
					calls := driver.calls.Load() / minutes
					driver.mu.Lock()
					t.Logf("%s, process %d: %d store calls a minute; in all of them: %v", name, n, calls, driver.of)
					driver.mu.Unlock()
					if calls >= 120 {
						t.Errorf("%d store calls in an idle minute", calls)
					}
				}
				t.Logf("%d wake-ups a minute in all", woken)
				if woken >= 20*60*uint64(len(apps)) {
					t.Errorf("%d wake-ups in an idle minute", woken)
				}
				for _, a := range apps {
					if err := a.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if err := embedded.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
