package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"guanxi/internal/docstore"
)

// fewDocuments is the longest read that is no scan: what a scan finds is not worth remembering.
const fewDocuments = 64

// Options say where the store is and how much it may use.
type Options struct {
	// Dir is the folder of guanxi.db and its lock file; it is made when missing.
	Dir string
	// Readers is the number of connections that read a few documents at the same time, and of those that read many.
	// Default 4.
	Readers int
	// CacheMiB is the page cache of the writer; every reader has a quarter of it. Default 16: with more, SQLite walks
	// more of it after every commit that splits a page.
	CacheMiB int
	// WALLimitMiB is the size of the write-ahead log at which the writer stops for a moment and lets it begin anew. Default 8.
	WALLimitMiB int
	// MapMiB is how much of the file those who read many documents map into memory, which keeps that as cheap at a
	// million documents as at a thousand; the kernel takes the memory back when it needs it. Default 2047; negative =
	// nothing.
	MapMiB int
	// RecentMiB bounds the records kept in memory for readings by id. Default 16; negative = none.
	RecentMiB int
	// ReadOnly opens a store that is there for reading: nothing is made, migrated or indexed, and every write is refused.
	ReadOnly bool
	// MaxPages makes the file "full" at this number of 4 KiB pages; for tests. 0 = no limit.
	MaxPages int
}

// Driver is one open SQLite store. It implements docstore.Driver.
type Driver struct {
	options Options
	path    string
	lock    *os.File
	writer  *writer
	few     chan *connection                    // for reads of a few documents
	many    chan *connection                    // for longer ones: their connections map the file, which every commit makes them do anew
	calm    struct{ since, reads atomic.Int64 } // the writer's groups, and the reads since the last of them
	recent  *recent
	closing chan struct{}
	flusher sync.WaitGroup

	mu     sync.Mutex // one Ensure or Close at a time
	closed bool
	tables atomic.Pointer[map[string]*table]
}

var _ docstore.Driver = (*Driver)(nil)

// Open opens or creates the store in options.Dir.
// Errors: docstore.ErrAbsent when ReadOnly finds none; docstore.ErrLocked when another process (or this one) has it open; docstore.ErrInvalid when the file is of
// a newer format than this program knows.
func Open(ctx context.Context, options Options) (*Driver, error) {
	if options.Dir == "" {
		return nil, fmt.Errorf("%w: sqlite: no folder given", docstore.ErrInvalid)
	}
	if options.Readers <= 0 {
		options.Readers = 4
	}
	if options.CacheMiB <= 0 {
		options.CacheMiB = 16
	}
	if options.MapMiB == 0 {
		options.MapMiB = 2047 // the most SQLite maps
	}
	options.MapMiB = max(0, options.MapMiB)
	if options.RecentMiB == 0 {
		options.RecentMiB = 16
	}
	if options.WALLimitMiB <= 0 {
		options.WALLimitMiB = 8
	}
	if err := options.folder(); err != nil {
		return nil, err
	}
	locked, err := lock(options.Dir)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		options: options, path: filepath.Join(options.Dir, "guanxi.db"), lock: locked,
		few: make(chan *connection, options.Readers), many: make(chan *connection, options.Readers),
		closing: make(chan struct{}), recent: newRecent(options.RecentMiB),
	}
	d.tables.Store(&map[string]*table{})
	if !options.ReadOnly {
		if err := keepPrivate(d.path); err != nil {
			_ = unlock(locked)
			return nil, err
		}
	}
	if err := d.start(ctx); err != nil {
		_ = unlock(locked)
		return nil, err
	}
	return d, nil
}

// keepPrivate makes the database readable by its owner alone, whatever the folder allows; the files SQLite makes beside
// it take its mode.
func keepPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	for _, one := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(one, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sqlite: %w", err)
		}
	}
	return nil
}

// folder makes the store's folder, or looks whether a store is in it.
func (o *Options) folder() error {
	if !o.ReadOnly {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		return nil
	}
	info, err := os.Stat(filepath.Join(o.Dir, "guanxi.db"))
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && info.Size() == 0:
		return fmt.Errorf("%w in %s", docstore.ErrAbsent, o.Dir)
	case err != nil:
		return fmt.Errorf("sqlite: %w", err)
	}
	return nil
}

func (d *Driver) start(ctx context.Context) error {
	d.writer = &writer{
		open: d.openWriter, tables: d.table, nudge: make(chan struct{}, 1),
		wake: make(chan struct{}, 1), ended: make(chan struct{}), recent: d.recent,
	}
	go d.writer.loop()
	prepare := prepareFile
	if d.options.ReadOnly {
		prepare = checkFile
	}
	err := d.writer.run(ctx, prepare)
	if err == nil {
		err = errors.Join(d.openReaders(d.few, 0), d.openReaders(d.many, d.options.MapMiB))
	}
	var checkpoints *connection
	if err == nil {
		checkpoints, err = connect(d.path, "synchronous=FULL", "cache_size=-256")
	}
	if err != nil {
		d.writer.shut()
		d.closeReaders(len(d.few), len(d.many))
		return fmt.Errorf("sqlite: open %s: %w", d.path, err)
	}
	d.flusher.Go(func() { d.flush(checkpoints) })
	return nil
}

