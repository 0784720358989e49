package keeping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"guanxi/app"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/transfer"
)

// Told is told how far something has come; it may be nil.
type Told = func(transfer.Progress)

// Copy brings the store of one place to another one, and may be called again and again: each time it brings over what has changed
// since. The last time, when nobody writes any more, it proves that both hold the same and lets the target be used.
// Errors: ErrBusy when the last time is not the time yet, transfer.ErrOccupied, docstore.ErrAbsent.
func Copy(ctx context.Context, from, to app.Values, last bool, told Told) (moved []transfer.Totals, err error) {
	source, release, err := open(ctx, from, last)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	target, err := prepare(ctx, to, "copy of "+name(from))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.store.Close()) }()
	if err := transfer.Sync(ctx, transfer.Syncing{From: source, To: target.driver, Specs: target.specs, Progress: told}); err != nil {
		return nil, err
	}
	if !last {
		return nil, nil
	}
	if moved, err = transfer.Measure(ctx, source, nil); err != nil {
		return nil, err
	}
	return moved, target.prove(ctx, to, moved)
}

// ErrBusy is told when a store that nobody may write any more is being written.
var ErrBusy = errors.New("somebody still serves from the source: stop every process of it, then call again")

// open looks at the source; for the last time so that nobody can be writing there.
func open(ctx context.Context, from app.Values, last bool) (docstore.Snapshot, func() error, error) {
	source, err := app.OpenSnapshot(ctx, from)
	if err != nil || !last {
		return source, func() error { return source.Close() }, err
	}
	if from["GUANXI_MONGO_URL"] == "" { // the folder's lock is whoever serves from it
		held, err := app.OpenDriver(ctx, from, true)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("%w (%w)", ErrBusy, err), source.Close())
		}
		return source, func() error { return errors.Join(source.Close(), held.Close()) }, nil
	}
	alive, err := beating(ctx, source, from)
	if err == nil && alive {
		err = ErrBusy
	}
	if err != nil {
		return nil, nil, errors.Join(err, source.Close())
	}
	return source, func() error { return source.Close() }, nil
}

// beat is longer than a process of several rests between two signs of life.
const beat = 12 * time.Second

// beating reports whether a process has given a sign of life since the snapshot.
func beating(ctx context.Context, before docstore.Snapshot, from app.Values) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(beat):
	}
	now, err := app.OpenSnapshot(ctx, from)
	if err != nil {
		return false, err
	}
	defer func() { _ = now.Close() }()
	old, err := before.Page(ctx, "leases", "", 1000)
	if err != nil {
		return false, err
	}
	fresh, err := now.Page(ctx, "leases", "", 1000)
	return !slices.EqualFunc(old, fresh, func(a, b docstore.Record) bool { return a.ID == b.ID && a.Version == b.Version }), err
}

func name(v app.Values) string {
	if v["GUANXI_MONGO_URL"] != "" {
		return "MongoDB database " + v["GUANXI_MONGO_DATABASE"]
	}
	return v["GUANXI_DIR"]
}

// target is a store that is being filled.
type target struct {
	driver docstore.Driver
	store  *docstore.Store
	specs  map[string]docstore.Spec
}

func prepare(ctx context.Context, to app.Values, from string) (*target, error) {
	specs, err := app.Specs(ctx)
	if err != nil {
		return nil, err
	}
	driver, err := app.OpenDriver(ctx, to, false)
	if err != nil {
		return nil, err
	}
	store, err := to.StoreOn(driver)
	if err != nil {
		return nil, err
	}
	if err := transfer.Begin(ctx, store, driver, specs, from); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &target{driver, store, specs}, nil
}

// prove compares what is stored with what it must be, and lets the store be used.
func (t *target) prove(ctx context.Context, to app.Values, want []transfer.Totals) (err error) {
	look, err := app.OpenSnapshot(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, look.Close()) }()
	got, err := transfer.Measure(ctx, look, nil)
	if err != nil {
		return err
	}
	if differences := transfer.Differences(want, got); len(differences) > 0 {
		return fmt.Errorf("the target is not the same: %s", differences)
	}
	return transfer.End(ctx, t.store)
}

// Backup writes a backup of one moment of a store that may be served from meanwhile.
func Backup(ctx context.Context, from app.Values, to Place, key []byte, told Told) (item Item, contents *transfer.Contents, err error) {
	source, err := app.OpenSnapshot(ctx, from)
	if err != nil {
		return item, nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	at := clock.System{}.Now()
	item = Item{Name: NameAt(at), At: at}
	err = to.Put(ctx, item.Name, func(w io.Writer) (err error) {
		counted := &size{w: w}
		contents, err = transfer.Write(ctx, counted, key, source, at, told)
		item.Bytes = counted.n
		return err
	})
	return item, contents, err
}

type size struct {
	w io.Writer
	n int64
}

func (s *size) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	return n, err
}

// Retain deletes all but the newest backups of a place; 0 keeps all.
func Retain(ctx context.Context, p Place, keep int) (gone []Item, err error) {
	all, err := p.List(ctx)
	if err != nil || keep <= 0 || len(all) <= keep {
		return nil, err
	}
	for _, old := range all[keep:] {
		if err := p.Delete(ctx, old.Name); err != nil {
			return gone, err
		}
		gone = append(gone, old)
	}
	return gone, nil
}

// Restore fills an empty store from a backup, the newest one of the place when none is named. The whole backup is read and proved
// before anything is written. Errors: ErrNoBackup, those of transfer.Read, transfer.ErrOccupied.
func Restore(ctx context.Context, from Place, backup string, key []byte, to app.Values, told Told) (*transfer.Contents, error) {
	if backup == "" {
		all, err := from.List(ctx)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, ErrNoBackup
		}
		backup = all[0].Name
	}
	contents, err := reading(ctx, from, backup, func(r io.Reader) (*transfer.Contents, error) { return transfer.Read(r, key, nil) })
	if err != nil {
		return nil, err
	}
	into, err := prepare(ctx, to, "backup "+backup)
	if err != nil {
		return nil, err
	}
	_, err = reading(ctx, from, backup, func(r io.Reader) (*transfer.Contents, error) {
		return transfer.Restore(ctx, r, key, into.driver, into.specs, told)
	})
	if err == nil {
		err = into.prove(ctx, to, contents.Collections)
	}
	return contents, errors.Join(err, into.store.Close())
}

func reading(ctx context.Context, from Place, backup string, read func(io.Reader) (*transfer.Contents, error)) (_ *transfer.Contents, err error) {
	file, err := from.Get(ctx, backup)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return read(file)
}

// Size measures what takes room in a store, biggest first.
func Size(ctx context.Context, of app.Values, told Told) (_ []transfer.Totals, err error) {
	look, err := app.OpenSnapshot(ctx, of)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, look.Close()) }()
	all, err := transfer.Measure(ctx, look, told)
	slices.SortStableFunc(all, func(a, b transfer.Totals) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	return all, err
}
