package redisx

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/go-redis/redis/v8"

	"guanxi/internal/clock"
)

// ErrAway says that Redis did not answer, or was not asked because it has not answered lately.
var ErrAway = errors.New("redisx: redis is away")

// Config says where Redis is and how patient to be with it.
type Config struct {
	URL   string // redis://user:password@host:6379/0 or rediss://…; empty = inside the process
	Clock clock.Clock

	Prefix  string        // of every key and channel; default "guanxi:"
	Timeout time.Duration // of one call, dialling included; default and maximum 150 ms
	Trip    int           // failures in a row after which Redis is left alone; default 3
	Rest    time.Duration // how long, before one call may probe; default 1 s
	Log     *slog.Logger  // hears when Redis goes and comes back; default silence

	share bool   // tests: other clients use the embedded server too
	bind  string // tests: the address the embedded server listens on; default 127.0.0.1
}

// Redis is a connection that may be absent. Its methods are safe for concurrent use.
type Redis struct {
	config  Config
	client  atomic.Pointer[redis.Client]
	dial    func() *redis.Client
	ear     *redis.Client // for the bus: lives through renewals of client
	breaker *breaker
	mini    *miniredis.Miniredis // nil with a real server
	self    string               // names this process on the bus

	// alone: nobody but this process can reach the embedded server, so what is asked with every request is answered from
	// memory. A script costs miniredis a quarter of a millisecond of CPU.
	alone     bool
	buckets   *memory[int64] // of every Limiter when alone
	estimates *memory[int64] // of every Gate when alone

	mu        sync.Mutex
	forwarded time.Time     // how far the embedded server's time has been moved
	walked    time.Duration // how long that took the last time
	listeners map[string][]func(text string)
	bus       *redis.PubSub

	quit   chan struct{}
	owned  sync.WaitGroup
	closed sync.Once
}

// Open connects lazily: an absent server is no error, a wrong URL is.
func Open(c Config) (*Redis, error) {
	if c.Clock == nil {
		return nil, errors.New("redisx: clock is required")
	}
	setDefaults(&c)
	r := &Redis{
		config: c, breaker: newBreaker(c), self: rand.Text(), quit: make(chan struct{}),
		listeners: map[string][]func(string){},
	}
	options, err := r.options()
	if err != nil {
		return nil, err
	}
	r.dial = func() *redis.Client {
		own := *options // the client rewrites what it is given: "no retries" would become three the second time
		return redis.NewClient(&own)
	}
	r.alone = r.mini != nil && !c.share
	r.buckets, r.estimates = newMemory[int64](c.Clock, limiterKeys), newMemory[int64](c.Clock, gateKeys)
	r.client.Store(r.dial())
	r.ear = r.dial()
	if r.mini != nil {
		r.forwarded = c.Clock.Now()
		r.mini.SetTime(r.forwarded)
		r.owned.Go(r.tick)
	}
	if !r.alone { // else there is nobody to hear
		r.owned.Go(r.listen)
	}
	return r, nil
}

func setDefaults(c *Config) {
	if c.Prefix == "" {
		c.Prefix = "guanxi:"
	}
	if c.Timeout <= 0 || c.Timeout > 150*time.Millisecond {
		c.Timeout = 150 * time.Millisecond
	}
	if c.Trip <= 0 {
		c.Trip = 3
	}
	if c.Rest <= 0 {
		c.Rest = time.Second
	}
	if c.bind == "" {
		c.bind = "127.0.0.1"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func (r *Redis) options() (*redis.Options, error) {
	address := r.config.URL
	if address == "" {
		mini := miniredis.NewMiniRedis()
		if err := mini.StartAddr(net.JoinHostPort(r.config.bind, "0")); err != nil {
			return nil, fmt.Errorf("redisx: embedded redis: %w", err)
		}
		r.mini, address = mini, "redis://"+mini.Addr()
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // the full text repeats the URL with its password
		}
		return nil, fmt.Errorf("redisx: url: %w", err)
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = r.config.Timeout, r.config.Timeout, r.config.Timeout
	options.PoolTimeout, options.PoolSize = r.config.Timeout, 64
	options.MaxRetries = -1 // a repeated script would count twice
	return options, nil
}

// Embedded tells whether Redis runs inside this process.
func (r *Redis) Embedded() bool { return r.mini != nil }

// Ping asks Redis whether it is there. Errors: ErrAway.
func (r *Redis) Ping(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context) error { return r.conn().Ping(ctx).Err() })
}

// Close ends everything that Open began.
func (r *Redis) Close() error {
	var err error
	r.closed.Do(func() {
		close(r.quit)
		r.mu.Lock()
		if r.bus != nil {
			_ = r.bus.Close()
		}
		r.mu.Unlock()
		r.owned.Wait()
		err = errors.Join(r.conn().Close(), r.ear.Close())
		if r.mini != nil {
			r.mini.Close()
		}
	})
	if err != nil {
		return fmt.Errorf("redisx: close: %w", err)
	}
	return nil
}

// do makes one call through the breaker. A missing key (redis.Nil) is not a failure and is returned as it is;
// everything else comes back as ErrAway.
func (r *Redis) do(ctx context.Context, call func(context.Context) error) error {
	if !r.breaker.admit() {
		return ErrAway
	}
	if r.mini != nil {
		r.forward(tickLeast)
	}
	limited, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	err := call(limited)
	switch {
	case err == nil, isMiss(err):
		r.breaker.worked()
		return err
	case errors.Is(ctx.Err(), context.Canceled): // the caller went away: that says nothing about Redis
		r.breaker.unknown()
		return fmt.Errorf("redisx: %w", ctx.Err())
	}
	if r.breaker.failed(err) {
		r.renew()
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

func (r *Redis) conn() *redis.Client { return r.client.Load() }

// renew replaces the pool. The client does not notice that its idle connections died with the server, and would fail
// once for each of them after the server is back.
func (r *Redis) renew() {
	fresh := r.dial()
	old := r.client.Swap(fresh)
	_ = old.Close()
	select {
	case <-r.quit: // Close may have missed the new one
		_ = fresh.Close()
	default:
	}
}

func isMiss(err error) bool { return errors.Is(err, redis.Nil) }

func (r *Redis) key(kind, key string) string { return r.config.Prefix + kind + ":" + key }

const (
	tickLeast = 25 * time.Millisecond // how exactly the embedded server keeps time while it is used
	tickMost  = 10 * time.Second      // and how often it forgets what is over while it is not
)

// tick moves the embedded server's time while nobody uses it: miniredis does not do it by itself, and nothing would ever
// expire.
func (r *Redis) tick() {
	timer := time.NewTimer(tickMost)
	defer timer.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-timer.C:
			r.forward(tickLeast)
			timer.Reset(tickMost)
		}
	}
}

// forward moves the embedded server's time when it is behind by at least that much. It walks over every key, so with many
// of them it is done less often.
func (r *Redis) forward(least time.Duration) {
	const share = 20
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Clock.Now()
	if passed := now.Sub(r.forwarded); passed >= max(least, r.walked*share) && passed > 0 {
		walk := clock.StartStopwatch()
		r.mini.FastForward(passed)
		r.mini.SetTime(now)
		r.forwarded, r.walked = now, walk.Elapsed()
	}
}
