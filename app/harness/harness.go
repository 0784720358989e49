// Package harness runs the whole program with the platforms imitated beside it, everything on loopback: what the demo, the bench and
// the end-to-end tests work with. It is the one place where the program and the sandbox meet.
package harness

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
	"guanxi/commission/sharing"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/platform/sandbox"
	"guanxi/platform/weixin"
	"guanxi/platform/weixinpay"
)

// Sandboxed is the program and the sandbox. The adapters do their real signing, encryption and parsing.
type Sandboxed struct {
	*app.App
	Sandbox *sandbox.Sandbox
	Pay     *weixinpay.Payments
	Weixin  *weixin.Client
	URL     string // of the edge

	platform *http.Server
	address  string
	listener net.Listener
	cancel   context.CancelFunc
	edge     sync.WaitGroup
	served   sync.WaitGroup
}

// Config says what to run. Store and Log are required.
type Config struct {
	Store   *docstore.Store
	Log     *slog.Logger
	Clock   clock.Clock // business time of the program; default the machine's
	Listen  string      // default a free port on loopback
	Sandbox sandbox.Config
	Metrics *prometheus.Registry
	Nanos   func() int64                         // monotonic nanoseconds, to count time in RSA
	Tune    func(*app.Config)                    // last word on the program's configuration
	Sharing sharing.Config                       // On: payments can be shared with members
	Wrap    func(edge http.Handler) http.Handler // puts pages beside the edge

	Prepare  func(*sandbox.Sandbox) error             // before anything is served: what the sandbox knew before
	Platform func(platform http.Handler) http.Handler // goes round the sandbox on its own port
}

// Open joins everything and begins to serve; events and loops move only after Start.
func Open(ctx context.Context, c Config) (_ *Sandboxed, err error) {
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	s := &Sandboxed{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.listener, err = app.Listen(ctx, c.Listen); err != nil {
		return nil, err
	}
	s.URL = "http://" + s.listener.Addr().String()
	c.Sandbox.Clock, c.Sandbox.AllowLoopbackHTTP, c.Sandbox.Nanos = c.Clock, true, c.Nanos
	if s.Sandbox, err = sandbox.New(c.Sandbox); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if c.Prepare != nil {
		if err := c.Prepare(s.Sandbox); err != nil {
			return nil, fmt.Errorf("prepare sandbox: %w", err)
		}
	}
	if err := s.openPlatform(ctx, c.Platform); err != nil {
		return nil, err
	}
	if err := s.adapters(c); err != nil {
		return nil, err
	}
	credentials := s.Sandbox.Credentials()
	config := app.Config{Store: c.Store, Clock: c.Clock, Log: c.Log, Metrics: c.Metrics, Sharing: c.Sharing}
	config.Use(app.Platforms{Weixin: s.Weixin, Pay: s.Pay, AppID: credentials.AppID, MchID: credentials.MchID})
	if c.Tune != nil {
		c.Tune(&config)
	}
	if s.App, err = app.New(ctx, config); err != nil {
		return nil, err
	}
	s.serve(ctx, c)
	return s, nil
}

func (s *Sandboxed) adapters(c Config) (err error) {
	credentials := s.Sandbox.Credentials()
	s.Pay, err = weixinpay.New(weixinpay.Config{
		AppID: credentials.AppID, MchID: credentials.MchID, MerchantSerial: credentials.MerchantSerial,
		MerchantKeyPEM: credentials.MerchantKeyPEM, PublicKeyID: credentials.PublicKeyID,
		PublicKeyPEM: credentials.PublicKeyPEM, APIv3Key: credentials.APIv3Key,
		NotifyURL: s.URL + "/v1/notify/weixinpay", BaseURL: s.PlatformURL(), Nanos: c.Nanos,
		Clock: c.Clock, ShareProfit: c.Sharing.On, Sharing: weixinpay.SharingConfig{Ceiling: c.Sharing.Ceiling},
	})
	if err != nil {
		return err
	}
	s.Weixin, err = weixin.New(weixin.Config{
		AppID: credentials.AppID, AppSecret: credentials.AppSecret, MchID: credentials.MchID, BaseURL: s.PlatformURL(),
		Clock: c.Clock,
	})
	return err
}

func (s *Sandboxed) serve(ctx context.Context, c Config) {
	handler := s.Handler()
	if c.Wrap != nil {
		handler = c.Wrap(handler)
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.edge.Go(func() {
		if err := app.Serve(ctx, s.listener, handler, c.Log, s.API.Drain); err != nil {
			c.Log.Error("serve", "error", err.Error())
		}
	})
}

// PlatformURL is where the sandbox listens.
func (s *Sandboxed) PlatformURL() string { return "http://" + s.address }

func (s *Sandboxed) openPlatform(ctx context.Context, wrap func(http.Handler) http.Handler) error {
	l, err := app.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = l.Addr().String()
	var handler http.Handler = s.Sandbox
	if wrap != nil {
		handler = wrap(handler)
	}
	s.platform = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	server := s.platform
	s.served.Go(func() { _ = server.Serve(l) }) // ends when it is closed
	return nil
}

// Stop ends serving, lets events in delivery finish and closes the sandbox; the store stays open.
func (s *Sandboxed) Stop(ctx context.Context) error {
	if s.cancel != nil {
		s.cancel()
		s.edge.Wait()
	}
	err := s.App.Stop(ctx)
	s.close()
	return err
}

func (s *Sandboxed) close() {
	if s.Sandbox != nil {
		s.Sandbox.Close()
	}
	if s.platform != nil {
		_ = s.platform.Close()
	}
	s.served.Wait()
	if s.Pay != nil {
		s.Pay.Shutdown()
	}
	if s.Weixin != nil {
		s.Weixin.Shutdown()
	}
	if s.cancel == nil && s.listener != nil {
		_ = s.listener.Close() // never served
	}
}
