package edge

import (
	"context"
	"encoding/json"
	"errors"
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

// metrics are the counters of all edges. Labels are routes and codes, never ids.
type metrics struct {
	requests *prometheus.HistogramVec
	faults   *prometheus.CounterVec
}

func newMetrics(into prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "guanxi_http_request_seconds", Help: "Time to answer, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"route", "method", "status"}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "guanxi_faults_total", Help: "Refusals given to callers, by code.",
		}, []string{"code"}),
	}
	if into == nil {
		return m, nil
	}
	return m, errors.Join(registerOnce(into, &m.requests), registerOnce(into, &m.faults))
}

// registerOnce takes the collector that another edge of the same program has registered already.
func registerOnce[C prometheus.Collector](into prometheus.Registerer, mine *C) error {
	err := into.Register(*mine)
	var there prometheus.AlreadyRegisteredError
	if errors.As(err, &there) {
		if theirs, same := there.ExistingCollector.(C); same {
			*mine = theirs
			return nil
		}
	}
	return err
}

func (m *metrics) fault(code string) { m.faults.WithLabelValues(code).Inc() }

// observe gives every request an id, a bounded time, a span, a metric and one log line.
func (e *Edge) observe(c *gin.Context) {
	start := e.config.Clock.Now()
	request := c.GetHeader("X-Request-Id")
	if !id.Valid(request) || len(request) > 64 {
		request = id.Random{}.New(start)
	}
	c.Header("X-Request-Id", request)
	c.Header("X-Content-Type-Options", "nosniff")
	caller := c.Request.Context()
	ctx, cancel := context.WithTimeout(context.WithValue(caller, keyRequest, request), e.patience(c))
	defer cancel()
	ctx, span := otel.Tracer("guanxi/"+e.config.Name).Start(ctx, c.Request.Method+" "+c.FullPath())
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	watch := prometheus.NewTimer(nil)
	c.Next()
	took, status, route, method := watch.ObserveDuration(), c.Writer.Status(), c.FullPath(), c.Request.Method
	if clientGone(caller) {
		status = statusGone
	}
	if route == "" {
		route, method = "none", "any" // a caller may invent methods, and every label is kept for ever
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("http.route", route))
	e.metrics.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
	if e.config.Log.Enabled(ctx, -4) || status >= http.StatusInternalServerError && status != statusGone {
		e.config.Log.InfoContext(ctx, "request", "route", route, "method", method, "status", status,
			"ms", took.Milliseconds(), "request", request)
	}
}

// statusGone is what metrics and the log say of a request whose caller went away before the answer.
const statusGone = 499

// clientGone reports whether the caller has closed the connection. Our own patience ends with a deadline instead.
func clientGone(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// recover answers a panic with a coded 500 and keeps the service up.
func (e *Edge) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		e.config.Log.ErrorContext(c.Request.Context(), "panic in a handler", "route", c.FullPath(), "panic", fmt.Sprint(p),
			"stack", string(debug.Stack()), "request", RequestID(c.Request.Context()))
		e.Plain(c, ErrInternal)
	}()
	c.Next()
}

// Plain renders a fault outside huma.
func (e *Edge) Plain(c *gin.Context, f *fault.Fault) {
	e.metrics.fault(f.Code)
	problem := problemOf(f, RequestID(c.Request.Context()))
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
