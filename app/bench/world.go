package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/catalog"
	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/event"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/internal/redisx"
	"guanxi/member"
	"guanxi/order"
	"guanxi/platform/sandbox"
)

// world is the whole program as `guanxi serve` runs it (metrics, rate limits, embedded Redis), with the platforms
// imitated, on a fresh store.
type world struct {
	*harness.Sandboxed
	*place
	redis  *redisx.Redis
	client *http.Client
	clock  clock.Clock
}

// rate is so high that the limiter works on every request and never refuses.
const rate = 100_000_000

func openWorld(ctx context.Context, o Options, callers int, listeners ...event.Consumer) (_ *world, err error) {
	w := &world{clock: clock.System{}}
	if w.place, err = openPlace(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.discard()
		}
	}()
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	if w.redis, err = redisx.Open(redisx.Config{Clock: w.clock, Log: log}); err != nil {
		return nil, err
	}
	w.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConns: 2 * callers, MaxIdleConnsPerHost: callers, DisableCompression: true, IdleConnTimeout: time.Minute,
	}}
	w.Sandboxed, err = harness.Open(ctx, harness.Config{
		Store: w.store, Log: log, Clock: w.clock, Metrics: prometheus.NewRegistry(), Wrap: labelled("edge"),
		Sandbox: sandbox.Config{NotifyClient: labelledClient("sandbox")},
		Tune: func(c *app.Config) {
			// a thousand members place all the orders of a run, and nobody pays for most of them
			c.Orders.Terms = []order.Terms{{Orders: 100, Units: 1 << 40, CampaignOrders: 100, CampaignUnits: 1 << 40}}
			c.Accelerate(w.redis, rate)
			if o.Mongo == "" {
				c.StandAlone()
			}
			c.Listeners = listeners
		},
	})
	if err != nil {
		return nil, err
	}
	if !o.asleep {
		if err := w.Start(ctx); err != nil {
			return nil, err
		}
	}
	_, err = w.Commission.Policies.Publish(ctx, policy.Policy{
		From: w.clock.Now().Add(-time.Hour), Cap: 2000, Rules: []policy.Rule{{Pays: []policy.Pay{
			{Role: commission.Direct, Rate: 1000}, {Role: commission.Host, Rate: 500},
		}}},
	})
	return w, err
}

// settle waits until every event has been taken and every posting is in the purses.
func (w *world) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return errors.Join(w.Sandbox.Drain(ctx), w.Relay.Drain(ctx), w.Commission.CatchUp(ctx))
}

// close stops everything and removes the store, also after a failure half-way.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w.client.CloseIdleConnections()
	err := w.Stop(ctx)
	w.discard()
	return err
}

func (w *world) discard() {
	if w.redis != nil {
		_ = w.redis.Close() // embedded: nothing in it is worth an error
	}
	w.place.close()
}

// person is somebody logged in.
type person struct{ name, id, token string }

// login signs a person in as the mini-program does, without the HTTP on our side.
func (w *world) login(ctx context.Context, name string) (person, error) {
	l, err := w.Members.Login(ctx, member.LoginInput{Code: w.Sandbox.LoginCode(name)})
	return person{name, l.MemberID, l.Token}, err
}

// people logs many in.
func (w *world) people(ctx context.Context, o Options, prefix string, n int) ([]person, error) {
	all := make([]person, n)
	err := each(ctx, o, "log in "+prefix, 32, n, func(ctx context.Context, i int) (err error) {
		all[i], err = w.login(ctx, fmt.Sprint(prefix, i))
		return err
	})
	return all, err
}

// product puts one product with so many units on the shelf and returns its SKU.
func (w *world) product(ctx context.Context, name string, price money.Fen, units int64) (sku string, err error) {
	p, err := w.Catalog.AddProduct(ctx, catalog.ProductInput{
		Key: id.Derive("bench", name), Name: name, Category: "水果",
		SKUs: []catalog.SKUInput{{Code: "a", Name: "5斤装", Price: price, Cost: price / 2}},
	})
	if err != nil {
		return "", err
	}
	sku = p.SKUs[0].ID
	return sku, w.Catalog.Receive(ctx, catalog.StockIn{Ref: "bench/" + p.ID, SKU: sku, Units: units})
}

// community makes a community of a host.
func (w *world) community(ctx context.Context, host, key string) (string, error) {
	if _, err := w.Hosting.Apply(ctx, hosting.ApplyInput{Member: host, Words: "邻里团购"}); err == nil {
		_, err = w.Hosting.Decide(ctx, hosting.Decision{Member: host, Step: hosting.StepApprove, By: "bench", Reason: "测量用"})
		if err != nil {
			return "", err
		}
	} else if !errors.Is(err, hosting.ErrState) {
		return "", err
	}
	c, err := w.Communities.Create(ctx, community.CreateInput{Host: host, Name: "阳光花园" + key, Words: "邻里团购", Key: "bench-" + key})
	if err != nil {
		return "", err
	}
	return c.ID, nil
}

// campaign opens a campaign over the SKUs, each limited to perPerson units a person (0 = as many as they like).
func (w *world) campaign(ctx context.Context, host, community, key string, perPerson int64, skus ...string) (string, error) {
	in := groupbuy.DraftInput{
		Key: "bench-" + key, Host: host, Community: community, Title: "周三水果接龙" + key, Words: "树上熟，周五到",
		StartsAt: w.clock.Now(), EndsAt: w.clock.Now().Add(24 * time.Hour),
	}
	for _, sku := range skus {
		in.Items = append(in.Items, groupbuy.ItemInput{SKU: sku, PerPerson: perPerson})
	}
	c, err := w.Campaigns.Draft(ctx, in)
	if err != nil {
		return "", err
	}
	_, err = w.Campaigns.Publish(ctx, host, c.ID)
	return c.ID, err
}

// labelled marks the connection's goroutine, so that a CPU profile can tell its work from other servers'.
func labelled(part string) func(http.Handler) http.Handler {
	mark := pprof.WithLabels(context.Background(), pprof.Labels("part", part))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pprof.SetGoroutineLabels(mark)
			next.ServeHTTP(w, r)
		})
	}
}

type labelledTransport struct {
	mark context.Context
	base http.RoundTripper
}

func (t labelledTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	pprof.SetGoroutineLabels(t.mark) // the connection's own goroutines inherit it
	return t.base.RoundTrip(r)
}

// labelledClient is the sandbox's own client for notifications, marked.
func labelledClient(part string) *http.Client {
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: labelledTransport{
			mark: pprof.WithLabels(context.Background(), pprof.Labels("part", part)),
			base: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
