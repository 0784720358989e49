package weixin_test

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
)

func TestCodeImage(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.PublishedPages = []string{"pages/campaign/index"} })
	image, err := d.wx.CodeImage(t.Context(), "0abc:_.@-~", "pages/campaign/index")
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := png.Decode(bytes.NewReader(image))
	if err != nil || drawn.Bounds().Dx() != 430 {
		t.Errorf("not a picture: %v", err)
	}
	for _, scene := range []string{"", strings.Repeat("a", 33), "a b", "50%", "场景"} {
		if _, err := d.wx.CodeImage(t.Context(), scene, ""); !errors.Is(err, weixin.ErrRefused) {
			t.Errorf("scene %q: %v", scene, err)
		}
	}
	strict := d.adapter(t, func(c *weixin.Config) { c.CheckPage = true })
	if _, err := strict.CodeImage(t.Context(), "a", "pages/nowhere"); !errors.Is(err, weixin.ErrRefused) {
		t.Errorf("an unpublished page: %v", err)
	}
	if _, err := d.wx.CodeImage(t.Context(), "a", "pages/nowhere"); err != nil {
		t.Errorf("an unpublished page, unchecked: %v", err)
	}
}

// The SDK takes a picture only under the content type image/jpeg, and ignores its own URI modifier for this call.
func TestTrapAPictureIsToldByItsBytesNotItsContentType(t *testing.T) {
	t.Parallel()
	const png, jpeg, refusal = "\x89PNG\r\n\x1a\n....", "\xff\xd8\xff\xe0.......", `{"errcode":41030,"errmsg":"invalid page"}`
	for _, c := range []struct {
		kind, body string
		want       error
	}{
		{"image/png", png, nil},
		{"image/jpeg", jpeg, nil},
		{"application/octet-stream", png, nil},
		{"image/jpeg", refusal, weixin.ErrRefused},
		{"application/json", refusal, weixin.ErrRefused},
		{"image/jpeg", "{}", weixin.ErrAway},
		{"image/jpeg", "", weixin.ErrAway},
		{"text/html", "<html>", weixin.ErrAway},
	} {
		d := openDesk(t, nil)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/wxa/getwxacodeunlimit" {
				d.box.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", c.kind)
			_, _ = io.WriteString(w, c.body)
		}))
		t.Cleanup(server.Close)
		wx := d.adapter(t, func(cfg *weixin.Config) { cfg.BaseURL = server.URL })
		image, err := wx.CodeImage(t.Context(), "a", "")
		if !errors.Is(err, c.want) || c.want == nil && string(image) != c.body {
			t.Errorf("%s %q: %q, %v", c.kind, c.body, image, err)
		}
	}
}

