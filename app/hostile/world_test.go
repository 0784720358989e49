package hostile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/app/demo"
)

// base is where the demo answers; empty when this run has none.
func base(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("GUANXI_HOSTILE_URL"); url != "" {
		return strings.TrimSuffix(url, "/")
	}
	return own.start(t)
}

// TestMain ends the demo that the walks share.
func TestMain(m *testing.M) {
	code := m.Run()
	own.stop()
	os.Exit(code)
}

// person is somebody with a phone in hand.
type person struct {
	t     *testing.T
	base  string
	token string
}

// guest is a stranger who has just opened the mini-program.
func guest(t *testing.T) *person {
	t.Helper()
	return login(t, "guest-"+word(12))
}

func login(t *testing.T, name string) *person {
	t.Helper()
	p := &person{t: t, base: base(t)}
	got := p.must("POST", "/demo/login", map[string]any{"person": name})
	p.token = got.text("token")
	if p.token == "" {
		t.Fatalf("%s cannot log in: %s", name, got.body)
	}
	return p
}

// operator is one of the brand's staff, by login.
func operator(t *testing.T, name string) *person {
	t.Helper()
	p := &person{t: t, base: base(t)}
	for _, o := range world(t).Operators {
		if o.Login == name {
			p.token = p.must("POST", "/console/api/login", map[string]any{"login": name, "password": o.Password}).text("token")
		}
	}
	if p.token == "" {
		t.Fatalf("no operator %s", name)
	}
	return p
}

func world(t *testing.T) demo.World {
	t.Helper()
	var w demo.World
	if err := json.Unmarshal((&person{t: t, base: base(t)}).must("GET", "/demo/world", nil).body, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// open is a campaign in which something can be bought now, with the first item that is left.
func open(t *testing.T, p *person) (campaign, sku string) {
	t.Helper()
	for _, scene := range world(t).Scenes {
		if scene.Over {
			continue
		}
		c := p.must("GET", "/v1/campaigns/"+scene.Campaign, nil).object()
		if c["state"] != "open" {
			continue
		}
		for _, item := range list(c["items"]) {
			if sold, _ := item["sold_out"].(bool); !sold {
				return scene.Campaign, item["sku"].(string)
			}
		}
	}
	t.Skip("nothing is on sale in this demo now")
	return "", ""
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) object() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(a.body, &m)
	return m
}

func (a answer) text(field string) string {
	s, _ := a.object()[field].(string)
	return s
}

func (a answer) number(field string) int64 {
	n, _ := a.object()[field].(float64)
	return int64(n)
}

func list(v any) (out []map[string]any) {
	items, _ := v.([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// call asks with a fresh key.
func (p *person) call(method, path string, body any) answer {
	p.t.Helper()
	return p.keyed(method, path, body, "hostile-"+word(20))
}

func (p *person) keyed(method, path string, body any, key string) answer {
	p.t.Helper()
	var in io.Reader
	if raw, ok := body.([]byte); ok {
		in = bytes.NewReader(raw)
	} else if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, in)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	got, err := client.Do(request)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer got.Body.Close()
	out := answer{status: got.StatusCode, header: got.Header}
	if out.body, err = io.ReadAll(io.LimitReader(got.Body, 8<<20)); err != nil {
		p.t.Fatal(err)
	}
	if out.status >= http.StatusInternalServerError && out.status != http.StatusServiceUnavailable {
		p.t.Errorf("%s %s: %d %s", method, path, out.status, out.body)
	}
	return out
}

// must is call for what has to work.
func (p *person) must(method, path string, body any) answer {
	p.t.Helper()
	got := p.call(method, path, body)
	if got.status/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	return got
}

// refused fails unless the answer is a coded refusal with a sentence for people.
func (p *person) refused(got answer, statuses ...int) {
	p.t.Helper()
	problem := got.object()
	code, _ := problem["code"].(string)
	title, _ := problem["title"].(string)
	if len(statuses) > 0 && !slices.Contains(statuses, got.status) || got.status/100 != 4 || code == "" || title == "" {
		p.t.Errorf("answered %d %s, want a coded refusal %v", got.status, got.body, statuses)
	}
}

// place orders units of a campaign's item.
func (p *person) place(campaign, sku string, units int) answer {
	p.t.Helper()
	return p.call("POST", "/v1/orders", map[string]any{"campaign": campaign, "lines": []any{map[string]any{"sku": sku, "units": units}}})
}

// pay pays an order in the sandbox's sheet and waits until the program knows.
func (p *person) pay(order string) {
	p.t.Helper()
	sheet := p.must("POST", "/v1/orders/"+order+"/prepay", nil)
	(&person{t: p.t, base: p.base}).must("POST", "/demo/sandbox/pay", sheet.body)
	p.until(func() bool {
		state := p.must("GET", "/v1/orders/"+order, nil).text("state")
		return state != "placed" && state != "unpaid" && state != "paying"
	})
}

// until asks a few times a second, for at most half a minute.
func (p *person) until(done func() bool) {
	p.t.Helper()
	for range 150 {
		if done() {
			return
		}
		select {
		case <-p.t.Context().Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	p.t.Error("it did not happen within half a minute")
}

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}}

func word(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strconv.FormatUint(rand.Uint64(), 36))
	}
	return b.String()[:n]
}

func path(format string, parts ...any) string { return fmt.Sprintf(format, parts...) }
