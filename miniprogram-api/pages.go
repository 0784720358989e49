package miniprogramapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	defer func() {
		p.expire(key, of)
		close(of.ready)
	}()
	of.err = errInternal
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

// tagged adds an ETag over the rendered body and answers 304 when the caller has it already.
func tagged(hc huma.Context, next func(huma.Context)) {
	c := humagin.Unwrap(hc)
	w := &tagWriter{ResponseWriter: c.Writer}
	c.Writer = w
	func() {
		defer func() { c.Writer = w.ResponseWriter }() // whoever answers for a panic must not write into the buffer
		next(hc)
	}()
	w.finish(c.GetHeader("If-None-Match"))
}

type tagWriter struct {
	gin.ResponseWriter
	body   bytes.Buffer
	status int
}

func (w *tagWriter) Write(b []byte) (int, error)       { return w.body.Write(b) }
func (w *tagWriter) WriteString(s string) (int, error) { return w.body.WriteString(s) }
func (w *tagWriter) WriteHeader(status int)            { w.status = status }
func (w *tagWriter) WriteHeaderNow()                   {}
func (w *tagWriter) Status() int                       { return max(w.status, http.StatusOK) }
func (w *tagWriter) Size() int                         { return w.body.Len() }
func (w *tagWriter) Written() bool                     { return w.body.Len() > 0 }

// matches reads If-None-Match: a list of tags, weak or not, or a star.
func matches(known, tag string) bool {
	for one := range strings.SplitSeq(known, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

func (w *tagWriter) finish(known string) {
	status := w.Status()
	if status == http.StatusOK {
		sum := sha256.Sum256(w.body.Bytes())
		tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "private, no-cache")
		if matches(known, tag) {
			w.Header().Del("Content-Type")
			w.ResponseWriter.WriteHeader(http.StatusNotModified)
			w.ResponseWriter.WriteHeaderNow()
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
	_, _ = w.ResponseWriter.Write(w.body.Bytes()) // a client that left is no error of ours
}
