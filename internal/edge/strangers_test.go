package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/member"
)

// purse is a limiter with so many tokens per key and no refill.
type purse map[string]int

func (p purse) Allow(_ context.Context, who string, tokens int) (time.Duration, bool) {
	if p[who] += tokens; p[who] > 40 {
		return time.Minute, false
	}
	return 0, true
}

type nothing struct{}

// Made-up tokens are looked up until their address has used up its tokens, then no more; who was handed one goes on.
func TestMadeUpTokensAreChargedToTheirAddress(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	var asked int
	var log strings.Builder
	e, err := New(t.Context(), Config{
		Name: "x", Title: "x", Caller: "member", Answers: "answers", Store: docstoretest.NewStore(t, c), Clock: c,
		Log: slog.New(slog.NewTextHandler(&log, nil)), Limiter: purse{},
		Genuine: func(token string) bool { return token == "good" },
		Authenticate: func(_ context.Context, token string, _ Operation) (Identity, error) {
			asked++
			if token == "good" {
				return Identity{ID: "m1"}, nil
			}
			return Identity{}, member.ErrSessionInvalid
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var work func(context.Context) error
	Register(e, Operation{ID: "me", Method: "GET", Path: "/me", Status: 204}, func(ctx context.Context, _ *nothing) (*nothing, error) {
		if work != nil {
			return nil, work(ctx)
		}
		return nil, nil
	})
	send := func(ctx context.Context, method, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, method, "/me", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		e.Handler().ServeHTTP(w, r)
		return w
	}
	if w := send(t.Context(), "GET", "good"); w.Code != 204 {
		t.Fatal(w.Code, w.Body)
	}
	codes := map[int]int{}
	for n := range 500 {
		codes[send(t.Context(), "GET", "made-up-"+strconv.Itoa(n)).Code]++
	}
	if codes[401] != 10 || codes[429] != 490 || asked > 12 {
		t.Errorf("answers %v, looked up %d times", codes, asked)
	}
	if w := send(t.Context(), "GET", "good"); w.Code != 204 {
		t.Errorf("somebody honest is kept out: %d", w.Code)
	}
	if w := send(t.Context(), "DELETE", "good"); w.Code != 405 || w.Header().Get("Allow") != "GET" {
		t.Errorf("another method: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	log.Reset()
	gone, hangUp := context.WithCancel(t.Context())
	work = func(ctx context.Context) error { hangUp(); return ctx.Err() }
	send(gone, "GET", "good")
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("a hang-up is told as our failure: %s", log.String())
	}
}

func TestALineThatAnybodyCanCauseIsSampled(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	var out strings.Builder
	log, s := slog.New(slog.NewTextHandler(&out, nil)), Sampled{Clock: c}
	for range 500 {
		s.Warn(t.Context(), log, "refused")
	}
	c.Advance(11 * time.Second)
	s.Warn(t.Context(), log, "refused")
	if n := strings.Count(out.String(), "refused"); n != 2 || !strings.Contains(out.String(), "more_since_last=499") {
		t.Errorf("%d lines: %s", n, out.String())
	}
}
