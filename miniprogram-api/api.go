package miniprogramapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/member"
	"guanxi/order"
	"guanxi/outreach"
)

// Notifications turns what WeChat Pay posts into verified facts, or refuses (platform/weixinpay).
type Notifications interface {
	Verify(ctx context.Context, header http.Header, body []byte) (Notice, error)
}

// Notice is one verified notification: exactly one of Payment and Refund is set, or neither for kinds we do
// not act on.
type Notice struct {
	ID      string
	Payment *order.Payment
	Refund  *order.RefundReceipt
	Payout  *withdrawal.Outcome
}

// Wallet is what wx.requestMerchantTransfer wants to know beside the package.
type Wallet struct{ AppID, MchID string }

// CodeImages draws mini-program codes (platform/weixin): a PNG or a JPEG, or ErrPlatformAway.
type CodeImages interface {
	CodeImage(ctx context.Context, scene, page string) (image []byte, err error)
}

// Limiter spends rate-limit tokens.
type Limiter = edge.Limiter

// Deps is what the edge stands on. Limiter, Codes and Metrics may be nil.
type Deps struct {
	Store         *docstore.Store
	Clock         clock.Clock
	Log           *slog.Logger
	Members       *member.Service
	Communities   *community.Service
	Hosting       *hosting.Service
	Catalog       *catalog.Service
	Campaigns     *groupbuy.Service
	Orders        *order.Service
	Distribution  *distribution.Service
	Commission    *commission.Service
	Withdrawals   *withdrawal.Service
	Outreach      *outreach.Service
	Wallet        Wallet
	Notifications Notifications
	Codes         CodeImages
	Limiter       Limiter
	Metrics       prometheus.Registerer
	TrustProxy    bool // take the caller's address from the last hop of X-Forwarded-For
}

// API is the edge for shoppers and hosts.
type API struct {
	edge     *edge.Edge
	pages    *pages
	draining atomic.Bool
	refused  edge.Sampled // notifications: anybody may send one

	log           *slog.Logger
	store         *docstore.Store
	members       *member.Service
	communities   *community.Service
	hosting       *hosting.Service
	catalog       *catalog.Service
	campaigns     *groupbuy.Service
	orders        *order.Service
	distribution  *distribution.Service
	commission    *commission.Service
	withdrawals   *withdrawal.Service
	outreach      *outreach.Service
	wallet        Wallet
	notifications Notifications
	codes         CodeImages
}

// New declares every operation on a fresh router.
func New(ctx context.Context, d Deps) (*API, error) {
	if d.Store == nil || d.Clock == nil || d.Log == nil || d.Members == nil || d.Orders == nil {
		return nil, errors.New("miniprogramapi: store, clock, log and the domains are required")
	}
	a := &API{
		pages: newPages(), refused: edge.Sampled{Clock: d.Clock},
		log: d.Log, store: d.Store, members: d.Members, communities: d.Communities, hosting: d.Hosting,
		catalog: d.Catalog, campaigns: d.Campaigns, orders: d.Orders, distribution: d.Distribution,
		commission: d.Commission, withdrawals: d.Withdrawals, outreach: d.Outreach, wallet: d.Wallet, notifications: d.Notifications, codes: d.Codes,
	}
	var err error
	a.edge, err = edge.New(ctx, edge.Config{
		Name: "miniprogram-api", Title: "guanxi 关系 · 小程序接口", Label: "小程序接口",
		Description: "面向小程序的接口：购物者与团长。每个写操作都要带 Idempotency-Key；错误是 RFC 9457 格式，带稳定的错误码。",
		Session:     "POST /v1/login 返回的 token", Caller: "member", Answers: "answers", Authenticate: a.authenticate,
		Genuine: func(token string) bool { return d.Store.Keys().Genuine(member.TokenPurpose, token) },
		Store:   d.Store, Clock: d.Clock, Log: d.Log, Limiter: d.Limiter, Metrics: d.Metrics, TrustProxy: d.TrustProxy,
	})
	if err != nil {
		return nil, err
	}
	a.declare()
	return a, a.edge.Describe("/openapi.json", "/docs")
}

// Handler serves the edge.
func (a *API) Handler() http.Handler { return a.edge.Handler() }

// OpenAPI is the description of every operation, 3.1, as JSON.
func (a *API) OpenAPI() ([]byte, error) { return a.edge.OpenAPI() }

// Tidy deletes what the edge need not remember any longer.
func (a *API) Tidy(ctx context.Context) (int, error) { return a.edge.Tidy(ctx) }

// authenticate puts the session's member into the context.
func (a *API) authenticate(ctx context.Context, token string, _ edge.Operation) (edge.Identity, error) {
	who, err := a.members.Authenticate(ctx, token)
	return edge.Identity{ID: who.Member}, err
}

// memberOf is the logged-in member, or "".
func memberOf(ctx context.Context) string { return edge.Caller(ctx) }

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
	a.declareWithdrawals()
	a.declarePayees()
	a.declareDisputes()
	a.declareNotices()
	a.declareNotifications()
	a.declareHealth()
}
