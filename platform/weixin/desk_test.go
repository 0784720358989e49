package weixin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
)

var sharedKeys = sync.OnceValues(sandbox.GenerateKeys)

// desk is a mini-program: a sandbox, the adapter in front of it, a clock moved by hand, and what was asked.
type desk struct {
	box   *sandbox.Sandbox
	wx    *weixin.Client
	cfg   weixin.Config
	clock *clock.Manual

	mu    sync.Mutex
	paths []string
}

func openDesk(t *testing.T, change func(*sandbox.Config)) *desk {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))}
	cfg := sandbox.Config{Keys: keys, Clock: d.clock}
	if change != nil {
		change(&cfg)
	}
	if d.box, err = sandbox.New(cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.paths = append(d.paths, r.URL.Path)
		d.mu.Unlock()
		d.box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { d.box.Close(); server.Close() })
	c := d.box.Credentials()
	d.cfg = weixin.Config{
		AppID: c.AppID, AppSecret: c.AppSecret, MchID: c.MchID, BaseURL: server.URL, Clock: d.clock, Timeout: 5 * time.Second,
	}
	d.wx = d.adapter(t, nil)
	return d
}

func (d *desk) adapter(t *testing.T, change func(*weixin.Config)) *weixin.Client {
	t.Helper()
	cfg := d.cfg
	if change != nil {
		change(&cfg)
	}
	wx, err := weixin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wx.Shutdown)
	return wx
}

// asked counts requests for a path.
func (d *desk) asked(path string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, p := range d.paths {
		if p == path {
			n++
		}
	}
	return n
}

// memory is a cache.Cache that is safe for concurrent use; the SDK's own is not.
type memory struct {
	mu     sync.Mutex
	values map[string]any
	fail   error
}

func (m *memory) Get(key string) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key]
}

func (m *memory) Set(key string, value any, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.values == nil {
		m.values = map[string]any{}
	}
	m.values[key] = value
	return nil
}

func (m *memory) IsExist(key string) bool { return m.Get(key) != nil }

func (m *memory) Delete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

// oneAtATime is a Locker within the test.
type oneAtATime struct{ mu sync.Mutex }

func (l *oneAtATime) Lock(context.Context, string, time.Duration) (func(), error) {
	l.mu.Lock()
	return l.mu.Unlock, nil
}
