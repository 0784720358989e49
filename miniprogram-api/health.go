package miniprogramapi

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

//go:embed docs.html
var docsPage []byte

// Drain makes readyz say no, so that a balancer sends nothing new while the last requests are answered.
func (a *API) Drain() { a.draining.Store(true) }

func (a *API) declareHealth() {
	a.engine.GET("/livez", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	a.engine.GET("/readyz", func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), 2*time.Second)
		defer cancel()
		if a.draining.Load() {
			a.plain(c, errStopping)
			return
		}
		if err := a.store.Ping(ctx); err != nil {
			a.plain(c, errAway.Because(err))
			return
		}
		c.String(http.StatusOK, "ok\n")
	})
}

// documents serves the description of the API; both are made once.
func (a *API) documents() error {
	spec, err := a.OpenAPI()
	if err != nil {
		return err
	}
	a.engine.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/openapi+json", spec) })
	a.engine.GET("/docs", func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", docsPage)
	})
	return nil
}
