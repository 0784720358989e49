package bench

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"guanxi/app"
)

// bareServer is a gin router without any middleware that reads the request and answers as many bytes as asked for.
type bareServer struct {
	url    string
	server *http.Server
	served sync.WaitGroup
}

const maxBareAnswer = 1 << 18

func openBareServer(ctx context.Context) (*bareServer, error) {
	l, err := app.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	engine, filler := gin.New(), bytes.Repeat([]byte{'x'}, maxBareAnswer)
	reply := func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body) // a client that left is no error
		status, _ := strconv.Atoi(c.Param("status"))
		n, _ := strconv.Atoi(c.Param("bytes"))
		c.Data(max(status, http.StatusOK), "application/json", filler[:min(max(n, 0), maxBareAnswer)])
	}
	engine.GET("/:status/:bytes", reply)
	engine.POST("/:status/:bytes", reply)
	b := &bareServer{url: "http://" + l.Addr().String(), server: &http.Server{Handler: engine, ReadHeaderTimeout: 5 * time.Second}}
	b.served.Go(func() { b.serve(l) })
	return b, nil
}

func (b *bareServer) serve(l net.Listener) { _ = b.server.Serve(l) } // ends when it is closed

func (b *bareServer) close() {
	_ = b.server.Close() // nothing is left to answer
	b.served.Wait()
}
