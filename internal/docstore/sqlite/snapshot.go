package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"guanxi/internal/docstore"
)

// snapshot is one reading transaction on a connection of its own.
type snapshot struct{ c *connection }

// OpenSnapshot looks at the store in dir as it is at this moment, also while another process has it open, which goes on undisturbed:
// its log cannot begin anew, and so grows, until the snapshot is closed.
// Error: docstore.ErrAbsent.
func OpenSnapshot(dir string) (docstore.Snapshot, error) {
	o := Options{Dir: dir, ReadOnly: true}
	if err := o.folder(); err != nil {
		return nil, err
	}
	c, err := connect(filepath.Join(dir, "guanxi.db"), "query_only=ON", "cache_size=-4096", "mmap_size=268435456")
	if err != nil {
		return nil, fmt.Errorf("sqlite: snapshot: %w", err)
	}
	s := &snapshot{c}
	err = c.exec("BEGIN")
	if err == nil {
		err = checkFile(c) // the first reading fixes the moment
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("sqlite: snapshot: %w", err)
	}
	return s, nil
}

func (s *snapshot) Collections(context.Context) (names []string, err error) {
	ask, err := s.c.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 2) = 'c_' ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("sqlite: snapshot: %w", err)
	}
	defer ask.reset()
	for {
		more, err := ask.step()
		if err != nil || !more {
			return names, err
		}
		names = append(names, strings.TrimPrefix(ask.columnText(0), "c_"))
	}
}

func (s *snapshot) Page(_ context.Context, collection, after string, limit int) ([]docstore.Record, error) {
	ask, err := s.c.prepare("SELECT id, version, body FROM " + quote("c_"+collection) + " WHERE id > ? ORDER BY id LIMIT ?")
	if err != nil {
		return nil, fmt.Errorf("sqlite: snapshot: %w", err)
	}
	defer ask.reset()
	ask.text(1, after)
	ask.int(2, int64(limit))
	records, err := collect(ask, nil, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlite: snapshot of %s: %w", collection, err)
	}
	return records, nil
}

func (s *snapshot) Close() error {
	s.c.close()
	return nil
}
