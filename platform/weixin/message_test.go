package weixin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
)

const sendMessagePath = "/cgi-bin/message/subscribe/send"

// TestHowASubscribeMessageEnds: every end is either a clear yes, a clear no, surely nothing, or a doubt; whoever retries
// only what is surely nothing never tells twice.
func TestHowASubscribeMessageEnds(t *testing.T) {
	t.Parallel()
	always := func(r sandbox.Rule) sandbox.Rule { r.Times = 10; return r }
	for _, c := range []struct {
		name    string
		rule    sandbox.Rule
		want    error // nil: it arrived, and we know
		nothing bool  // surely not sent
		arrived int
		code    int64
	}{
		{"yes", sandbox.Rule{}, nil, false, 1, 0},
		{"a token that has just expired is replaced", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionExpire}, nil, false, 1, 0},
		{"a token that is always called expired", always(sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionExpire}), weixin.ErrAway, true, 0, 42001},
		{"day's quota", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionRateLimit}, weixin.ErrAway, true, 0, 45009},
		{"minute's quota", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail, Code: "45011"}, weixin.ErrAway, true, 0, 45011},
		{"not accepted", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail, Code: "43101"}, weixin.ErrNotAccepted, false, 0, 43101},
		{"bad field", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail, Code: "47003"}, weixin.ErrRefused, false, 0, 47003},
		{"no such template", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail, Code: "40037"}, weixin.ErrRefused, false, 0, 40037},
		{"system error says nothing", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail}, weixin.ErrAway, false, 0, -1},
		{"a gateway's error says nothing", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionFail, Code: "x", Status: 502}, weixin.ErrAway, false, 0, 0},
		{"lost request", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionLose}, weixin.ErrAway, false, 0, 0},
		{"lost reply", sandbox.Rule{Match: sendMessagePath, Action: sandbox.ActionAfterAccept}, weixin.ErrAway, false, 1, 0},
		{"no token: lost", always(sandbox.Rule{Match: "/cgi-bin/stable_token", Action: sandbox.ActionLose}), weixin.ErrAway, true, 0, 0},
		{"no token: system error", always(sandbox.Rule{Match: "/cgi-bin/stable_token", Action: sandbox.ActionFail}), weixin.ErrAway, true, 0, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t, nil)
			d.box.Subscribe("lan", "tmpl", 1)
			if c.rule.Match != "" {
				d.box.Inject(c.rule)
			}
			err := d.wx.SendSubscribe(t.Context(), weixin.Message{
				OpenID: d.box.OpenID("lan"), Template: "tmpl", Data: map[string]string{"thing1": "您的桃子到了"},
			})
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if got := errors.Is(err, weixin.ErrNotSent); got != c.nothing {
				t.Errorf("surely not sent: %v (%v)", got, err)
			}
			if got := weixin.CodeOf(err); got != c.code {
				t.Errorf("errcode %d, want %d", got, c.code)
			}
			if got := len(d.box.Sent()); got != c.arrived {
				t.Errorf("%d arrived", got)
			}
		})
	}
}

func TestARefusedConnectionIsSurelyNotSent(t *testing.T) {
	t.Parallel()
	d := openDesk(t, nil)
	d.box.Subscribe("lan", "tmpl", 1)
	m := weixin.Message{OpenID: d.box.OpenID("lan"), Template: "tmpl", Data: map[string]string{"thing1": "好"}}
	server := httptest.NewServer(http.HandlerFunc(d.box.ServeHTTP))
	wx := d.adapter(t, func(c *weixin.Config) { c.BaseURL = server.URL })
	if _, err := wx.CodeToSession(t.Context(), d.box.LoginCode("lan")); err != nil {
		t.Fatal(err)
	}
	if err := wx.SendSubscribe(t.Context(), m); err != nil { // the token is there
		t.Fatal(err)
	}
	wx.Shutdown() // a connection that was kept may die under the request, and that is a doubt
	server.Close()
	d.box.Subscribe("lan", "tmpl", 1)
	if err := wx.SendSubscribe(t.Context(), m); !errors.Is(err, weixin.ErrAway) || !errors.Is(err, weixin.ErrNotSent) {
		t.Errorf("nobody listens: %v", err)
	}
}
