package hostile_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Tokens that nobody was given cost an address its patience before they cost the store anything.
func TestMadeUpTokensAreThrottled(t *testing.T) {
	t.Parallel()
	honest := guest(t)
	var denied, slowed, other atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 75 {
				p := &person{t: t, base: honest.base, token: word(43)}
				switch got := p.call("GET", "/v1/me", nil); got.status {
				case http.StatusUnauthorized:
					denied.Add(1)
				case http.StatusTooManyRequests:
					slowed.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	all.Wait()
	if slowed.Load() == 0 || other.Load() > 0 {
		t.Errorf("%d denied, %d slowed down, %d otherwise", denied.Load(), slowed.Load(), other.Load())
	}
	if got := honest.call("GET", "/v1/me", nil); got.status != http.StatusOK {
		t.Errorf("somebody honest at the same address: %d %s", got.status, got.body)
	}
}

// Guessing slows the guesser down; who knows the password comes in.
func TestWrongPasswordsLockNobodyOut(t *testing.T) {
	t.Parallel()
	w := world(t)
	victim := w.Operators[0]
	p := &person{t: t, base: base(t)}
	for range 8 {
		got := p.call("POST", "/console/api/login", map[string]any{"login": victim.Login, "password": "wrong-" + word(8)})
		p.refused(got, http.StatusUnauthorized, http.StatusTooManyRequests)
	}
	deadline := time.Now().Add(25 * time.Second)
	for {
		got := p.call("POST", "/console/api/login", map[string]any{"login": victim.Login, "password": victim.Password})
		if got.status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the right password is refused half a minute later: %d %s", got.status, got.body)
		}
		time.Sleep(time.Second)
	}
}

// Every operation without a token, and with rubbish, gives a coded refusal.
func TestEveryOperationRefusesStrangersAndRubbish(t *testing.T) {
	t.Parallel()
	p, nobody := guest(t), &person{t: t, base: base(t)}
	for _, document := range []string{"/openapi.json", "/console/openapi.json"} {
		var api struct {
			Paths map[string]map[string]struct {
				Security []map[string]any `json:"security"`
			} `json:"paths"`
		}
		if err := json.Unmarshal(nobody.must("GET", document, nil).body, &api); err != nil {
			t.Fatal(err)
		}
		for route, operations := range api.Paths {
			for method := range operations {
				if strings.Contains(route, "login") || strings.Contains(route, "notify") || strings.HasPrefix(route, "/healthz") || strings.HasPrefix(route, "/readyz") {
					continue
				}
				method, at := strings.ToUpper(method), rubbishIn(route)
				if got := nobody.call(method, at, nil); got.status < 400 {
					t.Errorf("%s %s: a stranger is answered %d", method, at, got.status)
				}
				for _, body := range []string{"", "null", "[]", `"x"`, `{"a":`, `{"amount_fen":-1,"units":1e300,"lines":null,"words":"\u0000"}`} {
					if got := p.call(method, at, []byte(body)); got.status >= 500 && got.status != http.StatusServiceUnavailable {
						t.Errorf("%s %s with %q: %d %s", method, at, body, got.status, got.body)
					}
				}
			}
		}
	}
}

func rubbishIn(route string) string {
	parts := strings.Split(route, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "no-such-thing"
		}
	}
	return strings.Join(parts, "/")
}

func TestTheEdgeSaysWhatIsWrongWithARequest(t *testing.T) {
	t.Parallel()
	p := guest(t)
	if got := p.call("DELETE", "/v1/me", nil); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
		t.Errorf("DELETE /v1/me: %d, Allow %q; want 405 with what is allowed", got.status, got.header.Get("Allow"))
	}
	if got := p.call("GET", "/v1/no/such/thing", nil); got.status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", got.status)
	}
	huge := append([]byte(`{"words":"`), append(make([]byte, 10<<20), '"', '}')...)
	if got := p.call("POST", "/v1/host/application", huge); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 10 MB: %d", got.status)
	}
	key := strings.Repeat("k", 70)
	first := p.keyed("POST", "/v1/host/application", map[string]any{"words": "长钥匙"}, key).status
	second := p.keyed("POST", "/v1/purse/withdrawals", map[string]any{"amount_fen": 100}, key).status
	if (first == http.StatusUnprocessableEntity || first == http.StatusBadRequest) != (second == http.StatusUnprocessableEntity || second == http.StatusBadRequest) {
		t.Errorf("a key of 70 characters: %d for one operation, %d for another", first, second)
	}
}
