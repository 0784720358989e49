// Package wire is the road to the platforms: an http.Client that never hangs, never follows a redirect, never
// reads an endless answer, and can be pointed at a sandbox.
//
// The platforms' SDKs have their hosts compiled in. With a base address set, the client sends every request there
// and keeps the original Host header, so that one sandbox can stand for several platforms.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"guanxi/internal/lease"
)

// Config shapes the client.
type Config struct {
	BaseURL string        // http(s)://host[:port] of a sandbox; empty: the platform itself
	Timeout time.Duration // whole exchange; default 10 s
	MaxBody int64         // bytes of one answer; default 4 MiB
	Conns   int           // idle connections kept per host; default 64
}

// NewClient builds the client. A base address must be absolute and without a path.
func NewClient(c Config) (*http.Client, error) {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 4 << 20
	}
	if c.Conns <= 0 {
		c.Conns = 64
	}
	road := &road{limit: c.MaxBody, next: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: c.Conns,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
	}}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.Path != "" && base.Path != "/" {
			return nil, errors.New("wire: base address must be http(s)://host without a path")
		}
		road.base = base
	}
	return &http.Client{
		Timeout: c.Timeout, Transport: road,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

type road struct {
	base  *url.URL
	limit int64
	next  http.RoundTripper
}

// RoundTrip sends a copy of the request to the base address, under its own Host. What is asked by work that has an owner among
// several processes is not sent when the lease may have gone to another.
func (r *road) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := lease.Sure(request.Context()); err != nil {
		return nil, err
	}
	if r.base != nil {
		host := request.Host
		if host == "" {
			host = request.URL.Host
		}
		clone := request.Clone(request.Context())
		clone.Host, clone.URL.Scheme, clone.URL.Host = host, r.base.Scheme, r.base.Host
		request = clone
	}
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &bounded{inner: response.Body, left: r.limit}
	return response, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (r *road) CloseIdleConnections() {
	if t, ok := r.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// ErrTooLarge is an answer beyond Config.MaxBody.
var ErrTooLarge = errors.New("wire: answer too large")

type bounded struct {
	inner io.ReadCloser
	left  int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := b.inner.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.inner.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *bounded) Close() error { return b.inner.Close() }

// Plain reduces a transport error to what may stand in a log: no address, no query, no header. Addresses of these
// platforms carry secrets and tokens.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &dial):
		return fmt.Errorf("network: %s failed", dial.Op)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("network: connection closed without an answer")
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, ErrTokenRepeated):
		return ErrTokenRepeated
	case errors.Is(err, lease.ErrLost), errors.Is(err, lease.ErrUnsure):
		return lease.ErrUnsure
	}
	return fmt.Errorf("network, or an answer of no use: %T", root(err))
}

func root(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
