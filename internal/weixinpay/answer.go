package weixinpay

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wechatpay-apiv3/wechatpay-go/core"

	"guanxi/internal/weixin/wire"
	"guanxi/order"
)

// Answer is the platform's refusal as far as it may be shown in a log: the SDK's own error prints every header.
type Answer struct {
	Op        string // prepay, query, close, refund, query refund
	Status    int    // HTTP
	Code      string // NOT_ENOUGH, SYSTEM_ERROR …; empty when the answer had none
	RequestID string // what WeChat's support asks for
}

// Error names the operation, the status and the code.
func (a *Answer) Error() string {
	return fmt.Sprintf("weixinpay: %s: %d %s (request %s)", a.Op, a.Status, a.Code, a.RequestID)
}

// call runs one SDK call and turns what comes back into the two errors of the port.
func (p *Payments) call(op string, do func() (*core.APIResult, error)) (err error) {
	defer func() {
		if r := recover(); r != nil { // the SDK has panicked on answers before
			err = order.ErrPaymentsAway.Because(fmt.Errorf("weixinpay: %s: the SDK panicked: %T", op, r))
		}
	}()
	result, err := do()
	if err == nil {
		if result != nil && result.Response != nil && result.Response.StatusCode == http.StatusAccepted {
			return order.ErrPaymentsAway.Because(&Answer{Op: op, Status: http.StatusAccepted})
		}
		return nil
	}
	var api *core.APIError
	if errors.As(err, &api) {
		answer := &Answer{Op: op, Status: api.StatusCode, Code: codeWord(api.Code), RequestID: codeWord(api.Header.Get("Request-Id"))}
		if final(answer) {
			return order.ErrPaymentRefused.Because(answer)
		}
		return order.ErrPaymentsAway.Because(answer)
	}
	if result != nil && result.Response != nil { // it answered 2xx, but what it said does not count
		return unreadable(op)
	}
	return order.ErrPaymentsAway.Because(fmt.Errorf("weixinpay: %s: %w", op, wire.Plain(err)))
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

// isAnswer tells whether err is that answer of the platform.
func isAnswer(err error, status int, codes ...string) bool {
	var a *Answer
	if !errors.As(err, &a) || a.Status != status {
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
	return order.ErrPaymentsAway.Because(fmt.Errorf("weixinpay: %s: the answer does not verify or cannot be read", op))
}
