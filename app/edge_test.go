package app_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
	"guanxi/app/harness"
)

// gatekeeper is a limiter on command.
type gatekeeper struct {
	wait  atomic.Int64 // nanoseconds; 0 lets everybody in
	panic atomic.Bool
	asked atomic.Int64
	who   atomic.Value
}

func (g *gatekeeper) Allow(_ context.Context, who string, tokens int) (time.Duration, bool) {
	if g.panic.Load() {
		panic("the gatekeeper fell over " + marker)
	}
	g.asked.Add(int64(tokens))
	g.who.Store(who)
	wait := time.Duration(g.wait.Load())
	return wait, wait == 0
}

func guardedWorld(t *testing.T) (*world, *watched, *diary, *gatekeeper) {
	t.Helper()
	g := &gatekeeper{}
	w, store, log := watchedWorld(t, func(c *harness.Config) {
		still := c.Tune
		c.Tune = func(a *app.Config) {
			still(a)
			a.Limiter = g
		}
	})
	return w, store, log, g
}

func TestAPolledPageIsSentOnce(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	polled := map[string]*human{
		"/v1/communities/" + e.community + "/feed": e.shopper, "/v1/communities/" + e.community + "/shelf": e.shopper,
		"/v1/campaigns/" + e.campaign: e.shopper, "/v1/campaigns/" + e.campaign + "/seats": e.shopper,
		"/v1/orders/" + e.confirmed(): e.shopper, "/v1/host/campaigns/" + e.campaign: e.host, "/v1/purse": e.friend,
	}
	tags := map[string]string{}
	for path, who := range polled {
		first := who.send("GET", path, nil)
		tag := first.header.Get("ETag")
		if first.status != 200 || tag == "" || first.header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: %v %v", path, first, first.header)
		}
		tags[path] = tag
		for _, known := range []string{tag, `W/` + tag, `"other", ` + tag, "*"} {
			if r := who.send("GET", path, nil, "If-None-Match: "+known); r.status != 304 || r.body != "" || r.header.Get("ETag") != tag {
				t.Errorf("%s with %s: %v", path, known, r)
			}
		}
		for _, known := range []string{`"other"`, "", tag[1 : len(tag)-1]} {
			if r := who.send("GET", path, nil, "If-None-Match: "+known); r.status != 200 || r.body != first.body {
				t.Errorf("%s with %s: %v", path, known, r)
			}
		}
		r := (&human{w: w}).send("GET", path, nil, "If-None-Match: "+tag)
		if checkProblem(t, path, r); r.status != 401 {
			t.Errorf("%s: a tag opened it for nobody: %v", path, r)
		}
	}
	e.shopper.buy(e.campaign, e.sku, 1)
	w.settled()
	path := "/v1/campaigns/" + e.campaign
	deadline := w.patience()
	for {
		if r := e.shopper.send("GET", path, nil, "If-None-Match: "+tags[path]); r.status == 200 {
			break
		}
		if deadline.Err() != nil {
			t.Fatal("a sale did not change the page")
		}
	}
}

// patience ends when something that happens soon has not happened.
func (w *world) patience() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	w.t.Cleanup(cancel)
	return ctx
}

func TestWhoAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	w, store, _, gate := guardedWorld(t)
	e := newEstate(t, w)
	for wait, header := range map[time.Duration]string{
		time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Minute: "60", 100 * time.Hour: "3600",
	} {
		gate.wait.Store(int64(wait))
		written := store.written.Load()
		for _, r := range []reply{
			e.shopper.send("GET", "/v1/me", nil), e.shopper.send("GET", "/v1/campaigns/"+e.campaign, nil),
			e.shopper.send("POST", "/v1/orders", ask{"", e.wishes()}.raw()),
			(&human{w: w}).send("POST", "/v1/login", []byte(`{"code":"x"}`)),
		} {
			if code := checkProblem(t, header, r); r.status != 429 || code != "API_TOO_MANY" || r.header.Get("Retry-After") != header {
				t.Errorf("wait %s: %v %v", wait, r, r.header)
			}
		}
		if store.written.Load() != written {
			t.Error("who was turned away changed something")
		}
	}
	if who, _ := gate.who.Load().(string); who != "address:127.0.0.1" {
		t.Errorf("nobody is counted as %q", who)
	}
	gate.wait.Store(0)
	before := gate.asked.Load()
	e.shopper.must("GET", "/v1/me", nil, 200)
	if who, _ := gate.who.Load().(string); who != "member:"+e.shopper.id || gate.asked.Load() != before+1 {
		t.Errorf("a member is counted as %q, %d tokens", who, gate.asked.Load()-before)
	}
	e.shopper.must("POST", "/v1/orders/"+e.placed()+"/paid", nil, 200)
	if r := e.shopper.send("GET", "/livez", nil); r.status != 200 {
		t.Error(r)
	}
}

func TestEveryAnswerHasARequestID(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	somebody := w.human("小陈")
	for _, path := range []string{"/v1/me", "/v1/orders/none", "/nowhere", "/livez", "/openapi.json"} {
		own := somebody.send("GET", path, nil).header.Get("X-Request-Id")
		if len(own) < 20 {
			t.Errorf("%s: request id %q", path, own)
		}
		if got := somebody.send("GET", path, nil, "X-Request-Id: trace-1234").header.Get("X-Request-Id"); got != "trace-1234" {
			t.Errorf("%s: a good id was replaced by %q", path, got)
		}
		for _, odd := range []string{"a b", strings.Repeat("x", 65), "<script>", `"quote"`} {
			if got := somebody.send("GET", path, nil, "X-Request-Id: "+odd).header.Get("X-Request-Id"); got == odd || got == "" {
				t.Errorf("%s: id %q came back as %q", path, odd, got)
			}
		}
	}
}

