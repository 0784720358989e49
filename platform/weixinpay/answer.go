package weixinpay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"guanxi/order"
	"guanxi/platform/weixin/wire"
)

// Answer is the platform's refusal as far as it may be shown in a log: the SDK's own error prints every header.
type Answer struct {
	Op        string // prepay, query, refund, send transfer, share …
	Status    int    // HTTP
	Code      string // NOT_ENOUGH, SYSTEM_ERROR …; empty when the answer had none
	RequestID string // what WeChat's support asks for
	words     string // the platform's sentence; it may name what was sent, so Error leaves it out
}

// Error names the operation, the status and the code.
func (a *Answer) Error() string {
	return fmt.Sprintf("weixinpay: %s: %d %s (request %s)", a.Op, a.Status, a.Code, a.RequestID)
}

// PlatformCode is the code of a no to what was sent; "" when the platform was busy or away.
func (a *Answer) PlatformCode() string {
	if a.Status < 400 || a.Status >= 500 || a.Status == http.StatusTooManyRequests {
		return ""
	}
	return a.Code
}

// call runs one SDK call and turns what comes back into the two errors of the port.
func (p *Payments) call(op string, do func() (*core.APIResult, error)) error {
	err := p.ask(op, do)
	var answer *Answer
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer) && final(answer):
		return order.ErrPaymentRefused.Because(answer)
	}
	return order.ErrPaymentsAway.Because(err)
}

// ask runs one SDK call. Its error is an *Answer when the platform has refused, or anything else that leaves the outcome
// unknown; 202 is an answer too. It never holds an address, a header or a body.
func (p *Payments) ask(op string, do func() (*core.APIResult, error)) (err error) {
	defer func() {
		if r := recover(); r != nil { // the SDK has panicked on answers before
			err = fmt.Errorf("weixinpay: %s: the SDK panicked: %T", op, r)
		}
	}()
	result, err := do()
	if err == nil {
		if result != nil && result.Response != nil && result.Response.StatusCode == http.StatusAccepted {
			return &Answer{Op: op, Status: http.StatusAccepted}
		}
		return nil
	}
	var api *core.APIError
	if errors.As(err, &api) {
		return &Answer{
			Op: op, Status: api.StatusCode, Code: codeWord(api.Code), RequestID: codeWord(api.Header.Get("Request-Id")),
			words: sentence(api.Message),
		}
	}
	if result != nil && result.Response != nil { // it answered 2xx, but what it said does not count
		return errUnreadable(op)
	}
	return fmt.Errorf("weixinpay: %s: %w", op, wire.Plain(err))
}

// believable tells whether an error reply may be the platform's. The SDK verifies 2xx only, and the platform leaves
// many refusals unsigned; but a signature that is there must hold.
func (p *Payments) believable(api *core.APIError) bool {
	if api.Header.Get("Wechatpay-Signature") == "" {
		return true
	}
	return p.replies.Validate(context.Background(), &http.Response{
		Header: api.Header, Body: io.NopCloser(strings.NewReader(api.Body)),
	}) == nil
}

// sentence cuts the platform's words to what a log line can take.
func sentence(s string) string {
	if r := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)); len(r) > 200 {
		return string(r[:200])
	} else {
		return string(r)
	}
}

// final tells whether repeating the same request can never succeed. A status that says nothing about this request
// (3xx, 401, 429, 5xx, a 4xx without a code) is not final, and neither is a lack of money.
func final(a *Answer) bool {
	switch {
	case a.Status < 400 || a.Status >= 500 || a.Code == "":
		return false
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusTooManyRequests:
		return false
	}
	switch a.Code {
	case "NOT_ENOUGH", "SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED",
		"BANK_ERROR", "SIGN_ERROR", "NO_AUTH":
		return false
	}
	return true
}

// codeWord keeps a code or an id, and nothing that only looks like one.
func codeWord(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return "UNREADABLE"
		}
	}
	return s
}

// notFound tells whether err is the platform's word that there is no such thing: a 404 with one of the codes.
func notFound(err error, codes ...string) bool {
	var a *Answer
	if !errors.As(err, &a) || a.Status != http.StatusNotFound {
		return false
	}
	for _, code := range codes {
		if a.Code == code {
			return true
		}
	}
	return false
}

// unreadable is a 2xx whose signature or content does not hold: the outcome is unknown.
func unreadable(op string) error {
	return order.ErrPaymentsAway.Because(errUnreadable(op))
}

func errUnreadable(op string) error {
	return fmt.Errorf("weixinpay: %s: the answer does not verify or cannot be read", op)
}
