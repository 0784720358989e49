package edge

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const (
	maxBody      = 64 << 10
	bodyPatience = 5 * time.Second
	// Patience bounds one request, unless its operation has another; a client of a mini-program gives up after about
	// ten seconds anyway.
	Patience = 8 * time.Second
)

//go:embed docs.html
var docsPage []byte

// Limiter spends rate-limit tokens; it answers how long to wait when there are none.
type Limiter interface {
	Allow(ctx context.Context, who string, tokens int) (wait time.Duration, ok bool)
}

// Config is what an edge stands on. Limiter and Metrics may be nil.
type Config struct {
	Name        string // in traces: miniprogram-api
	Title       string // of the description
	Label       string // over the page that shows it
	Description string
	Session     string // how to get a token, in words
	Caller      string // what callers are called in logs and limits: member
	Answers     string // name of the collection of recorded answers

	// Authenticate says whose token this is. Whose things they may touch is the use case's business.
	Authenticate func(ctx context.Context, token string, op Operation) (Identity, error)
	// Genuine reports, without asking the store, whether a token may be one that was handed out. Such a token is looked up
	// whatever its address has done. Optional: none is.
	Genuine func(token string) bool
	// Permit, when set, refuses who may not call the operation at all. It comes after the rate limit, so that it may
	// write down whom it refused.
	Permit func(ctx context.Context, op Operation) error

	Store      *docstore.Store
	Clock      clock.Clock
	Log        *slog.Logger
	Limiter    Limiter
	Metrics    prometheus.Registerer
	TrustProxy bool // take the caller's address from the last hop of X-Forwarded-For
}

// Edge carries the operations of one API.
type Edge struct {
	config     Config
	engine     *gin.Engine
	huma       huma.API
	operations []Operation
	patient    map[string]time.Duration // by method and route, where it is not Patience
	answers    *answers
	metrics    *metrics
	strangers  strangers
}

// New makes a router without operations.
func New(ctx context.Context, c Config) (*Edge, error) {
	if c.Store == nil || c.Clock == nil || c.Log == nil || c.Authenticate == nil || c.Name == "" || c.Caller == "" || c.Answers == "" {
		return nil, errors.New("edge: store, clock, log, authentication and names are required")
	}
	kept, err := openAnswers(ctx, c.Store, c.Clock, c.Answers)
	if err != nil {
		return nil, err
	}
	counted, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	hookFrameworks()
	e := &Edge{config: c, engine: gin.New(), patient: map[string]time.Duration{}, answers: kept, metrics: counted}
	e.engine.HandleMethodNotAllowed, e.engine.RedirectTrailingSlash = true, false
	e.engine.Use(e.observe, e.recover)
	e.engine.NoRoute(func(c *gin.Context) { e.Plain(c, ErrNoRoute) })
	e.engine.NoMethod(func(c *gin.Context) { e.Plain(c, ErrMethod) })
	e.huma = humagin.New(e.engine, e.describe())
	return e, nil
}

// Router takes doors that are no operations: health, notifications whose shape somebody else dictates.
func (e *Edge) Router() gin.IRouter { return e.engine }

// Handler serves the edge.
func (e *Edge) Handler() http.Handler { return e.engine }

// Operations lists what was registered, in that order.
func (e *Edge) Operations() []Operation { return e.operations }

// OpenAPI is the description of every operation, 3.1, as JSON.
func (e *Edge) OpenAPI() ([]byte, error) { return e.huma.OpenAPI().MarshalJSON() }

// CountFault counts a refusal that was not given by an operation.
func (e *Edge) CountFault(code string) { e.metrics.fault(code) }

// Tidy deletes what the edge need not remember any longer.
func (e *Edge) Tidy(ctx context.Context) (int, error) { return e.answers.forget(ctx, 2000) }

// Describe serves the description and a page that shows it, standing in the same folder; both are made once. Call it
// after the last Register.
func (e *Edge) Describe(spec, page string) error {
	described, err := e.OpenAPI()
	if err != nil {
		return err
	}
	shown := bytes.ReplaceAll(docsPage, []byte("{{label}}"), []byte(html.EscapeString(e.config.Label)))
	e.engine.GET(spec, func(c *gin.Context) { c.Data(http.StatusOK, "application/openapi+json", described) })
	e.engine.GET(page, func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", shown)
	})
	return nil
}

// hookFrameworks sets what gin and huma keep once per program.
var hookFrameworks = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode) // no route dump, no colours
	huma.NewErrorWithContext = humaError
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaError(nil, status, message, errs...)
	}
	huma.DefaultArrayNullable = false
	// encoding/json takes "UNITS" for "units": without this, a value would be validated under one name and read
	// from the other.
	huma.ValidateStrictCasing = true
})

func (e *Edge) describe() huma.Config {
	c := huma.DefaultConfig(e.config.Title, "1")
	c.CreateHooks = nil // no $schema links in bodies
	c.DocsPath, c.SchemasPath, c.OpenAPIPath = "", "", ""
	c.Formats = map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()}
	c.Info.Description = e.config.Description
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "http", Scheme: "bearer", Description: e.config.Session},
	}
	return c
}

// patience is how long a request may take.
func (e *Edge) patience(c *gin.Context) time.Duration {
	if longer, ok := e.patient[c.Request.Method+" "+c.FullPath()]; ok {
		return longer
	}
	return Patience
}

// routeOf is gin's way to write a path.
func routeOf(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
