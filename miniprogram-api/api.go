package miniprogramapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/community"
	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/member"
	"guanxi/order"
)

const (
	maxBody      = 64 << 10
	bodyPatience = 5 * time.Second
	// patience bounds one request; a client of a mini-program gives up after about ten seconds anyway.
	patience = 8 * time.Second
)

// Limiter spends rate-limit tokens; it answers how long to wait when there are none.
type Limiter interface {
	Allow(ctx context.Context, who string, tokens int) (wait time.Duration, ok bool)
}

// Notifications turns what WeChat Pay posts into verified facts, or refuses (internal/weixinpay).
type Notifications interface {
	Verify(ctx context.Context, header http.Header, body []byte) (Notice, error)
}

// Notice is one verified notification: exactly one of Payment and Refund is set, or neither for kinds we do
// not act on.
type Notice struct {
	ID      string
	Payment *order.Payment
	Refund  *order.RefundReceipt
}

// CodeImages draws mini-program codes (internal/weixin): a PNG or a JPEG, or ErrPlatformAway.
type CodeImages interface {
	CodeImage(ctx context.Context, scene, page string) (image []byte, err error)
}

// Deps is what the edge stands on. Limiter, Codes and Metrics may be nil.
type Deps struct {
	Store         *docstore.Store
	Clock         clock.Clock
	Log           *slog.Logger
	Members       *member.Service
	Communities   *community.Service
	Catalog       *catalog.Service
	Campaigns     *groupbuy.Service
	Orders        *order.Service
	Distribution  *distribution.Service
	Commission    *commission.Service
	Notifications Notifications
	Codes         CodeImages
	Limiter       Limiter
	Metrics       prometheus.Registerer
	TrustProxy    bool // take the caller's address from the last hop of X-Forwarded-For
}

// API is the edge for shoppers and hosts.
type API struct {
	engine     *gin.Engine
	huma       huma.API
	operations []operation
	answers    *answers
	metrics    *metrics
	pages      *pages
	draining   atomic.Bool

	log           *slog.Logger
	clock         clock.Clock
	store         *docstore.Store
	members       *member.Service
	communities   *community.Service
	catalog       *catalog.Service
	campaigns     *groupbuy.Service
	orders        *order.Service
	distribution  *distribution.Service
	commission    *commission.Service
	notifications Notifications
	codes         CodeImages
	limiter       Limiter
	trustProxy    bool
}

// New declares every operation on a fresh router.
func New(ctx context.Context, d Deps) (*API, error) {
	if d.Store == nil || d.Clock == nil || d.Log == nil || d.Members == nil || d.Orders == nil {
		return nil, errors.New("miniprogramapi: store, clock, log and the domains are required")
	}
	kept, err := openAnswers(ctx, d.Store, d.Clock)
	if err != nil {
		return nil, err
	}
	hookFrameworks()
	a := &API{
		engine: gin.New(), answers: kept, metrics: newMetrics(d.Metrics), pages: newPages(),
		log: d.Log, clock: d.Clock, store: d.Store, members: d.Members, communities: d.Communities,
		catalog: d.Catalog, campaigns: d.Campaigns, orders: d.Orders, distribution: d.Distribution,
		commission: d.Commission, notifications: d.Notifications, codes: d.Codes, limiter: d.Limiter,
		trustProxy: d.TrustProxy,
	}
	a.engine.HandleMethodNotAllowed, a.engine.RedirectTrailingSlash = true, false
	a.engine.Use(a.observe, a.recover)
	a.engine.NoRoute(func(c *gin.Context) { a.plain(c, errNoRoute) })
	a.engine.NoMethod(func(c *gin.Context) { a.plain(c, errMethod) })
	a.huma = humagin.New(a.engine, a.config())
	a.declare()
	return a, a.documents()
}

// Handler serves the edge.
func (a *API) Handler() http.Handler { return a.engine }

// OpenAPI is the description of every operation, 3.1, as JSON.
func (a *API) OpenAPI() ([]byte, error) { return a.huma.OpenAPI().MarshalJSON() }

// Tidy deletes what the edge need not remember any longer.
func (a *API) Tidy(ctx context.Context) (int, error) { return a.answers.forget(ctx, 2000) }

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

func (a *API) config() huma.Config {
	c := huma.DefaultConfig("guanxi 关系 · 小程序接口", "1")
	c.CreateHooks = nil // no $schema links in bodies
	c.DocsPath, c.SchemasPath, c.OpenAPIPath = "", "", ""
	c.Formats = map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()}
	c.Info.Description = "面向小程序的接口：购物者与团长。每个写操作都要带 Idempotency-Key；错误是 RFC 9457 格式，带稳定的错误码。"
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "http", Scheme: "bearer", Description: "POST /v1/login 返回的 token"},
	}
	return c
}

// declare lists every operation of the edge, room by room.
func (a *API) declare() {
	a.declareMembers()
	a.declareCommunities()
	a.declareShares()
	a.declareCampaigns()
	a.declareOrders()
	a.declareRefunds()
	a.declareHosting()
	a.declarePurse()
	a.declareNotifications()
	a.declareHealth()
}
