package edge

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

// What every edge may answer.
var (
	ErrInput     = fault.Define("API_INPUT_INVALID", fault.Invalid, "请求内容有误", "the request is not valid")
	ErrMalformed = fault.Define("API_MALFORMED", fault.Invalid, "请求格式有误", "the request cannot be read")
	ErrTooLarge  = fault.Define("API_TOO_LARGE", fault.Large, "请求内容过大", "the request body is too large")
	ErrMedia     = fault.Define("API_MEDIA_TYPE", fault.Media, "请使用 JSON 格式", "send application/json")
	ErrNoRoute   = fault.Define("API_NO_SUCH_OPERATION", fault.NotFound, "没有这个接口", "no such operation")
	ErrMethod    = fault.Define("API_METHOD", fault.Method, "接口不支持该方法", "the operation does not take this method")
	ErrLogin     = fault.Define("API_LOGIN_REQUIRED", fault.Unauthenticated, "请先登录", "log in first")
	ErrKeyReused = fault.Define("API_KEY_REUSED", fault.Conflict, "同一操作编号不能用于不同内容", "this Idempotency-Key was used with another request")
	ErrTooMany   = fault.Define("API_TOO_MANY", fault.Exhausted, "操作太频繁，请稍后再试", "too many requests, try again later")
	ErrAway      = fault.Define("API_STORE_AWAY", fault.Unavailable, "服务繁忙，请稍后重试", "a part we depend on is away, try again")
	ErrStopping  = fault.Define("API_STOPPING", fault.Unavailable, "服务正在更新，请稍后重试", "the service is restarting, try again")
	ErrCancelled = fault.Define("API_CANCELLED", fault.Unavailable, "请求超时，请重试", "the request took too long, try again")
	ErrSlow      = fault.Define("API_SLOW", fault.Slow, "请求传输太慢，请重试", "the request did not arrive in time, try again")
	ErrInternal  = fault.Define("API_INTERNAL", fault.Internal, "系统开小差了，我们已收到通知", "something is wrong on our side; we have been told")
)

// Faults lists the catalogue entries that every edge has.
func Faults() []*fault.Fault {
	return []*fault.Fault{
		ErrInput, ErrMalformed, ErrTooLarge, ErrMedia, ErrNoRoute, ErrMethod, ErrLogin, ErrKeyReused, ErrTooMany, ErrAway,
		ErrStopping, ErrCancelled, ErrSlow, ErrInternal,
	}
}

// StatusOf is the one table from fault kinds to HTTP.
func StatusOf(kind fault.Kind) int {
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
	case fault.Slow:
		return http.StatusRequestTimeout
	case fault.Method:
		return http.StatusMethodNotAllowed
	case fault.Large:
		return http.StatusRequestEntityTooLarge
	case fault.Media:
		return http.StatusUnsupportedMediaType
	}
	return http.StatusInternalServerError
}

// FaultOf reduces any error of a use case to a fault: its own, or one for the store, or an internal one.
func FaultOf(err error) *fault.Fault {
	if f := fault.Of(err); f != nil {
		return f
	}
	switch {
	case errors.Is(err, docstore.ErrUnavailable), errors.Is(err, docstore.ErrUnclear), errors.Is(err, docstore.ErrContended):
		return ErrAway.Because(err)
	case errors.Is(err, docstore.ErrPage):
		return ErrInput.With("cursor", "翻页参数不正确 / no such page").Because(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrCancelled.Because(err)
	}
	return ErrInternal.Because(err)
}

func problemOf(f *fault.Fault, request string) *Problem {
	p := &Problem{
		Type: "urn:guanxi:fault:" + f.Code, Title: f.ZH, Status: StatusOf(f.Kind), Code: f.Code, English: f.EN,
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
		request = RequestID(ctx.Context())
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
		return ErrTooLarge
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return ErrMedia
	case http.StatusUnprocessableEntity:
		return ErrInput
	case http.StatusNotFound:
		return ErrNoRoute
	case http.StatusRequestTimeout:
		return ErrSlow
	case http.StatusMethodNotAllowed:
		return ErrMethod
	case http.StatusBadRequest:
		return ErrMalformed
	}
	if status >= http.StatusInternalServerError {
		return ErrInternal.Because(errors.New(message))
	}
	return ErrMalformed.Because(errors.New(message))
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
