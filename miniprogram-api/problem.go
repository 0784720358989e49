package miniprogramapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

// Problem is every error body: RFC 9457, with the fault's stable code. It never repeats a value that was sent.
type Problem struct {
	Type    string         `json:"type" doc:"urn:guanxi:fault:<code>"`
	Title   string         `json:"title" doc:"一句可以直接给用户看的话"`
	Status  int            `json:"status"`
	Code    string         `json:"code" doc:"稳定的错误码"`
	English string         `json:"english" doc:"the same sentence in English"`
	Fields  []ProblemField `json:"fields,omitempty" nullable:"false"`
	Request string         `json:"request_id,omitempty"`
	header  http.Header
}

// ProblemField names a part of the input that is wrong.
type ProblemField struct {
	Name string `json:"name" example:"body.lines[0].units"`
	Why  string `json:"why"`
}

// Error satisfies error.
func (p *Problem) Error() string { return p.Code + ": " + p.English }

// GetStatus satisfies huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders satisfies huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType marks the body as a problem document.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// The edge's own faults.
var (
	errInput        = fault.Define("API_INPUT_INVALID", fault.Invalid, "请求内容有误", "the request is not valid")
	errMalformed    = fault.Define("API_MALFORMED", fault.Invalid, "请求格式有误", "the request cannot be read")
	errTooLarge     = fault.Define("API_TOO_LARGE", fault.Invalid, "请求内容过大", "the request body is too large")
	errMedia        = fault.Define("API_MEDIA_TYPE", fault.Invalid, "请使用 JSON 格式", "send application/json")
	errNoRoute      = fault.Define("API_NO_SUCH_OPERATION", fault.NotFound, "没有这个接口", "no such operation")
	errMethod       = fault.Define("API_METHOD", fault.NotFound, "接口不支持该方法", "the operation does not take this method")
	errLogin        = fault.Define("API_LOGIN_REQUIRED", fault.Unauthenticated, "请先登录", "log in first")
	errKeyReused    = fault.Define("API_KEY_REUSED", fault.Conflict, "同一操作编号不能用于不同内容", "this Idempotency-Key was used with another request")
	errTooMany      = fault.Define("API_TOO_MANY", fault.Exhausted, "操作太频繁，请稍后再试", "too many requests, try again later")
	errAway         = fault.Define("API_STORE_AWAY", fault.Unavailable, "服务繁忙，请稍后重试", "a part we depend on is away, try again")
	errStopping     = fault.Define("API_STOPPING", fault.Unavailable, "服务正在更新，请稍后重试", "the service is restarting, try again")
	errCancelled    = fault.Define("API_CANCELLED", fault.Unavailable, "请求超时，请重试", "the request took too long, try again")
	errInternal     = fault.Define("API_INTERNAL", fault.Internal, "系统开小差了，我们已收到通知", "something is wrong on our side; we have been told")
	errPlatform     = fault.Define("API_PLATFORM_AWAY", fault.Unavailable, "微信暂时没有响应，请稍后重试", "WeChat does not answer, try again")
	errNotification = fault.Define("API_NOTIFICATION_REFUSED", fault.Invalid, "通知未通过验证", "the notification did not pass verification")
)

// ErrPlatformAway is what an adapter that draws code images wraps when the platform does not answer.
var ErrPlatformAway = errPlatform

// Faults lists the edge's own catalogue entries.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		errInput, errMalformed, errTooLarge, errMedia, errNoRoute, errMethod, errLogin, errKeyReused, errTooMany, errAway,
		errStopping, errCancelled, errInternal, errPlatform, errNotification,
	}
}

// statusOf is the one table from fault kinds to HTTP.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Exhausted:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// faultOf reduces any error of a use case to a fault: its own, or one for the store, or an internal one.
func faultOf(err error) *fault.Fault {
	if f := fault.Of(err); f != nil {
		return f
	}
	switch {
	case errors.Is(err, docstore.ErrUnavailable), errors.Is(err, docstore.ErrUnclear), errors.Is(err, docstore.ErrContended):
		return errAway.Because(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errCancelled.Because(err)
	}
	return errInternal.Because(err)
}

func problemOf(f *fault.Fault, request string) *Problem {
	p := &Problem{
		Type: "urn:guanxi:fault:" + f.Code, Title: f.ZH, Status: statusOf(f.Kind), Code: f.Code, English: f.EN,
		Request: request,
	}
	for _, field := range f.Fields {
		p.Fields = append(p.Fields, ProblemField{field.Name, field.Why})
	}
	if f.Kind == fault.Unavailable || f.Kind == fault.Exhausted {
		p.header = http.Header{"Retry-After": {"1"}}
	}
	return p
}

// humaError replaces huma's own error body, which would echo the offending values (phone numbers!).
func humaError(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	request := ""
	if ctx != nil {
		request = requestID(ctx.Context())
	}
	f := frameworkFault(status, message)
	for _, err := range errs {
		if own := fault.Of(err); own != nil {
			return problemOf(own, request)
		}
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			f = f.With(safeName(detail), safeWhy(detail.Message))
		}
	}
	return problemOf(f, request)
}

func frameworkFault(status int, message string) *fault.Fault {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return errTooLarge
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return errMedia
	case http.StatusUnprocessableEntity:
		return errInput
	case http.StatusNotFound:
		return errNoRoute
	case http.StatusRequestTimeout:
		return errCancelled
	case http.StatusBadRequest:
		return errMalformed
	}
	if status >= http.StatusInternalServerError {
		return errInternal.Because(errors.New(message))
	}
	return errMalformed.Because(errors.New(message))
}

// safeName is the place of the mistake. A name we do not know was made up by the caller and is not repeated.
func safeName(detail *huma.ErrorDetail) string {
	switch detail.Message {
	case validation.MsgUnexpectedProperty, "unknown query parameter":
		root, _, _ := strings.Cut(detail.Location, ".")
		return root
	}
	return detail.Location
}

// safeWhy keeps the validator's rule and drops anything that might quote the input.
func safeWhy(message string) string {
	if cut := strings.IndexAny(message, ":\"'`"); cut > 0 {
		message = strings.TrimSpace(message[:cut])
	}
	return message
}
