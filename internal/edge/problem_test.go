package edge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"guanxi/catalog"
	"guanxi/community"
	"guanxi/groupbuy"
	"guanxi/internal/docstore"
	"guanxi/member"
	"guanxi/order"
)

func TestEveryErrorBecomesOneProblem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{groupbuy.ErrPriceFloor, 422, "GRP_PRICE_FLOOR"},
		{fmt.Errorf("place: %w", catalog.ErrSoldOut), 409, "CAT_SOLD_OUT"},
		{fmt.Errorf("a: %w", fmt.Errorf("b: %w", order.ErrNotFound.Because(errors.New("secret")))), 404, "ORD_NOT_FOUND"},
		{community.ErrNotHost, 403, "COMM_NOT_HOST"},
		{member.ErrSessionInvalid, 401, "MEM_SESSION_INVALID"},
		{&retryLater{time.Minute}, 429, "API_TOO_MANY"},
		{fmt.Errorf("x: %w", docstore.ErrUnavailable), 503, "API_STORE_AWAY"},
		{docstore.ErrUnclear, 503, "API_STORE_AWAY"},
		{docstore.ErrContended, 503, "API_STORE_AWAY"},
		{context.DeadlineExceeded, 503, "API_CANCELLED"},
		{context.Canceled, 503, "API_CANCELLED"},
		{fmt.Errorf("x: %w", docstore.ErrPage), 422, "API_INPUT_INVALID"},
		{errors.New("secret"), 500, "API_INTERNAL"},
		{docstore.ErrInvalid, 500, "API_INTERNAL"},
	} {
		p := problemOf(FaultOf(c.err), "r1")
		if p.Status != c.status || p.Code != c.code || p.Request != "r1" || strings.Contains(p.Title+p.English, "secret") {
			t.Errorf("%v: %+v", c.err, p)
		}
		if wants := p.Status == 429 || p.Status == 503; wants != (p.header.Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After %q", c.err, p.header.Get("Retry-After"))
		}
	}
}

func TestTheFrameworksErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	const secret = "13812345678"
	p := humaError(nil, 422, "validation failed "+secret,
		&huma.ErrorDetail{Location: "body." + secret, Message: "unexpected property", Value: secret},
		&huma.ErrorDetail{Location: "query." + secret, Message: "unknown query parameter", Value: secret},
		&huma.ErrorDetail{Location: "body.lines[0].units", Message: "invalid number: " + secret, Value: secret},
		&huma.ErrorDetail{Location: "body", Message: `parsing time "` + secret + `"`, Value: secret},
		&huma.ErrorDetail{Location: "body", Message: "invalid character '" + secret + "'", Value: secret},
		errors.New(secret),
	)
	problem, ok := p.(*Problem)
	if !ok || strings.Contains(fmt.Sprintf("%+v", *problem), secret) {
		t.Errorf("%+v", p)
	}
	if len(problem.Fields) != 5 || problem.Fields[0].Name != "body" || problem.Fields[2].Name != "body.lines[0].units" {
		t.Errorf("%+v", problem.Fields)
	}
	for status, code := range map[int]string{
		400: "API_MALFORMED", 404: "API_NO_SUCH_OPERATION", 406: "API_MEDIA_TYPE", 405: "API_METHOD", 408: "API_SLOW", 413: "API_TOO_LARGE",
		415: "API_MEDIA_TYPE", 422: "API_INPUT_INVALID", 500: "API_INTERNAL", 418: "API_MALFORMED",
	} {
		if got := humaError(nil, status, "x").(*Problem); got.Code != code {
			t.Errorf("%d: %s, want %s", status, got.Code, code)
		}
	}
}

func TestAWaitIsSaidInWholeSeconds(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int{
		-time.Second: 1, 0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, time.Hour: 3600, 1 << 62: 3600,
	} {
		if got := seconds(wait); got != want {
			t.Errorf("%s: %d, want %d", wait, got, want)
		}
	}
}
