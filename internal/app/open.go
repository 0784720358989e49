package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/redisx"
	"guanxi/internal/weixin"
	"guanxi/internal/weixinpay"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
)

// Program is an App with everything that was opened for it.
type Program struct {
	*App
	closers []func() error
}

// Close closes, in reverse order, what was opened. Stop the App first.
func (p *Program) Close() error {
	var first error
	for i := len(p.closers) - 1; i >= 0; i-- {
		if err := p.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Platforms are the adapters to the outside, made from settings or from a sandbox's credentials.
type Platforms struct {
	Weixin *weixin.Client
	Pay    *weixinpay.Payments
	AppID  string
	MchID  string
}

// Open builds the production program from checked values.
func Open(ctx context.Context, v Values, log *slog.Logger, metrics *prometheus.Registry) (_ *Program, err error) {
	p := &Program{}
	defer func() {
		if err != nil {
			_ = p.Close() // the first error is the one to report
		}
	}()
	store, err := OpenStore(ctx, v)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, store.Close)
	redis, err := redisx.Open(ctx, redisx.Config{URL: v["GUANXI_REDIS_URL"], Clock: clock.System{}})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	p.closers = append(p.closers, redis.Close)
	platforms, err := openPlatforms(v, redis)
	if err != nil {
		return nil, err
	}
	c := Config{
		Store: store, Clock: clock.System{}, Log: log, Metrics: metrics, Sessions: sessions{redis},
		TrustProxy: v["GUANXI_TRUST_PROXY"] == "true",
	}
	c.Use(platforms)
	if rate, err := strconv.Atoi(v["GUANXI_RATE"]); err == nil && rate > 0 {
		c.Limiter = limiter{redis, rate}
	}
	p.App, err = New(ctx, c)
	return p, err
}

// Use puts the platforms' adapters into the configuration.
func (c *Config) Use(p Platforms) {
	c.Platform, c.Codes, c.Shipping = p.Weixin, p.Weixin, shipping{p.Weixin}
	c.Payments, c.Notifications = p.Pay, notifications{p.Pay}
	c.Orders.AppID, c.Orders.MchID = p.AppID, p.MchID
}

// OpenStore opens MongoDB when a URL is set, and the embedded store otherwise.
func OpenStore(ctx context.Context, v Values) (*docstore.Store, error) {
	keys, err := v.keyRing()
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var driver docstore.Driver
	if url := v["GUANXI_MONGO_URL"]; url != "" {
		driver, err = mongo.Open(ctx, mongo.Options{URL: url, Database: v["GUANXI_MONGO_DATABASE"]})
	} else {
		driver, err = sqlite.Open(ctx, sqlite.Options{Dir: v["GUANXI_DIR"]})
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: keys})
}

func openPlatforms(v Values, redis *redisx.Redis) (Platforms, error) {
	key, err := os.ReadFile(v["GUANXI_PAY_KEY_FILE"])
	if err != nil {
		return Platforms{}, fmt.Errorf("merchant key: %w", err)
	}
	public, err := os.ReadFile(v["GUANXI_PAY_PUBLIC_KEY_FILE"])
	if err != nil {
		return Platforms{}, fmt.Errorf("public key: %w", err)
	}
	pay, err := weixinpay.New(weixinpay.Config{
		AppID: v["GUANXI_WEIXIN_APPID"], MchID: v["GUANXI_PAY_MCHID"], MerchantSerial: v["GUANXI_PAY_SERIAL"],
		MerchantKeyPEM: string(key), PublicKeyID: v["GUANXI_PAY_PUBLIC_KEY_ID"], PublicKeyPEM: string(public),
		APIv3Key: v["GUANXI_PAY_APIV3_KEY"], NotifyURL: v["GUANXI_PUBLIC_URL"] + "/v1/notify/weixinpay",
	})
	if err != nil {
		return Platforms{}, err
	}
	wx, err := weixin.New(weixin.Config{
		AppID: v["GUANXI_WEIXIN_APPID"], AppSecret: v["GUANXI_WEIXIN_SECRET"], Clock: clock.System{},
	})
	if err != nil {
		return Platforms{}, err
	}
	return Platforms{Weixin: wx, Pay: pay, AppID: v["GUANXI_WEIXIN_APPID"], MchID: v["GUANXI_PAY_MCHID"]}, nil
}

// notifications translates the payment adapter's notices for the edge.
type notifications struct{ pay *weixinpay.Payments }

func (n notifications) Verify(ctx context.Context, header http.Header, body []byte) (miniprogramapi.Notice, error) {
	notice, err := n.pay.ParseNotification(ctx, header, body)
	return miniprogramapi.Notice{ID: notice.ID, Payment: notice.Payment, Refund: notice.Refund}, err
}

// limiter spends rate-limit tokens in Redis.
type limiter struct {
	redis     *redisx.Redis
	perMinute int
}

func (l limiter) Allow(ctx context.Context, who string, tokens int) (time.Duration, bool) {
	return l.redis.Allow(ctx, "edge:"+who, tokens, l.perMinute, time.Minute)
}

var _ order.Payments = (*weixinpay.Payments)(nil)
