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
	if err := checkFile(c); err != nil {
		return err
	}
	return c.exec("COMMIT")
}

// checkFile checks the format of the file.
func checkFile(c *connection) error {
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
	return nil
}

// Ensure makes the table and its indexes exist. It returns when every index is filled; until then readers and
// writers of the collection go on. Within one opened store a later Ensure only adds indexes, so that users of an
// earlier declaration are not cut off; the first one, and one of a newer schema, also drops indexes that are not
// declared, but for unique ones: those may belong to a newer program that comes back, and are kept and enforced as
// guests until the declaration names them among its retired.
func (d *Driver) Ensure(ctx context.Context, spec docstore.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(spec.Indexes) > maxKeys {
		return fmt.Errorf("%w: %d indexes", docstore.ErrInvalid, len(spec.Indexes))
	}
	if d.options.ReadOnly {
		return d.attach(ctx, spec)
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
	var guests []guest
	if known != nil {
		guests = known.guests
	}
	err := d.writer.run(ctx, func(c *connection) error {
		var err error
		if states, guests, err = shape(c, spec, guests, drop); err == nil {
			d.publish(tableOf(spec, states, guests, recompute))
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
	d.publish(tableOf(spec, states, guests, recompute))
	return nil
}

func tableOf(spec docstore.Spec, states []indexState, guests []guest, recompute bool) *table {
	columns, ready := make([]string, len(states)), make([]bool, len(states))
	for i, state := range states {
		columns[i], ready[i] = state.column, state.filled < 0
	}
	t := newTable(spec, columns, ready, guests)
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

// guest is a unique index of the file that this program does not declare.
type guest struct {
	docstore.Index
	column string
}

// shape creates what is missing, in one transaction. Guests are those so far.
func shape(c *connection, spec docstore.Spec, guests []guest, drop bool) ([]indexState, []guest, error) {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, nil, err
	}
	err := c.exec("CREATE TABLE IF NOT EXISTS " + quote("c_"+spec.Name) +
		" (id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, body BLOB NOT NULL)")
	if err != nil {
		return nil, nil, err
	}
	if drop {
		if guests, err = sortOut(c, spec); err != nil {
			return nil, nil, err
		}
	}
	states := make([]indexState, len(spec.Indexes))
	for i, index := range spec.Indexes {
		if states[i], err = shapeIndex(c, spec.Name, index); err != nil {
			return nil, nil, err
		}
	}
	guests = slices.DeleteFunc(slices.Clone(guests), func(g guest) bool { return declares(spec.Indexes, g.Name) })
	return states, guests, c.exec("COMMIT")
}

func declares(indexes []docstore.Index, name string) bool {
	return slices.ContainsFunc(indexes, func(i docstore.Index) bool { return i.Name == name })
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

// defined is definition read back.
func defined(name, text string) docstore.Index {
	text, sparse := strings.CutSuffix(text, " sparse")
	text, unique := strings.CutSuffix(text, " unique")
	return docstore.Index{Name: name, Fields: strings.Split(text, ","), Unique: unique, Sparse: sparse}
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

// sortOut drops indexes that are neither declared nor guests. Their columns stay, unused: a definition of "" makes a
// later index of that name start anew. A guest is noted as not filled, for documents written from now on may lack its
// fields: the program that declares it keys everything again.
func sortOut(c *connection, spec docstore.Spec) ([]guest, error) {
	s, err := c.prepare("SELECT name, generation, definition FROM guanxi_indexes WHERE collection = ? AND definition <> ''")
	if err != nil {
		return nil, err
	}
	gone, guests := map[string]int{}, []guest(nil)
	generations, definitions := map[string]int{}, map[string]string{}
	s.text(1, spec.Name)
	for {
		more, err := s.step()
		if err != nil || !more {
			s.reset()
			if err != nil {
				return nil, err
			}
			break
		}
		name, generation, text := s.columnText(0), int(s.columnInt(1)), s.columnText(2)
		index := defined(name, text)
		switch {
		case declares(spec.Indexes, name):
		case index.Unique && !declares(spec.Retired, name):
			guests = append(guests, guest{index, columnName(name, generation)})
			generations[name], definitions[name] = generation, text
		default:
			gone[name] = generation
		}
	}
	for name, generation := range gone {
		if err := c.exec("DROP INDEX IF EXISTS " + indexName(spec.Name, columnName(name, generation))); err != nil {
			return nil, err
		}
		if err := noteIndex(c, spec.Name, name, generation, "", 0); err != nil {
			return nil, err
		}
	}
	for _, g := range guests {
		if err := noteIndex(c, spec.Name, g.Name, generations[g.Name], definitions[g.Name], 0); err != nil {
			return nil, err
		}
	}
	return guests, nil
}
