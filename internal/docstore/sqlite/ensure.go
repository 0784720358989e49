package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"guanxi/internal/docstore"
)

const (
	format  = 1  // of the file; a newer one is refused
	maxKeys = 60 // indexes of one collection
)

// prepareFile makes the driver's own tables and checks the format of the file.
func prepareFile(c *connection) error {
	for _, sql := range []string{
		"BEGIN IMMEDIATE",
		"CREATE TABLE IF NOT EXISTS guanxi_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
		`CREATE TABLE IF NOT EXISTS guanxi_indexes (collection TEXT, name TEXT, generation INTEGER NOT NULL,
			definition TEXT NOT NULL, filled INTEGER, PRIMARY KEY (collection, name)) WITHOUT ROWID`,
		fmt.Sprintf("INSERT OR IGNORE INTO guanxi_meta VALUES ('format', %d)", format),
	} {
		if err := c.exec(sql); err != nil {
			return err
		}
	}
	s, err := c.prepare("SELECT value FROM guanxi_meta WHERE name = 'format'")
	if err != nil {
		return err
	}
	if _, err := s.step(); err != nil {
		s.reset()
		return err
	}
	found := s.columnInt(0)
	s.reset()
	if found > format {
		return fmt.Errorf("%w: the file has format %d, this program knows %d", docstore.ErrInvalid, found, format)
	}
	return c.exec("COMMIT")
}

