package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"guanxi/app"
)

// What the sandbox writes is what serve takes: the program opens with it, and its keys outlive a restart.
func TestServeTakesTheSettingsTheSandboxWrites(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "dev", "guanxi.env")
	keys := ""
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		out := &bytes.Buffer{}
		root := command()
		root.SetOut(out)
		root.SetArgs([]string{"sandbox", "--listen", "127.0.0.1:0", "--env-file", file})
		before, _ := os.ReadFile(file)
		ended := make(chan error, 1)
		go func() { ended <- root.ExecuteContext(ctx) }()
		for {
			if now, err := os.ReadFile(file); err == nil && !bytes.Equal(now, before) {
				break
			}
			select {
			case err := <-ended:
				t.Fatalf("ended early: %v", err)
			case <-time.After(5 * time.Millisecond):
			}
		}
		values, err := app.ReadValues(nil, file)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := values.Check(); len(wrong) > 0 {
			t.Errorf("settings: %s", strings.Join(wrong, "; "))
		}
		if keys != "" && values["GUANXI_KEYS"] != keys {
			t.Error("the second start changed the encryption keys")
		}
		keys = values["GUANXI_KEYS"]
		program, err := app.Open(ctx, values, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", file, info.Mode(), err)
		}
	}
	database, err := os.Stat(filepath.Join(filepath.Dir(file), "data", "guanxi.db"))
	if err != nil || database.Mode().Perm() != 0o600 {
		t.Errorf("the database: %v, %v; want 0600", database, err)
	}
}
