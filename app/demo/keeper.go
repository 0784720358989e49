package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"guanxi/platform/sandbox"
)

// keepEvery is how often what the sandbox did by itself (refunds becoming final) is written down.
const keepEvery = 2 * time.Second

// keeper writes down what the sandbox knows before anybody is told that it happened, so that kill -9 makes the
// platform forget no order that the program remembers. Callers that come together share one write.
type keeper struct {
	folder *folder
	box    *sandbox.Sandbox
	log    *slog.Logger

	asked atomic.Int64
	mu    sync.Mutex
	saved int64 // every change asked for up to here is on disk
	seen  sandbox.Stats
}

func (k *keeper) load(box *sandbox.Sandbox) error {
	k.box = box
	file, err := os.Open(k.folder.path(fileSandbox))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	err = box.Load(file)
	return errors.Join(err, file.Close())
}

// save returns when everything that had happened before the call is on disk.
func (k *keeper) save() error {
	ticket := k.asked.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saved >= ticket {
		return nil
	}
	upto := k.asked.Load()
	var state bytes.Buffer
	if err := k.box.Save(&state); err != nil {
		return err
	}
	if err := k.folder.keep(fileSandbox, state.Bytes(), false); err != nil {
		return err
	}
	k.saved = upto
	return nil
}

func (k *keeper) saveOrLog() {
	if err := k.save(); err != nil {
		k.log.Error("keep sandbox", "error", err.Error())
	}
}

// around saves after every request that may have changed what the platform must not forget. The answers are so small
// that net/http sends them when the handler returns: after the save.
func (k *keeper) around(platform http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		platform.ServeHTTP(w, r)
		p := r.URL.Path
		if r.Method == http.MethodPost &&
			(strings.HasPrefix(p, "/v3/") || strings.HasPrefix(p, "/wxa/sec/") || handKept(p)) {
			k.saveOrLog()
		}
	})
}

// handKept tells what people do with their hands that the platform must not forget: paying, receiving, filling the
// merchant's account, being somebody.
func handKept(path string) bool {
	for _, hand := range []string{"pay", "transfer-confirm", "top-up", "real-name"} {
		if strings.HasSuffix(path, "/sandbox/"+hand) {
			return true
		}
	}
	return false
}

// run saves now and then what changed by itself, until ctx ends.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := k.box.Stats()
			now.Requests, now.Signatures, now.SignNanos = 0, 0, 0
			if now != k.seen {
				k.seen = now
				k.saveOrLog()
			}
		}
	}
}