// Ensure makes the table and its indexes exist. It returns when every index is filled; until then readers and
// writers of the collection go on. Within one opened store a later Ensure only adds indexes, so that users of an
// earlier declaration are not cut off; the first one, and one of a newer schema, also drops indexes that are no longer
// declared.
func (d *Driver) Ensure(ctx context.Context, spec docstore.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(spec.Indexes) > maxKeys {
		return fmt.Errorf("%w: %d indexes", docstore.ErrInvalid, len(spec.Indexes))
	}
	known := d.table(spec.Name)
	recompute, drop := false, known == nil
	switch {
	case known == nil:
	case spec.Schema > known.spec.Schema:
		recompute, drop = true, true
	default:
		spec, recompute = union(known.spec, spec)
		recompute = recompute || known.recompute
	}
	var states []indexState
	err := d.writer.run(ctx, func(c *connection) error {
		var err error
		if states, err = shape(c, spec, drop); err == nil {
			d.publish(tableOf(spec, states, recompute))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlite: collection %s: %w", spec.Name, err)
	}
	if err := d.backfill(ctx, spec, states); err != nil {
		return fmt.Errorf("sqlite: collection %s: %w", spec.Name, errors.Join(err, d.giveUp(spec, states, known)))
	}
	for i := range states {
		states[i].filled = -1
	}
	d.publish(tableOf(spec, states, recompute))
	return nil
}

func tableOf(spec docstore.Spec, states []indexState, recompute bool) *table {
	columns, ready := make([]string, len(states)), make([]bool, len(states))
	for i, state := range states {
		columns[i], ready[i] = state.column, state.filled < 0
	}
	t := newTable(spec, columns, ready)
	t.recompute = recompute
	return t
}

// union keeps the order of the earlier declaration and adds what is new. Mixed tells that operations of one of the
// two carry as many keys as the union has, in another order.
func union(earlier, later docstore.Spec) (merged docstore.Spec, mixed bool) {
	merged = later
	merged.Indexes = slices.Clone(later.Indexes)
	for _, index := range earlier.Indexes {
		if !slices.ContainsFunc(later.Indexes, func(i docstore.Index) bool { return i.Name == index.Name }) {
			merged.Indexes = append(merged.Indexes, index)
		}
	}
	same := func(a, b []docstore.Index) bool {
		return slices.EqualFunc(a, b, func(a, b docstore.Index) bool { return a.Name == b.Name })
	}
	for _, one := range [][]docstore.Index{earlier.Indexes, later.Indexes} {
		if len(one) == len(merged.Indexes) && !same(one, merged.Indexes) {
			mixed = true
		}
	}
	return merged, mixed
}

// indexState is what the file says of one index.
type indexState struct {
	column string
	filled int64 // the last row a backfill has keyed; -1 = all
}

// shape creates what is missing, in one transaction.
func shape(c *connection, spec docstore.Spec, drop bool) ([]indexState, error) {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	err := c.exec("CREATE TABLE IF NOT EXISTS " + quote("c_"+spec.Name) +
		" (id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, body BLOB NOT NULL)")
	if err != nil {
		return nil, err
	}
	if drop {
		if err := dropUndeclared(c, spec); err != nil {
			return nil, err
		}
	}
	states := make([]indexState, len(spec.Indexes))
	for i, index := range spec.Indexes {
		if states[i], err = shapeIndex(c, spec.Name, index); err != nil {
			return nil, err
		}
	}
	return states, c.exec("COMMIT")
}

func definition(index docstore.Index) string {
	text := strings.Join(index.Fields, ",")
	if index.Unique {
		text += " unique"
	}
	if index.Sparse {
		text += " sparse"
	}
	return text
}

func shapeIndex(c *connection, collection string, index docstore.Index) (indexState, error) {
	generation, stored, filled, err := lookIndex(c, collection, index.Name)
	if err != nil {
		return indexState{}, err
	}
	column := columnName(index.Name, generation)
	if stored == definition(index) {
		return indexState{column, filled}, nil
	}
	if stored != "" {
		if err := c.exec("DROP INDEX IF EXISTS " + indexName(collection, column)); err != nil {
			return indexState{}, err
		}
	}
	generation++
	column, filled = columnName(index.Name, generation), 0
	if err := c.exec("ALTER TABLE " + quote("c_"+collection) + " ADD COLUMN " + quote(column) + " BLOB"); err != nil {
		return indexState{}, err
	}
	if err := c.exec(createIndexSQL(collection, column, index.Unique)); err != nil {
		return indexState{}, err
	}
	empty, err := isEmpty(c, collection)
	if err != nil {
		return indexState{}, err
	}
	if empty {
		filled = -1
	}
	return indexState{column, filled}, noteIndex(c, collection, index.Name, generation, definition(index), filled)
}

func lookIndex(c *connection, collection, name string) (generation int, stored string, filled int64, err error) {
	s, err := c.prepare("SELECT generation, definition, filled FROM guanxi_indexes WHERE collection = ? AND name = ?")
	if err != nil {
		return 0, "", 0, err
	}
	defer s.reset()
	s.text(1, collection)
	s.text(2, name)
	found, err := s.step()
	if err != nil || !found {
		return 0, "", 0, err
	}
	return int(s.columnInt(0)), s.columnText(1), s.columnInt(2), nil
}

func noteIndex(c *connection, collection, name string, generation int, definition string, filled int64) error {
	s, err := c.prepare("INSERT OR REPLACE INTO guanxi_indexes VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	s.text(1, collection)
	s.text(2, name)
	s.int(3, int64(generation))
	s.text(4, definition)
	s.int(5, filled)
	return s.drain()
}

func isEmpty(c *connection, collection string) (bool, error) {
	s, err := c.prepare("SELECT 1 FROM " + quote("c_"+collection) + " LIMIT 1")
	if err != nil {
		return false, err
	}
	defer s.reset()
	found, err := s.step()
	return !found, err
}

// dropUndeclared drops indexes the declaration no longer has. Their columns stay, unused: a definition of "" makes a
// later index of that name start anew.
func dropUndeclared(c *connection, spec docstore.Spec) error {
	s, err := c.prepare("SELECT name, generation FROM guanxi_indexes WHERE collection = ? AND definition <> ''")
	if err != nil {
		return err
	}
	gone := map[string]int{}
	s.text(1, spec.Name)
	for {
		more, err := s.step()
		if err != nil || !more {
			s.reset()
			if err != nil {
				return err
			}
			break
		}
		name := s.columnText(0)
		if !slices.ContainsFunc(spec.Indexes, func(i docstore.Index) bool { return i.Name == name }) {
			gone[name] = int(s.columnInt(1))
		}
	}
	for name, generation := range gone {
		if err := c.exec("DROP INDEX IF EXISTS " + indexName(spec.Name, columnName(name, generation))); err != nil {
			return err
		}
		if err := noteIndex(c, spec.Name, name, generation, "", 0); err != nil {
			return err
		}
	}
	return nil
}
