package miniprogramapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"

	"guanxi/internal/fault"
	"guanxi/internal/id"
)

// metrics are the edge's counters. Labels are routes and codes, never ids.
type metrics struct {
	requests *prometheus.HistogramVec
	faults   *prometheus.CounterVec
}

func newMetrics(into prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "guanxi_http_request_seconds", Help: "Time to answer, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"route", "method", "status"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "guanxi_faults_total", Help: "Refusals given to callers, by code.",
		}, []string{"code"}),
	}
	if into != nil {
		into.MustRegister(m.requests, m.faults)
	}
	return m
}

func (m *metrics) fault(code string) { m.faults.WithLabelValues(code).Inc() }

// observe gives every request an id, a bounded time, a span, a metric and one log line.
func (a *API) observe(c *gin.Context) {
	start := a.clock.Now()
	request := c.GetHeader("X-Request-Id")
	if !id.Valid(request) || len(request) > 64 {
		request = id.Random{}.New(start)
	}
	c.Header("X-Request-Id", request)
	c.Header("X-Content-Type-Options", "nosniff")
	ctx, cancel := context.WithTimeout(context.WithValue(c.Request.Context(), keyRequest, request), patience)
	defer cancel()
	ctx, span := otel.Tracer("guanxi/miniprogram-api").Start(ctx, c.Request.Method+" "+c.FullPath())
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	watch := prometheus.NewTimer(nil)
	c.Next()
	took, status, route, method := watch.ObserveDuration(), c.Writer.Status(), c.FullPath(), c.Request.Method
	if route == "" {
		route, method = "none", "any" // a caller may invent methods, and every label is kept for ever
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("http.route", route))
	a.metrics.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
	if a.log.Enabled(ctx, -4) || status >= http.StatusInternalServerError {
		a.log.InfoContext(ctx, "request", "route", route, "method", method, "status", status,
			"ms", took.Milliseconds(), "request", request)
	}
}

// recover answers a panic with a coded 500 and keeps the service up.
func (a *API) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		a.log.ErrorContext(c.Request.Context(), "panic in a handler", "route", c.FullPath(), "panic", fmt.Sprint(p),
			"stack", string(debug.Stack()), "request", requestID(c.Request.Context()))
		a.plain(c, errInternal)
	}()
	c.Next()
}

// plain renders a fault outside huma.
func (a *API) plain(c *gin.Context, f *fault.Fault) {
	a.metrics.fault(f.Code)
	problem := problemOf(f, requestID(c.Request.Context()))
	body, err := json.Marshal(problem)
	if err != nil || c.Writer.Written() {
		c.Abort()
		return
	}
	for name, values := range problem.header {
		c.Header(name, values[0])
	}
	c.Abort()
	c.Data(problem.Status, problem.ContentType(""), body)
}
