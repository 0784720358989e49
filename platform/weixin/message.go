package weixin

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"sync/atomic"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/miniprogram/security"
	"github.com/silenceper/wechat/v2/miniprogram/subscribe"
	"github.com/silenceper/wechat/v2/util"
)

// Message is one subscribe message. Each costs one acceptance by the person.
type Message struct {
	OpenID   string
	Template string
	Page     string            // what a tap opens; empty: nothing
	Data     map[string]string // thing1 → value; none may be empty, thing at most 20 characters
	State    string            // formal (default), trial, developer
}

// ErrNotSent: the message surely did not reach WeChat, or WeChat did not look at it (connection refused, token, quota): it
// may be sent again. It stands beside ErrAway; an ErrAway without it leaves a doubt.
var ErrNotSent = errors.New("weixin: surely not sent")

// codeBusy is WeChat's "system error": it does not say whether anything was done.
const codeBusy = -1

// SendSubscribe sends a subscribe message. When the outcome is unknown (ErrAway without ErrNotSent) it may have arrived:
// sending again may send twice, so the caller marks before it sends. Errors: ErrNotAccepted, ErrRefused, ErrAway, ErrAway
// with ErrNotSent.
func (c *Client) SendSubscribe(ctx context.Context, m Message) error {
	data := make(map[string]*subscribe.DataItem, len(m.Data))
	for key, value := range m.Data {
		data[key] = &subscribe.DataItem{Value: value}
	}
	if m.State == "" {
		m.State = "formal"
	}
	message := &subscribe.Message{
		ToUser: m.OpenID, TemplateID: m.Template, Page: m.Page, Data: data, MiniprogramState: m.State, Lang: "zh_CN",
	}
	var doubt atomic.Bool // a connection was there to send on, and no clear answer came
	err := c.withToken(ctx, "subscribe message", func(ctx context.Context, token string) error {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { doubt.Store(true) }})
		body, err := util.PostJSONContext(ctx, host+"/cgi-bin/message/subscribe/send?access_token="+token, message)
		if err != nil {
			return err
		}
		var out struct{ util.CommonError }
		err = util.DecodeWithError(body, &out, "subscribe message")
		if out.ErrCode != 0 && out.ErrCode != codeBusy {
			doubt.Store(false)
		}
		return err
	})
	if errors.Is(err, ErrAway) && !doubt.Load() {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return err
}

// CodeOf is the platform's errcode in an error's chain, or 0.
func CodeOf(err error) int64 { return codeOf(err) }

// TextCheck is a text that a person wrote for others to read.
type TextCheck struct {
	OpenID   string // who wrote it; seen in the mini-program within two hours
	Scene    int    // 1 profile, 2 comment, 3 forum, 4 social log
	Content  string // 1 to 2500 characters
	Title    string
	Nickname string
}

// Verdict is what WeChat thinks of a text.
type Verdict struct {
	Suggest string // pass, review, risky
	Label   int    // 100 fine, 10001 ads, 20001 politics, 20002 porn, 20003 abuse, 20006 crime, 20008 fraud, 21000 other
}

const maxCheckedText = 2500

// CheckText asks WeChat whether a text may be shown. Risky text is an answer, not an error. Errors: ErrRefused (too long,
// author not seen lately), ErrAway.
func (c *Client) CheckText(ctx context.Context, t TextCheck) (Verdict, error) {
	if n := utf8.RuneCountInString(t.Content); n == 0 || n > maxCheckedText || t.Scene < 1 || t.Scene > 4 {
		return Verdict{}, fmt.Errorf("weixin: text check: %w: length or scene", ErrRefused)
	}
	var verdict Verdict
	err := c.withToken(ctx, "text check", func(ctx context.Context, _ string) error {
		result, err := c.program.GetSecurity().MsgCheckContext(ctx, &security.MsgCheckRequest{
			OpenID: t.OpenID, Scene: security.MsgScene(t.Scene), Content: t.Content, Title: t.Title, Nickname: t.Nickname, // 1 to 4
		})
		if err != nil {
			return err
		}
		verdict = Verdict{Suggest: string(result.Result.Suggest), Label: int(result.Result.Label)}
		return nil
	})
	if err != nil {
		return Verdict{}, err
	}
	switch verdict.Suggest {
	case "pass", "review", "risky":
		return verdict, nil
	}
	return Verdict{}, fmt.Errorf("weixin: text check: %w: an answer without a verdict", ErrAway)
}
