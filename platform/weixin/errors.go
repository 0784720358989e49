package weixin

import (
	"errors"
	"fmt"

	"github.com/silenceper/wechat/v2/util"

	"guanxi/platform/weixin/wire"
)

// What a call can end with. The errcode is in the chain as *CodeError.
var (
	// ErrAway: the platform is not reachable, busy, over a quota, or our credentials are wrong. Try later.
	ErrAway = errors.New("weixin: the platform is away")
	// ErrRefused: the platform says no to the content; repeating it will not help.
	ErrRefused = errors.New("weixin: the platform refuses")
	// ErrNotAccepted: the person has not accepted this template, or every acceptance is used up (43101).
	ErrNotAccepted = errors.New("weixin: the person accepts no such message")
	// ErrNotYet: the platform does not know the order yet (10060001): upload again in 10 to 60 seconds.
	ErrNotYet = errors.New("weixin: the platform does not know the order yet")
)

// CodeError is an errcode of the platform. The platform's words are left out: they can repeat the input.
type CodeError struct {
	Op   string
	Code int64
}

// Error names the operation and the errcode.
func (e *CodeError) Error() string { return fmt.Sprintf("weixin: %s: errcode %d", e.Op, e.Code) }

// refine turns what the SDK returns into our errors, and leaves behind the addresses it prints.
func refine(op string, err error) error {
	if err == nil {
		return nil
	}
	var code *CodeError
	if errors.As(err, &code) {
		return err // refined already
	}
	var common *util.CommonError
	if errors.As(err, &common) {
		return classified(op, common.ErrCode)
	}
	if errors.Is(err, ErrAway) {
		return err
	}
	return fmt.Errorf("weixin: %s: %w: %w", op, ErrAway, wire.Plain(err))
}

func classified(op string, code int64) error {
	kind := ErrRefused
	switch code {
	case 43101:
		kind = ErrNotAccepted
	case 10060001:
		kind = ErrNotYet
	case -1, 40001, 40013, 40014, 40125, 40164, 41001, 42001, 45009, 45011, 45033, 48001, 50002, 61024, 89503:
		kind = ErrAway // busy, credentials, allow-list, quotas: not the content's fault
	}
	return fmt.Errorf("%w: %w", kind, &CodeError{op, code})
}

func codeOf(err error) int64 {
	var e *CodeError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func tokenRefused(err error) bool {
	switch codeOf(err) {
	case 40001, 40014, 42001:
		return true
	}
	return false
}
