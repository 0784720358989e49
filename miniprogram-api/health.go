package miniprogramapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"guanxi/internal/edge"
)

// Drain makes readyz say no, so that a balancer sends nothing new while the last requests are answered.
func (a *API) Drain() { a.draining.Store(true) }

func (a *API) declareHealth() {
	a.edge.Router().GET("/livez", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	a.edge.Router().GET("/readyz", func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), 2*time.Second)
		defer cancel()
		if a.draining.Load() {
			a.edge.Plain(c, edge.ErrStopping)
			return
		}
		if err := a.store.Ping(ctx); err != nil {
			a.edge.Plain(c, edge.ErrAway.Because(err))
			return
		}
		c.String(http.StatusOK, "ok\n")
	})
}
