package miniprogramapi

import (
	"context"
	"sync"
	"time"

	"guanxi/internal/edge"
)

const (
	// pageAge is how old a page that everybody sees alike may be. A flash campaign is polled by thousands; a
	// third of a second is below what a person notices and turns those polls into three reads a second.
	pageAge  = 300 * time.Millisecond
	maxPages = 4096
)

// pages keeps what everybody sees alike for pageAge. One caller builds a page, the others wait for it.
type pages struct {
	mu    sync.Mutex
	built map[string]*page
}

type page struct {
	ready chan struct{}
	value any
	err   error
}

func newPages() *pages { return &pages{built: map[string]*page{}} }

// shared gives the value of key, building it if it is not there. An error is not kept.
func shared[T any](ctx context.Context, p *pages, key string, build func(context.Context) (T, error)) (T, error) {
	p.mu.Lock()
	known := p.built[key]
	if known == nil {
		known = &page{ready: make(chan struct{})}
		if len(p.built) < maxPages {
			p.built[key] = known
		}
		p.mu.Unlock()
		p.fill(ctx, key, known, func(ctx context.Context) (any, error) { return build(ctx) })
	} else {
		p.mu.Unlock()
	}
	var none T
	select {
	case <-known.ready:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	value, _ := known.value.(T)
	return value, known.err
}

// fill builds a page for everybody who waits, so the builder's own cancellation does not stop it; if build panics, all
// of them get an error and nothing is kept.
func (p *pages) fill(ctx context.Context, key string, of *page, build func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), edge.Patience)
	defer cancel()
	defer func() {
		p.expire(key, of)
		close(of.ready)
	}()
	of.err = edge.ErrInternal
	of.value, of.err = build(ctx)
}

func (p *pages) expire(key string, of *page) {
	drop := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.built[key] == of {
			delete(p.built, key)
		}
	}
	if of.err != nil {
		drop()
		return
	}
	time.AfterFunc(pageAge, drop)
}