func TestSubscribeMessagesCostOneAcceptanceEach(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.Subscribe("lan", "tmpl", 1)
	m := weixin.Message{
		OpenID: d.box.OpenID("lan"), Template: "tmpl", Page: "pages/order/index?id=1",
		Data: map[string]string{"thing1": "您的桃子到了", "character_string2": "A-12"},
	}
	if err := d.wx.SendSubscribe(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := d.wx.SendSubscribe(t.Context(), m); !errors.Is(err, weixin.ErrNotAccepted) {
		t.Errorf("the second: %v", err)
	}
	m.Data = map[string]string{"thing1": strings.Repeat("字", 21)}
	if err := d.wx.SendSubscribe(t.Context(), m); !errors.Is(err, weixin.ErrRefused) {
		t.Errorf("too long: %v", err)
	}
	want := []sandbox.SentMessage{{
		OpenID: m.OpenID, Template: "tmpl", Page: m.Page,
		Data: map[string]string{"thing1": "您的桃子到了", "character_string2": "A-12"}, At: d.clock.Now(),
	}}
	if diff := cmp.Diff(want, d.box.Sent()); diff != "" {
		t.Error(diff)
	}
}

func TestTextCheck(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	check := weixin.TextCheck{OpenID: d.box.OpenID("lan"), Scene: 2, Content: "很甜，还会再来"}
	if _, err := d.wx.CheckText(t.Context(), check); !errors.Is(err, weixin.ErrRefused) {
		t.Errorf("an author nobody has seen: %v", err)
	}
	if _, err := d.wx.CodeToSession(t.Context(), d.box.LoginCode("lan")); err != nil {
		t.Fatal(err)
	}
	v, err := d.wx.CheckText(t.Context(), check)
	if err != nil || v != (weixin.Verdict{Suggest: "pass", Label: 100}) {
		t.Errorf("good words: %+v, %v", v, err)
	}
	check.Content = "代开发票，找我"
	v, err = d.wx.CheckText(t.Context(), check)
	if err != nil || v != (weixin.Verdict{Suggest: "risky", Label: 10001}) {
		t.Errorf("risky words are an answer: %+v, %v", v, err)
	}
	check.Content = strings.Repeat("长", 2501)
	if _, err := d.wx.CheckText(t.Context(), check); !errors.Is(err, weixin.ErrRefused) {
		t.Errorf("too long: %v", err)
	}
}

func TestShippingNeedsAPaidOrderAndHasOneSecondChance(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *sandbox.Config) { c.ShippingDelay = 30 * time.Second })
	id := d.box.PaidOrder("ship-1", "lan", 4990)
	s := weixin.Shipment{
		TransactionID: id, OpenID: d.box.OpenID("lan"), Logistics: weixin.Express, At: d.clock.Now(),
		Parcels: []weixin.Parcel{{TrackingNo: "SF1", Company: "SF", Items: strings.Repeat("桃", 200), Receiver: "138****0013"}},
	}
	if err := d.wx.UploadShipping(t.Context(), s); !errors.Is(err, weixin.ErrNotYet) {
		t.Errorf("right after the payment: %v", err)
	}
	d.clock.Advance(30 * time.Second)
	for i := range 3 {
		s.At = s.At.Add(time.Second)
		err := d.wx.UploadShipping(t.Context(), s)
		if i < 2 && err != nil || i == 2 && !errors.Is(err, weixin.ErrRefused) {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	pickup := weixin.Shipment{
		Number: "ship-2", OpenID: d.box.OpenID("lan"), Logistics: weixin.Pickup, At: d.clock.Now(),
		Parcels: []weixin.Parcel{{Items: "黄桃 5 斤 ×1"}},
	}
	d.box.PaidOrder("ship-2", "lan", 100)
	d.clock.Advance(30 * time.Second)
	if err := d.wx.UploadShipping(t.Context(), pickup); err != nil {
		t.Errorf("self-pickup by order number: %v", err)
	}
	if managed, err := d.wx.TradeManaged(t.Context()); err != nil || !managed {
		t.Error(managed, err)
	}
}

// The SDK prints upload_time in nanoseconds and UTC; the platform wants +08:00 and at most milliseconds.
func TestTrapUploadTimeIsShanghaiMilliseconds(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^"2026-11-22T16:00:00\.123\+08:00"$`)
	b, err := weixin.UploadTime(time.Date(2026, 11, 22, 8, 0, 0, 123_456_789, time.UTC)).MarshalJSON()
	if err != nil || !pattern.Match(b) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestQuotasAreAwayNotRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.Inject(sandbox.Rule{Match: "/wxa/getwxacodeunlimit", Action: sandbox.ActionRateLimit})
	if _, err := d.wx.CodeImage(t.Context(), "a", ""); !errors.Is(err, weixin.ErrAway) {
		t.Errorf("45009: %v", err)
	}
	d.box.Inject(sandbox.Rule{Match: "/wxa/getwxacodeunlimit", Action: sandbox.ActionLose})
	if _, err := d.wx.CodeImage(t.Context(), "a", ""); !errors.Is(err, weixin.ErrAway) {
		t.Errorf("a cut connection: %v", err)
	}
}
