package weixin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/member"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.OpenPlatform = true })
	who, err := d.wx.CodeToSession(t.Context(), d.box.LoginCode("lan"))
	if err != nil {
		t.Fatal(err)
	}
	want := member.Identity{AppID: d.cfg.AppID, OpenID: d.box.OpenID("lan"), UnionID: d.box.UnionID("lan")}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Error(diff)
	}
}

func TestALoginCodeWorksOnceAndForFiveMinutes(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	used, old := d.box.LoginCode("lan"), d.box.LoginCode("lan")
	if _, err := d.wx.CodeToSession(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(5 * time.Minute)
	for _, code := range []string{used, old, "", "made-up", strings.Repeat("x", 600), d.box.PhoneCode("lan", "")} {
		if _, err := d.wx.CodeToSession(t.Context(), code); !errors.Is(err, member.ErrCodeRefused) {
			t.Errorf("a bad code: %v", err)
		}
	}
}

// The SDK puts js_code into the address unescaped: a code with & would add parameters.
func TestTrapCodeIsNotEscapedBySDK(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	good := d.box.LoginCode("lan")
	if _, err := d.wx.CodeToSession(t.Context(), "x&js_code="+good); !errors.Is(err, member.ErrCodeRefused) {
		t.Errorf("parameters were smuggled in: %v", err)
	}
	if _, err := d.wx.CodeToSession(t.Context(), good); err != nil {
		t.Errorf("the good code was spent: %v", err)
	}
}

func TestPhone(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	code := d.box.PhoneCode("lan", "13800000013")
	number, err := d.wx.PhoneNumber(t.Context(), code)
	if err != nil || number.Number != "13800000013" || number.CountryCode != "86" {
		t.Fatal(number.Number, err)
	}
	if _, err := d.wx.PhoneNumber(t.Context(), code); !errors.Is(err, member.ErrCodeRefused) {
		t.Errorf("a phone code worked twice: %v", err)
	}
	if _, err := d.wx.PhoneNumber(t.Context(), d.box.LoginCode("lan")); !errors.Is(err, member.ErrCodeRefused) {
		t.Errorf("a login code gave a phone number: %v", err)
	}
}

func TestTooManyLoginsAreNotTheCodesFault(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.CodesPerMinute = 1 })
	if _, err := d.wx.CodeToSession(t.Context(), d.box.LoginCode("lan")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.wx.CodeToSession(t.Context(), d.box.LoginCode("lan")); !errors.Is(err, member.ErrPlatformAway) {
		t.Errorf("45011: %v", err)
	}
}

// The SDK's errors carry the whole address, with secret, code and token.
func TestTrapErrorsCarryNoSecrets(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusBadGateway)
	}))
	t.Cleanup(broken.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, address := range []string{broken.URL, closed.URL} {
		wx := d.adapter(t, func(c *weixin.Config) { c.BaseURL = address })
		_, err := wx.CodeToSession(t.Context(), "a-code-nobody-may-see")
		wantSilent(t, err, member.ErrPlatformAway, d.cfg.AppSecret, "a-code-nobody-may-see", d.cfg.AppID)
		_, err = wx.PhoneNumber(t.Context(), "a-code-nobody-may-see")
		wantSilent(t, err, member.ErrPlatformAway, d.cfg.AppSecret, "a-code-nobody-may-see", d.cfg.AppID)
	}
	d.box.Inject(sandbox.Rule{Match: "/wxa/business/getuserphonenumber", Action: sandbox.ActionFail, Status: 500})
	_, err := d.wx.PhoneNumber(t.Context(), d.box.PhoneCode("lan", ""))
	wantSilent(t, err, member.ErrPlatformAway, "access_token", "qq.com")
}

func wantSilent(t *testing.T, err, want error, secrets ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("want %v, have %v", want, err)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

// The SDK's client has no time limit, and is one for the whole process.
func TestTrapASlowPlatformIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); slow.Close() })
	d := openDesk(t, nil)
	wx := d.adapter(t, func(c *weixin.Config) { c.BaseURL, c.Timeout = slow.URL, 30*time.Millisecond })
	if _, err := wx.CodeToSession(t.Context(), "code"); !errors.Is(err, member.ErrPlatformAway) {
		t.Errorf("slow: %v", err)
	}
	if _, err := d.wx.CodeToSession(t.Context(), d.box.LoginCode("lan")); err != nil {
		t.Errorf("another client in the same process suffers: %v", err)
	}
}
