package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"guanxi/app/demo"
)

// ownDemo is a demo in a folder that is forgotten, started by the first walk that needs it.
type ownDemo struct {
	once sync.Once
	dir  string
	demo *demo.Demo
	err  error
}

var own = &ownDemo{}

func (o *ownDemo) start(t *testing.T) string {
	t.Helper()
	o.once.Do(func() {
		if o.dir, o.err = os.MkdirTemp("", "guanxi-hostile-"); o.err != nil {
			return
		}
		ctx := context.Background() // it outlives the walk that starts it
		if o.demo, o.err = demo.Open(ctx, demo.Options{Dir: o.dir, Listen: "127.0.0.1:0"}); o.err != nil {
			o.err = fmt.Errorf("demo: %w", o.err)
		}
	})
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.demo.URL
}

func (o *ownDemo) stop() {
	if o.dir == "" {
		return
	}
	var err error
	if o.demo != nil {
		err = o.demo.Close(context.Background())
	}
	if err = errors.Join(err, os.RemoveAll(o.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
	}
}