func (d *Driver) openReaders(to chan *connection, mapMiB int) error {
	for range d.options.Readers {
		c, err := connect(d.path, "query_only=ON", "mmap_size="+strconv.Itoa(mapMiB<<20),
			"cache_size=-"+strconv.Itoa(d.options.CacheMiB<<10/4))
		if err != nil {
			return err
		}
		to <- c
	}
	return nil
}

func (d *Driver) closeReaders(few, many int) {
	for range few {
		(<-d.few).close()
	}
	for range many {
		(<-d.many).close()
	}
}

func (d *Driver) openWriter() (*connection, error) {
	pragmas := []string{
		"journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0", "temp_store=MEMORY",
		"cache_size=-" + strconv.Itoa(d.options.CacheMiB<<10),
	}
	if d.options.ReadOnly {
		return connect(d.path, "query_only=ON", "wal_autocheckpoint=0")
	}
	if d.options.MaxPages > 0 {
		pragmas = append(pragmas, "max_page_count="+strconv.Itoa(d.options.MaxPages))
	}
	return connect(d.path, pragmas...)
}

func (d *Driver) table(collection string) *table { return (*d.tables.Load())[collection] }

// publish makes t what readers and the writer see. Ensure holds d.mu.
func (d *Driver) publish(t *table) {
	next := maps.Clone(*d.tables.Load())
	next[t.spec.Name] = t
	d.tables.Store(&next)
}

// withdraw goes back to an earlier table; nil = none.
func (d *Driver) withdraw(collection string, earlier *table) {
	next := maps.Clone(*d.tables.Load())
	if next[collection] = earlier; earlier == nil {
		delete(next, collection)
	}
	d.tables.Store(&next)
}

// Write commits each operation by itself, together with those of other callers.
func (d *Driver) Write(ctx context.Context, ops []docstore.Op) []error {
	results := make([]error, len(ops))
	if d.options.ReadOnly {
		fill(results, fmt.Errorf("%w: the store is open for reading only", docstore.ErrInvalid))
		return results
	}
	for from := 0; from < len(ops); {
		// Chunks of one call are submitted together only when they are few: a call can be any size.
		var requests [4]*request
		n, begin := 0, from
		for ; n < len(requests) && from < len(ops); n++ {
			requests[n] = chunk(ops[from:])
			if err := d.writer.submit(requests[n]); err != nil {
				requests[n].refused = err
			}
			from += len(requests[n].ops)
		}
		for _, r := range requests[:n] {
			part := results[begin : begin+len(r.ops)]
			begin += len(r.ops)
			err := r.refused
			if err == nil {
				err = d.writer.wait(ctx, r)
			}
			if err != nil {
				fill(part, err)
				continue
			}
			copy(part, r.results)
		}
	}
	return results
}

// chunk makes a request of the first operations, as many as one transaction may have.
func chunk(ops []docstore.Op) *request {
	n, bytes := 0, 0
	for n < len(ops) && n < maxGroupOps && (n == 0 || bytes+len(ops[n].Body) <= maxGroupBytes) {
		bytes += len(ops[n].Body)
		n++
	}
	return &request{ops: ops[:n], bytes: bytes, results: make([]error, n), done: make(chan struct{})}
}

func fill(results []error, err error) {
	for i := range results {
		results[i] = err
	}
}

// Ping reads one row.
func (d *Driver) Ping(ctx context.Context) error {
	return d.read(ctx, d.few, func(c *connection) error {
		s, err := c.prepare("SELECT value FROM guanxi_meta WHERE name = 'format'")
		if err != nil {
			return err
		}
		return s.drain()
	})
}

func (d *Driver) isClosing() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}

// desk is where the connections for reading n documents are lent. While nothing is written, mapping the file pays for
// short reads, too.
func (d *Driver) desk(n int) chan *connection {
	if now := d.writer.groups.Load(); d.calm.since.Swap(now) != now {
		d.calm.reads.Store(0)
	}
	if d.calm.reads.Add(1) > fewDocuments || n > fewDocuments {
		return d.many
	}
	return d.few
}

// read lends a reading connection to use.
func (d *Driver) read(ctx context.Context, desk chan *connection, use func(*connection) error) error {
	var c *connection
	if d.isClosing() {
		return fmt.Errorf("%w: closed", docstore.ErrUnavailable)
	}
	select {
	case c = <-desk:
	case <-d.closing:
		return fmt.Errorf("%w: closed", docstore.ErrUnavailable)
	case <-ctx.Done():
		return fmt.Errorf("%w: no reader free: %w", docstore.ErrUnavailable, ctx.Err())
	}
	err := use(c)
	desk <- c
	var f *fault
	if errors.As(err, &f) {
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	return err
}

// Close waits for running operations, moves everything from the log into the file and gives the lock back.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	close(d.closing)
	d.flusher.Wait()
	d.closeReaders(d.options.Readers, d.options.Readers)
	d.writer.shut()
	return unlock(d.lock)
}