func TestWhatIsNotThereIsAProblemToo(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	somebody := w.human("小陈")
	for _, c := range []struct{ method, path, code string }{
		{"GET", "/", "API_NO_SUCH_OPERATION"},
		{"GET", "/v1/" + marker, "API_NO_SUCH_OPERATION"},
		{"POST", "/v2/login", "API_NO_SUCH_OPERATION"},
		{"GET", "/v1/me/", "API_NO_SUCH_OPERATION"},
		{"POST", "/v1/orders/", "API_NO_SUCH_OPERATION"},
		{"GET", "/v1/login", "API_METHOD"},
		{"DELETE", "/v1/me", "API_METHOD"},
		{"TRACE", "/v1/me", "API_METHOD"},
		{"PROPFIND", "/v1/orders", "API_METHOD"},
		{"GET", "/v1/notify/weixinpay", "API_METHOD"},
		{"GET", "/metrics", "API_NO_SUCH_OPERATION"},
		{"GET", "/debug/pprof/", "API_NO_SUCH_OPERATION"},
	} {
		r := somebody.send(c.method, c.path, nil)
		if code := checkProblem(t, c.path, r); code != c.code || strings.Contains(r.body, marker) {
			t.Errorf("%s %s: %v", c.method, c.path, r)
		}
	}
}

func TestAStaleSessionDoesNotKeepAnybodyFromLoggingIn(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	somebody := w.human("小陈")
	somebody.must("POST", "/v1/logout", nil, 204)
	if r := somebody.send("GET", "/v1/me", nil); r.status != 401 || checkProblem(t, "stale", r) != "MEM_SESSION_INVALID" {
		t.Error(r)
	}
	somebody.must("POST", "/v1/login", map[string]any{"code": w.Sandbox.LoginCode("小陈")}, 200)
	for _, header := range []string{"Bearer", "Bearer ", "bearer " + somebody.token, "Basic YTpi", "Bearer " + strings.Repeat("x", 5000), "Bearer a b", "Bearer %00"} {
		if r := somebody.send("GET", "/v1/me", nil, "Authorization: "+header); r.status != 401 {
			t.Errorf("%.40s: %v", header, r)
		} else {
			checkProblem(t, header, r)
		}
	}
}

func TestMetricsHaveFewLabelsWhateverCallersInvent(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	w, _, _ := watchedWorld(t, func(c *harness.Config) { c.Metrics = registry })
	somebody := w.human("小陈")
	for i := range 20 {
		somebody.send("M"+strconv.Itoa(i), "/v1/me", nil)
		somebody.send("GET", "/v1/nothing/"+strconv.Itoa(i), nil)
		somebody.send("GET", "/v1/orders/order"+strconv.Itoa(i), nil)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, family := range families {
		seen[family.GetName()] = len(family.GetMetric())
	}
	if n := seen["guanxi_http_request_seconds"]; n == 0 || n > 4 {
		t.Errorf("%d series of requests", n)
	}
	if seen["guanxi_faults_total"] == 0 || seen["guanxi_events_waiting"] == 0 {
		t.Errorf("metrics: %v", seen)
	}
}

func TestAPanicIsACodedAnswerAndTheServiceLives(t *testing.T) {
	t.Parallel()
	w, _, log, gate := guardedWorld(t)
	e := newEstate(t, w)
	gate.panic.Store(true)
	for _, r := range []reply{
		e.shopper.send("GET", "/v1/me", nil),
		e.shopper.send("GET", "/v1/campaigns/"+e.campaign, nil), // a polled page: its answer is buffered
		e.shopper.send("POST", "/v1/orders", ask{"", e.wishes()}.raw()),
	} {
		if code := checkProblem(t, "panic", r); r.status != 500 || code != "API_INTERNAL" || strings.Contains(r.body, "gatekeeper") {
			t.Errorf("%v", r)
		}
	}
	gate.panic.Store(false)
	e.shopper.must("GET", "/v1/campaigns/"+e.campaign, nil, 200)
	if got := strings.Count(log.String(), "panic in a handler"); got != 3 {
		t.Errorf("%d panics in the log, want 3", got)
	}
}

func TestADrainingServiceSaysSoAndStillAnswers(t *testing.T) {
	t.Parallel()
	w, store, _ := watchedWorld(t, nil)
	somebody := w.human("小陈")
	if r := somebody.send("GET", "/readyz", nil); r.status != 200 {
		t.Error(r)
	}
	store.Away.Store(true)
	if r := somebody.send("GET", "/readyz", nil); r.status != 503 || checkProblem(t, "readyz", r) != "API_STORE_AWAY" {
		t.Error(r)
	}
	if r := somebody.send("GET", "/livez", nil); r.status != 200 {
		t.Errorf("a lost store is no reason to be restarted: %v", r)
	}
	store.Away.Store(false)
	if r := somebody.send("GET", "/readyz", nil); r.status != 200 {
		t.Error(r)
	}
	w.API.Drain()
	if r := somebody.send("GET", "/readyz", nil); r.status != 503 || checkProblem(t, "readyz", r) != "API_STOPPING" {
		t.Error(r)
	}
	somebody.must(http.MethodGet, "/v1/me", nil, 200)
}
