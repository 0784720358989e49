package edge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"guanxi/internal/clock"
)

const (
	linesType  = "application/x-ndjson"
	lineBuffer = 32 << 10
	lineFlush  = 300 * time.Millisecond // progress is wanted while it happens
)

// RegisterLines is Register for answers that are long or take long: one JSON document L per line, sent while they are
// made. A failure before anything was sent is an ordinary problem document; a later one is the last line,
// {"problem": …}: whoever reads must look for it. Send fails when the reader has gone.
func RegisterLines[I, L any](e *Edge, op Operation, handle func(ctx context.Context, in *I, send func(L) error) error) {
	described := e.declare(op)
	described.Responses = map[string]*huma.Response{"200": {
		Description: "one JSON document per line; a line with problem is the last one",
		Content: map[string]*huma.MediaType{linesType: {
			Schema: e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[L](), true, op.ID),
		}},
	}}
	huma.Register(e.huma, described, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			w := openLines(hc)
			err := handle(ctx, in, func(line L) error { return w.send(line) })
			if err = errors.Join(err, w.failed); err == nil {
				err = gone(w.flush())
			}
			if err == nil {
				return
			}
			problem := e.refuse(ctx, op, err)
			if !w.begun {
				e.write(hc, problem)
				return
			}
			if w.send(map[string]any{"problem": problem}) == nil {
				_ = w.flush() // a reader who has gone needs no last words
			}
		}}, nil
	})
}

// lines writes one answer. Nothing is sent before the buffer is full or lineFlush has passed.
type lines struct {
	hc     huma.Context
	out    *bufio.Writer
	since  clock.Stopwatch
	begun  bool
	failed error
}

func openLines(hc huma.Context) *lines {
	w := &lines{hc: hc, since: clock.StartStopwatch()}
	w.out = bufio.NewWriterSize(beginner{w}, lineBuffer)
	return w
}

// beginner sets status and type before the first byte.
type beginner struct{ w *lines }

func (b beginner) Write(p []byte) (int, error) {
	if !b.w.begun {
		b.w.begun = true
		b.w.hc.SetHeader("Content-Type", linesType)
		b.w.hc.SetHeader("Cache-Control", "no-store")
		b.w.hc.SetStatus(http.StatusOK)
	}
	return b.w.hc.BodyWriter().Write(p)
}

func (w *lines) send(line any) error {
	if w.failed != nil {
		return w.failed
	}
	body, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err = w.out.Write(append(body, '\n')); err == nil && w.since.Elapsed() > lineFlush {
		err = w.flush()
	}
	w.failed = gone(err)
	return w.failed
}

// gone says that the reader is not there any more: nobody's mistake.
func gone(err error) error {
	if err == nil {
		return nil
	}
	return ErrCancelled.Because(err)
}

func (w *lines) flush() error {
	w.since = clock.StartStopwatch()
	if err := w.out.Flush(); err != nil {
		return err
	}
	humagin.Unwrap(w.hc).Writer.Flush()
	return nil
}
