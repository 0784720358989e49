package qywx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/platform/qywx"
	"guanxi/platform/sandbox"
)

var sharedKeys = sync.OnceValues(sandbox.GenerateKeys)

type desk struct {
	box    *sandbox.Sandbox
	corp   *qywx.Client
	cfg    qywx.Config
	clock  *clock.Manual
	inbox  chan qywx.Event
	mu     sync.Mutex
	tokens int
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	keys, err := sharedKeys()
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{clock: clock.NewManual(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)), inbox: make(chan qywx.Event, 10)}
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		event, err := d.corp.ParseCallback(r.URL.Query(), body)
		if err != nil {
			t.Error(err)
		}
		d.inbox <- event
	}))
	d.box, err = sandbox.New(sandbox.Config{Keys: keys, Clock: d.clock, CallbackURL: callback.URL})
	if err != nil {
		t.Fatal(err)
	}
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/gettoken" {
			d.mu.Lock()
			d.tokens++
			d.mu.Unlock()
		}
		d.box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { d.box.Close(); callback.Close(); platform.Close() })
	c := d.box.Credentials()
	d.cfg = qywx.Config{
		CorpID: c.CorpID, Secret: c.CorpSecret, AgentID: c.CorpAgentID, CallbackToken: c.CallbackToken,
		CallbackAESKey: c.CallbackAESKey, BaseURL: platform.URL, Clock: d.clock, Timeout: 5 * time.Second,
	}
	if d.corp, err = qywx.New(d.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.corp.Shutdown)
	return d
}

func (d *desk) fetched() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tokens
}

func TestAFriendIsAddedWelcomedAndTagged(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	external, code := d.box.AddFriend(sandbox.AddFriend{Staff: "zhang", Person: "lan", State: "share-1"})
	got := <-d.inbox
	want := qywx.Event{
		ID: got.ID, Name: "change_external_contact", Change: "add_external_contact", At: d.clock.Now(), UserID: "zhang",
		ExternalUserID: external, State: "share-1", WelcomeCode: code,
	}
	if diff := cmp.Diff(want, got); diff != "" || got.ID == "" {
		t.Error(diff)
	}
	w := qywx.Welcome{Code: got.WelcomeCode, Text: "欢迎", Mini: &qywx.MiniCard{Title: "团购", MediaID: "m", AppID: "wx", Page: "p"}}
	if err := d.corp.SendWelcome(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if err := d.corp.SendWelcome(t.Context(), w); !errors.Is(err, qywx.ErrWelcomeGone) {
		t.Errorf("the second welcome: %v", err)
	}
	tag := qywx.TagChange{UserID: "zhang", ExternalUserID: external, Add: []string{"level-strong"}}
	for range 2 {
		if err := d.corp.MarkTag(t.Context(), tag); err != nil {
			t.Fatal(err)
		}
	}
	tag.ExternalUserID = "wm-nobody"
	if err := d.corp.MarkTag(t.Context(), tag); !errors.Is(err, qywx.ErrRefused) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestAWelcomeAfterTwentySecondsIsTooLate(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	_, code := d.box.AddFriend(sandbox.AddFriend{Staff: "zhang", Person: "lan"})
	d.clock.Advance(20 * time.Second)
	if err := d.corp.SendWelcome(t.Context(), qywx.Welcome{Code: code, Text: "欢迎"}); !errors.Is(err, qywx.ErrWelcomeGone) {
		t.Error(err)
	}
}

func TestATokenThatDiedEarlyIsReplacedOnceAndABadSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	external, _ := d.box.AddFriend(sandbox.AddFriend{Staff: "zhang", Person: "lan"})
	tag := qywx.TagChange{UserID: "zhang", ExternalUserID: external, Add: []string{"t"}}
	for range 3 {
		if err := d.corp.MarkTag(t.Context(), tag); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.fetched(); n != 1 {
		t.Errorf("%d tokens", n)
	}
	d.box.Inject(sandbox.Rule{Match: "/cgi-bin/externalcontact/mark_tag", Action: sandbox.ActionExpire})
	if err := d.corp.MarkTag(t.Context(), tag); err != nil {
		t.Error(err)
	}
	if n := d.fetched(); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
	cfg := d.cfg
	cfg.Secret = "wrong-secret"
	stranger, err := qywx.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = stranger.MarkTag(t.Context(), tag)
	if !errors.Is(err, qywx.ErrAway) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a bad secret: %v", err)
	}
	if n := d.fetched(); n != 3 {
		t.Errorf("a bad secret was tried %d times", n-2)
	}
}

// The SDK's callback parser checks no signature.
func TestTrapForgedCallbacksAreRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	good, err := d.box.Seal("<xml><Event>e</Event></xml>")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.corp.ParseCallback(good.Query, good.Body); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"msg_signature", "timestamp", "nonce"} {
		query := url.Values{}
		for k, v := range good.Query {
			query[k] = v
		}
		query.Set(name, "forged")
		if _, err := d.corp.ParseCallback(query, good.Body); !errors.Is(err, qywx.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, body := range []string{"", "<xml/>", "{}", "<xml><Event>add</Event></xml>", strings.Repeat("x", qywx.MaxCallback+1)} {
		if _, err := d.corp.ParseCallback(good.Query, []byte(body)); !errors.Is(err, qywx.ErrForged) {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}

func TestTheAddressCheckIsAnsweredInPlain(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	sealed, err := d.box.Seal("4321")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(sealed.Body), "<Encrypt><![CDATA[")
	echo, _, _ := strings.Cut(rest, "]]>")
	sealed.Query.Set("echostr", echo)
	if got, err := d.corp.VerifyURL(sealed.Query); err != nil || got != "4321" {
		t.Errorf("%q, %v", got, err)
	}
}
