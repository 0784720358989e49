package sqlite

import (
	"bytes"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"guanxi/internal/docstore"
)

// apply carries out one operation inside the open transaction. The answer is for its caller alone; the error means
// that the transaction cannot go on.
func (w *writer) apply(op *docstore.Op) (answer, err error) {
	t := w.tables(op.Collection)
	if t == nil {
		return fmt.Errorf("%w: collection %s is not open", docstore.ErrInvalid, op.Collection), nil
	}
	if op.Kind == docstore.Delete {
		return w.remove(t, op)
	}
	keys, err := t.keys(op)
	if err != nil {
		return err, nil
	}
	switch op.Kind {
	case docstore.Insert:
		return w.insert(t, op, keys)
	case docstore.Replace:
		return w.replace(t, op, keys)
	}
	return fmt.Errorf("%w: operation %d", docstore.ErrInvalid, op.Kind), nil
}

func (w *writer) insert(t *table, op *docstore.Op, keys []docstore.IndexKey) (answer, err error) {
	s, err := w.c.prepare(t.insertSQL)
	if err != nil {
		return nil, err
	}
	s.text(1, op.ID)
	s.int(2, op.Next)
	s.blob(3, op.Body)
	for i := range keys {
		bindKey(s, int32(4+i), &keys[i])
	}
	return w.finish(t, op, s.drain())
}

// replace reads version and keys first: SQLite rewrites an index entry for every key column that is mentioned,
// changed or not.
func (w *writer) replace(t *table, op *docstore.Op, keys []docstore.IndexKey) (answer, err error) {
	s, err := w.c.prepare(t.keysSQL)
	if err != nil {
		return nil, err
	}
	s.text(1, op.ID)
	found, err := s.step()
	if err != nil || !found || s.columnInt(1) != op.Version {
		s.reset()
		return docstore.ErrStale, err
	}
	row, changed := s.columnInt(0), uint64(0)
	for i := range keys {
		if !sameKey(s, int32(2+i), &keys[i]) {
			changed |= 1 << i
		}
	}
	s.reset()
	if s, err = w.c.prepare(t.replaceSQL(changed)); err != nil {
		return nil, err
	}
	s.int(1, op.Next)
	s.blob(2, op.Body)
	at := int32(3)
	for i := range keys {
		if changed&(1<<i) != 0 {
			bindKey(s, at, &keys[i])
			at++
		}
	}
	s.int(at, row)
	return w.finish(t, op, s.drain())
}

func (w *writer) remove(t *table, op *docstore.Op) (answer, err error) {
	s, err := w.c.prepare(t.deleteSQL)
	if err != nil {
		return nil, err
	}
	s.text(1, op.ID)
	s.int(2, op.Version)
	if err := s.drain(); err != nil {
		return nil, err
	}
	if s.changes() == 0 {
		return docstore.ErrStale, nil
	}
	return nil, nil
}

// finish tells a taken id or index value, which SQLite has undone for this statement alone, from a failure.
func (w *writer) finish(t *table, op *docstore.Op, err error) (answer, fatal error) {
	var f *fault
	if err == nil || !errors.As(err, &f) || f.code != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return nil, err
	}
	index, foreign := t.taken(f.message)
	if index != "" && op.Kind == docstore.Insert {
		// A repeated insert meets itself on both; the id is the truer answer.
		present, err := w.present(t, op.ID)
		if err != nil {
			return nil, err
		}
		if present {
			index, foreign = "", false
		}
	}
	if foreign {
		return fmt.Errorf("%w: %s: unique index %s, which this program does not declare", docstore.ErrInvalid, op.ID, index), nil
	}
	return &docstore.ExistsError{Collection: op.Collection, Index: index, ID: op.ID}, nil
}

func (w *writer) present(t *table, id string) (bool, error) {
	s, err := w.c.prepare(t.presentSQL)
	if err != nil {
		return false, err
	}
	defer s.reset()
	s.text(1, id)
	return s.step()
}

func bindKey(s *statement, at int32, key *docstore.IndexKey) {
	if key.Absent {
		s.null(at)
		return
	}
	s.blob(at, key.Bytes)
}

func sameKey(s *statement, column int32, key *docstore.IndexKey) bool {
	if s.columnNull(column) {
		return key.Absent
	}
	return !key.Absent && bytes.Equal(s.columnView(column), key.Bytes)
}
