package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"guanxi/platform/weixin/wire"
)

func TestRequestsGoToTheBaseUnderTheirOwnHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+r.RequestURI)
	}))
	t.Cleanup(server.Close)
	client, err := wire.NewClient(wire.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.mch.weixin.qq.com/v3/a%7Cb?c=d", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "api.mch.weixin.qq.com/v3/a%7Cb?c=d" {
		t.Errorf("%s, %v", body, err)
	}
	if request.URL.Host != "api.mch.weixin.qq.com" {
		t.Error("the caller's request was changed")
	}
}

func TestRedirectsAreNotFollowedAndAnswersEnd(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/secret", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 11))
	}))
	t.Cleanup(server.Close)
	client, err := wire.NewClient(wire.Config{BaseURL: server.URL, MaxBody: 10})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://x.example"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(request)
	}
	response, err := get("/away")
	if err != nil || response.StatusCode != http.StatusFound {
		t.Fatal(response, err)
	}
	response.Body.Close()
	if response, err = get("/long"); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); !errors.Is(err, wire.ErrTooLarge) {
		t.Error(err)
	}
}

func TestBadBaseAddresses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"127.0.0.1", "ftp://a", "http://", "http://a/path", "://"} {
		if _, err := wire.NewClient(wire.Config{BaseURL: base}); err == nil {
			t.Errorf("%q was accepted", base)
		}
	}
}

func TestPlainHidesAddresses(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "https://x/?secret=s3cret", Err: errors.New("odd s3cret")},
		&url.Error{Op: "Get", URL: "https://x/?secret=s3cret", Err: io.EOF},
		&url.Error{Op: "Get", URL: "https://x/?secret=s3cret", Err: context.DeadlineExceeded},
	} {
		if plain := wire.Plain(err); plain == nil || strings.Contains(plain.Error(), "s3cret") {
			t.Error(plain)
		}
	}
	if !errors.Is(wire.Plain(&url.Error{Err: context.Canceled}), context.Canceled) {
		t.Error("cancellation is lost")
	}
	if wire.Plain(nil) != nil {
		t.Error("nothing became an error")
	}
}
