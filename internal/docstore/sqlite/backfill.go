package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	sqlite3 "modernc.org/sqlite/lib"

	"guanxi/internal/docstore"
)

const (
	fillBatch      = 256 // documents keyed by one transaction of a backfill
	giveUpPatience = 10 * time.Second
)

// giveUp goes back to the declaration before a backfill that failed. Documents written from now on lack the new keys,
// so the next try begins anew.
func (d *Driver) giveUp(spec docstore.Spec, states []indexState, known *table) error {
	ctx, cancel := context.WithTimeout(context.Background(), giveUpPatience)
	defer cancel()
	return d.writer.run(ctx, func(c *connection) error {
		d.withdraw(spec.Name, known)
		for i, state := range states {
			if state.filled < 0 {
				continue
			}
			generation, stored, _, err := lookIndex(c, spec.Name, spec.Indexes[i].Name)
			if err != nil {
				return err
			}
			if err := noteIndex(c, spec.Name, spec.Indexes[i].Name, generation, stored, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// notUnique tells that old data breaks a new unique index; a fault of the file stays one.
func notUnique(id string, err error) error {
	var f *fault
	if errors.As(err, &f) && f.code == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return fmt.Errorf("%w: document %s breaks a new unique index: %w", docstore.ErrInvalid, id, err)
	}
	return err
}

// filling is one document with the keys it lacks.
type filling struct {
	id           string
	row, version int64
	keys         []docstore.IndexKey
}

// backfill keys old documents for the indexes that are not filled. It reads beside the writer and then writes only
// where the version is still the same: who wrote in between has written the keys, too.
func (d *Driver) backfill(ctx context.Context, spec docstore.Spec, states []indexState) error {
	var missing []int
	from := int64(-1)
	for i, state := range states {
		if state.filled >= 0 {
			missing = append(missing, i)
			if from < 0 || state.filled < from {
				from = state.filled
			}
		}
	}
	for len(missing) > 0 {
		batch, last, err := d.readBatch(ctx, spec, missing, from)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			last = -1
		}
		err = d.writer.run(ctx, func(c *connection) error { return storeBatch(c, spec, states, missing, batch, last) })
		if err != nil {
			return err
		}
		if last < 0 {
			return nil
		}
		from = last
	}
	return nil
}

func (d *Driver) readBatch(ctx context.Context, spec docstore.Spec, missing []int, from int64) (batch []filling, last int64, err error) {
	err = d.read(ctx, d.many, func(c *connection) error {
		s, err := c.prepare("SELECT rowid, version, body, id FROM " + quote("c_"+spec.Name) + " WHERE rowid > ? ORDER BY rowid LIMIT ?")
		if err != nil {
			return err
		}
		defer s.reset()
		s.int(1, from)
		s.int(2, fillBatch)
		for {
			more, err := s.step()
			if err != nil || !more {
				return err
			}
			keys, err := docstore.KeysOf(spec, bson.Raw(s.columnBytes(2)))
			if err != nil {
				return fmt.Errorf("document %s: %w", s.columnText(3), err)
			}
			one := filling{id: s.columnText(3), row: s.columnInt(0), version: s.columnInt(1)}
			for _, i := range missing {
				one.keys = append(one.keys, keys[i])
			}
			batch, last = append(batch, one), one.row
		}
	})
	return batch, last, err
}

// storeBatch stores one batch and how far the backfill is, in one transaction.
func storeBatch(c *connection, spec docstore.Spec, states []indexState, missing []int, batch []filling, last int64) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	sets := make([]string, len(missing))
	for n, i := range missing {
		sets[n] = quote(states[i].column) + " = ?"
	}
	s, err := c.prepare("UPDATE " + quote("c_"+spec.Name) + " SET " + strings.Join(sets, ", ") + " WHERE rowid = ? AND version = ? AND id = ?")
	if err != nil {
		return err
	}
	for _, one := range batch {
		for n := range one.keys {
			bindKey(s, int32(n+1), &one.keys[n])
		}
		s.int(int32(len(missing)+1), one.row)
		s.int(int32(len(missing)+2), one.version)
		s.text(int32(len(missing)+3), one.id)
		if err := s.drain(); err != nil {
			return notUnique(one.id, err)
		}
	}
	for _, i := range missing {
		generation, stored, _, err := lookIndex(c, spec.Name, spec.Indexes[i].Name)
		if err != nil {
			return err
		}
		if err := noteIndex(c, spec.Name, spec.Indexes[i].Name, generation, stored, last); err != nil {
			return err
		}
	}
	return c.exec("COMMIT")
}
