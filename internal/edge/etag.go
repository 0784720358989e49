package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

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
