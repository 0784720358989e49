package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/schollz/progressbar/v3"

	"guanxi/app"
	"guanxi/app/harness"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/redisx"
	"guanxi/platform/sandbox"
)

// ratePerMinute is generous: one visitor plays three people at once, and the page polls.
const ratePerMinute = 12_000

// Options say where the demo lives. Dir and Listen are required.
type Options struct {
	Dir      string
	Listen   string
	Reset    bool         // forget everything and seed again; the keys stay
	Progress io.Writer    // where a bar shows how seeding goes; nil: nowhere
	Log      *slog.Logger // nil: silence
}

// Demo is a running demo.
type Demo struct {
	*harness.Sandboxed
	World  *World
	Seeded bool // by this start

	folder *folder
	store  *docstore.Store
	redis  *redisx.Redis
	keeper *keeper
	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// Open seeds the folder if need be and starts serving. Errors: ErrBusy, ErrForeign, ErrKeysGone.
func Open(ctx context.Context, o Options) (_ *Demo, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := portFree(ctx, o.Listen); err != nil { // before seeding, not after
		return nil, err
	}
	d := &Demo{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close(context.WithoutCancel(ctx)))
		}
	}()
	if d.folder, err = openFolder(o.Dir); err != nil {
		return nil, err
	}
	if d.World, err = d.folder.prepare(o.Reset); err != nil {
		return nil, err
	}
	keys, err := d.folder.secrets()
	if err != nil {
		return nil, err
	}
	if d.World == nil {
		if err := d.seed(ctx, keys, o); err != nil {
			return nil, err
		}
	}
	return d, d.serve(ctx, keys, o)
}

func portFree(ctx context.Context, address string) error {
	l, err := app.Listen(ctx, address)
	if err != nil {
		return err
	}
	return l.Close()
}

func (d *Demo) seed(ctx context.Context, keys *secrets, o Options) error {
	w, err := seed(ctx, seeding{
		folder: d.folder, secrets: keys, log: o.Log, clock: clock.System{}, progress: bar(o.Progress),
	})
	if err != nil {
		return err
	}
	if err := d.folder.keepWorld(w); err != nil {
		return err
	}
	d.World, d.Seeded = w, true
	return nil
}

// bar draws progress; a bar that cannot be drawn is no reason to stop.
func bar(w io.Writer) func(total int) (func(int), func()) {
	return func(total int) (func(int), func()) {
		if w == nil {
			return func(int) {}, func() {}
		}
		b := progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription("正在生成样例数据 seeding"), progressbar.OptionClearOnFinish())
		return func(n int) { _ = b.Add(n) }, func() { _ = b.Finish() }
	}
}

func (d *Demo) serve(ctx context.Context, keys *secrets, o Options) (err error) {
	if d.store, err = openStore(ctx, d.folder, keys, clock.System{}); err != nil {
		return err
	}
	if d.redis, err = redisx.Open(redisx.Config{Clock: clock.System{}, Log: o.Log}); err != nil {
		return err
	}
	d.keeper = &keeper{folder: d.folder, log: o.Log}
	side := &side{world: d.World, keeper: d.keeper}
	d.Sandboxed, err = harness.Open(ctx, harness.Config{
		Store: d.store, Log: o.Log, Listen: o.Listen, Sandbox: platform(keys),
		Prepare: func(box *sandbox.Sandbox) error {
			side.box = box
			return d.keeper.load(box)
		},
		Platform: d.keeper.around,
		Wrap:     func(edge http.Handler) http.Handler { return side.beside(edge) },
		Tune: func(c *app.Config) {
			tune(c, d.folder, keys, d.World.Since)
			c.Accelerate(d.redis, ratePerMinute)
		},
	})
	if err != nil {
		return err
	}
	side.app.Store(d.App)
	if err := d.Start(ctx); err != nil {
		return err
	}
	var loops context.Context
	loops, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.loops.Go(func() { d.keeper.run(loops) })
	return nil
}

// Close ends serving gracefully and writes everything down.
func (d *Demo) Close(ctx context.Context) error {
	var err error
	if d.Sandboxed != nil {
		err = d.Stop(ctx)
	}
	return errors.Join(err, d.close())
}

func (d *Demo) close() (err error) {
	if d.cancel != nil {
		d.cancel()
		d.loops.Wait()
		err = d.keeper.save()
	}
	if d.redis != nil {
		err = errors.Join(err, d.redis.Close())
	}
	if d.store != nil {
		err = errors.Join(err, d.store.Close())
	}
	if d.folder != nil {
		err = errors.Join(err, d.folder.close())
	}
	return err
}
