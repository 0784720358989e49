package sandbox

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"guanxi/internal/clock"
)

const (
	tokenOverlap   = 5 * time.Minute  // how long a superseded token still works
	forcedPerDay   = 20               // stable_token with force_refresh
	forcedApart    = 30 * time.Second // between two of them
	maxKnownTokens = 64
)

// tokens are the access tokens of one application. Plain and stable tokens live side by side, as the documents say.
type tokens struct {
	clock clock.Clock
	lives time.Duration

	mu            sync.Mutex
	known         map[string]tokenLife
	plain, stable string
	forcedAt      []time.Time
}

type tokenLife struct {
	expires time.Time // afterwards 42001
	dead    time.Time // superseded: afterwards 40001; zero while current
}

func (t *tokens) init(c clock.Clock, seconds int) {
	t.clock, t.lives, t.known = c, time.Duration(seconds)*time.Second, map[string]tokenLife{}
}

func (t *tokens) fresh(now time.Time) string {
	for old, life := range t.known {
		if len(t.known) >= maxKnownTokens || now.After(life.expires.Add(24*time.Hour)) {
			delete(t.known, old)
		}
	}
	token := randomHex(48)
	t.known[token] = tokenLife{expires: now.Add(t.lives)}
	return token
}

func (t *tokens) supersede(token string, at time.Time) {
	if life, ok := t.known[token]; ok && (life.dead.IsZero() || at.Before(life.dead)) {
		life.dead = at
		t.known[token] = life
	}
}

// plainToken makes a new token; the one before lives five more minutes.
func (t *tokens) plainToken() (string, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	t.supersede(t.plain, now.Add(tokenOverlap))
	t.plain = t.fresh(now)
	return t.plain, int(t.lives / time.Second)
}

// steadyToken repeats the current token with the seconds it has left.
func (t *tokens) steadyToken(overlap time.Duration) (string, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	life, ok := t.known[t.stable]
	if !ok || !life.dead.IsZero() || life.expires.Sub(now) <= overlap {
		t.stable = t.fresh(now)
		life = t.known[t.stable]
	}
	return t.stable, int(life.expires.Sub(now) / time.Second)
}

// forcedToken kills the current stable token; errcode 45009 over the day's number, 45011 when too soon.
func (t *tokens) forcedToken() (string, int, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	recent := t.forcedAt[:0]
	for _, at := range t.forcedAt {
		if now.Sub(at) < 24*time.Hour {
			recent = append(recent, at)
		}
	}
	t.forcedAt = recent
	if n := len(recent); n >= forcedPerDay {
		return "", 0, 45009
	} else if n > 0 && now.Sub(recent[n-1]) < forcedApart {
		return "", 0, 45011
	}
	t.forcedAt = append(t.forcedAt, now)
	t.supersede(t.stable, now)
	t.stable = t.fresh(now)
	return t.stable, int(t.lives / time.Second), 0
}

// check gives 0 for a token that works, else the errcode.
func (t *tokens) check(token string) int {
	if token == "" {
		return 41001
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	life, ok := t.known[token]
	now := t.clock.Now()
	switch {
	case !ok:
		return 40001
	case !now.Before(life.expires):
		return 42001
	case !life.dead.IsZero() && !now.Before(life.dead):
		return 40001
	}
	return 0
}

// expire makes a token die now.
func (t *tokens) expire(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if life, ok := t.known[token]; ok {
		life.expires = t.clock.Now()
		t.known[token] = life
	}
}

// ExpireTokens makes every access token of the mini-program and of WeCom expire now.
func (s *Sandbox) ExpireTokens() {
	for _, t := range []*tokens{&s.mini, &s.corp} {
		t.mu.Lock()
		for token, life := range t.known {
			life.expires = t.clock.Now()
			t.known[token] = life
		}
		t.mu.Unlock()
	}
}

func (s *Sandbox) serveToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if code := s.checkApp(query.Get("grant_type"), query.Get("appid"), query.Get("secret")); code != 0 {
		wxError(w, code)
		return
	}
	token, seconds := s.mini.plainToken()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": seconds})
}

func (s *Sandbox) serveStableToken(w http.ResponseWriter, body []byte) {
	var in struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if json.Unmarshal(body, &in) != nil {
		wxError(w, 47001)
		return
	}
	if code := s.checkApp(in.GrantType, in.AppID, in.Secret); code != 0 {
		wxError(w, code)
		return
	}
	if !in.ForceRefresh {
		token, seconds := s.mini.steadyToken(tokenOverlap)
		writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": seconds})
		return
	}
	token, seconds, code := s.mini.forcedToken()
	if code != 0 {
		wxError(w, code)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": seconds})
}

func (s *Sandbox) checkApp(grant, appID, secret string) int {
	switch {
	case grant != "client_credential":
		return 40002
	case appID != s.cfg.AppID:
		return 40013
	case secret != s.cfg.AppSecret:
		return 40125
	}
	return 0
}
