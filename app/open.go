package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/docstore/transfer"
	"guanxi/internal/redisx"
	"guanxi/platform/weixin"
	"guanxi/platform/weixinpay"
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
	if err := transfer.Whole(ctx, store); err != nil {
		return nil, err
	}
	warn(ctx, log, store)
	redis, err := redisx.Open(redisx.Config{URL: v["GUANXI_REDIS_URL"], Clock: v.clock(), Log: log})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	p.closers = append(p.closers, redis.Close)
	platforms, err := openPlatforms(v, redis)
	if err != nil {
		return nil, err
	}
	c := Config{
		Store: store, Clock: v.clock(), Log: log, Metrics: metrics,
		TrustProxy: v["GUANXI_TRUST_PROXY"] == "true", ConsoleApart: v["GUANXI_CONSOLE_ADDR"] != "",
	}
	if v["GUANXI_MONGO_URL"] == "" {
		c.StandAlone()
	}
	c.Use(platforms)
	alone := c.Commission.Alone
	if c.Distribution.PolicyHorizon, err = v.horizon(); err != nil {
		return nil, err
	}
	if c.Commission, err = v.ledger(log); err != nil {
		return nil, err
	}
	c.Commission.Alone = alone
	if c.Withdrawal, c.Orders.Refunds, err = v.paying(); err != nil {
		return nil, err
	}
	if c.Sharing, _, err = v.sharing(); err != nil {
		return nil, err
	}
	if c.Reconcile, err = v.bills(c.Reconcile); err != nil {
		return nil, err
	}
	if c.Outreach, err = v.outreach(); err != nil {
		return nil, err
	}
	if err := c.hurry(v, redis); err != nil {
		return nil, err
	}
	p.App, err = New(ctx, c)
	return p, err
}

// OpenStore opens MongoDB when a URL is set, and the embedded store otherwise.
func OpenStore(ctx context.Context, v Values) (*docstore.Store, error) {
	return openStore(ctx, v, false)
}

// ReadStore opens a store that is there for reading: nothing is made, migrated, indexed or written.
// Error: docstore.ErrAbsent.
func ReadStore(ctx context.Context, v Values) (*docstore.Store, error) {
	return openStore(ctx, v, true)
}

func openStore(ctx context.Context, v Values, reading bool) (*docstore.Store, error) {
	driver, err := OpenDriver(ctx, v, reading)
	if err != nil {
		return nil, err
	}
	return v.StoreOn(driver)
}

// StoreOn is a store on an open driver, with the keys of the settings.
func (v Values) StoreOn(driver docstore.Driver) (*docstore.Store, error) {
	keys, err := v.keyRing()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keys: %w", err), driver.Close())
	}
	var patience time.Duration
	if v["GUANXI_MONGO_URL"] != "" {
		patience = 30 * time.Second // an election, and the operation behind it
	}
	return docstore.New(docstore.Config{Driver: driver, Clock: v.clock(), Keys: keys, Patience: patience})
}

// OpenDriver opens MongoDB when a URL is set, and the embedded store otherwise.
func OpenDriver(ctx context.Context, v Values, reading bool) (driver docstore.Driver, err error) {
	if url := v["GUANXI_MONGO_URL"]; url != "" {
		driver, err = mongo.Open(ctx, mongo.Options{URL: url, Database: v["GUANXI_MONGO_DATABASE"], ReadOnly: reading})
	} else {
		driver, err = sqlite.Open(ctx, sqlite.Options{Dir: v["GUANXI_DIR"], ReadOnly: reading})
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return driver, nil
}

// OpenSnapshot looks at the whole store as it is at this moment, while others may serve from it. Error: docstore.ErrAbsent.
func OpenSnapshot(ctx context.Context, v Values) (docstore.Snapshot, error) {
	if url := v["GUANXI_MONGO_URL"]; url != "" {
		return mongo.OpenSnapshot(ctx, mongo.Options{URL: url, Database: v["GUANXI_MONGO_DATABASE"]})
	}
	return sqlite.OpenSnapshot(v["GUANXI_DIR"])
}

// hurry puts Redis and the limit of requests in front of the program.
func (c *Config) hurry(v Values, redis *redisx.Redis) error {
	rate, err := strconv.Atoi(v["GUANXI_RATE"])
	if err != nil {
		return fmt.Errorf("GUANXI_RATE: %w", err)
	}
	c.Accelerate(redis, rate)
	return nil
}

// warn says what the store wants its operator to know.
func warn(ctx context.Context, log *slog.Logger, store *docstore.Store) {
	for _, warning := range store.Warnings() {
		log.WarnContext(ctx, "store", "warning", warning)
	}
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
	more, err := v.moreKeys()
	if err != nil {
		return Platforms{}, err
	}
	transfer, err := v.transfer()
	if err != nil {
		return Platforms{}, err
	}
	shared, relation, err := v.sharing()
	if err != nil {
		return Platforms{}, err
	}
	pay, err := weixinpay.New(weixinpay.Config{
		AppID: v["GUANXI_WEIXIN_APPID"], MchID: v["GUANXI_PAY_MCHID"], MerchantSerial: v["GUANXI_PAY_SERIAL"],
		MerchantKeyPEM: string(key), PublicKeyID: v["GUANXI_PAY_PUBLIC_KEY_ID"], PublicKeyPEM: string(public), MoreKeys: more,
		APIv3Key: v["GUANXI_PAY_APIV3_KEY"], NotifyURL: v["GUANXI_PUBLIC_URL"] + "/v1/notify/weixinpay", BaseURL: v["GUANXI_SANDBOX_URL"],
		Transfer: transfer, ShareProfit: shared.On, Sharing: weixinpay.SharingConfig{Ceiling: shared.Ceiling},
	})
	if err != nil {
		return Platforms{}, err
	}
	wx, err := weixin.New(weixin.Config{
		AppID: v["GUANXI_WEIXIN_APPID"], AppSecret: v["GUANXI_WEIXIN_SECRET"], MchID: v["GUANXI_PAY_MCHID"],
		BaseURL: v["GUANXI_SANDBOX_URL"], Clock: v.clock(), Cache: redis.TokenCache(), Lock: locker{redis.Lock()},
	})
	if err != nil {
		return Platforms{}, err
	}
	return Platforms{Weixin: wx, Pay: pay, AppID: v["GUANXI_WEIXIN_APPID"], MchID: v["GUANXI_PAY_MCHID"], Relation: relation}, nil
}
