package sqlite

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
)

// maxTogether is the number of ids asked for by one statement.
const maxTogether = 128

// Get returns the records that exist. Their bodies may be shared with other callers and must not be changed.
func (d *Driver) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	t := d.table(collection)
	if t == nil {
		return nil, notOpen(collection)
	}
	if d.isClosing() {
		return nil, fmt.Errorf("%w: closed", docstore.ErrUnavailable)
	}
	if t.absent {
		return nil, nil
	}
	records, missing := make([]docstore.Record, 0, len(ids)), make([]string, 0, len(ids))
	epochs := make(map[string]uint64, len(ids))
	for _, id := range ids {
		record, found, epoch := d.recent.get(recordName{collection, id})
		if found {
			if record.Version > 0 {
				records = append(records, record)
			}
			continue
		}
		missing, epochs[id] = append(missing, id), epoch
	}
	if len(missing) == 0 {
		return records, nil
	}
	known := len(records)
	err := d.read(ctx, d.desk(len(missing)), func(c *connection) error {
		for rest := missing; len(rest) > 0; {
			n := min(len(rest), maxTogether)
			var err error
			if records, err = t.get(c, rest[:n], records); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	if err != nil || len(missing) > fewDocuments {
		return records, err
	}
	for _, r := range records[known:] {
		d.recent.keep(recordName{collection, r.ID}, r, epochs[r.ID])
		delete(epochs, r.ID)
	}
	for id, epoch := range epochs {
		d.recent.keep(recordName{collection, id}, docstore.Record{}, epoch)
	}
	return records, nil
}

func notOpen(collection string) error {
	return fmt.Errorf("%w: collection %s is not open", docstore.ErrInvalid, collection)
}

// get asks with 1, 2, 4 … marks, so that few statements serve all numbers of ids; the last id fills up.
func (t *table) get(c *connection, ids []string, records []docstore.Record) ([]docstore.Record, error) {
	marks := 1
	for marks < len(ids) {
		marks *= 2
	}
	sql := t.getSQL + "= ?"
	if marks > 1 {
		sql = t.getSQL + "IN (?" + strings.Repeat(",?", marks-1) + ")"
	}
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	defer s.reset()
	for i := range marks {
		s.text(int32(i+1), ids[min(i, len(ids)-1)])
	}
	return collect(s, records, len(ids))
}

// collect reads up to limit rows of id, version, body.
func collect(s *statement, records []docstore.Record, limit int) ([]docstore.Record, error) {
	for range limit {
		more, err := s.step()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		records = append(records, docstore.Record{
			ID: s.columnText(0), Version: s.columnInt(1), Body: bson.Raw(s.columnBytes(2)),
		})
	}
	return records, nil
}

// span is a query in terms of keys: from <= key < to, going on after (afterKey, afterID).
type span struct {
	t          *table
	column     string // key column, quoted; id for the id itself
	index      string // the SQLite index behind it, quoted
	unique     bool   // the key alone is an order
	from, to   []byte // nil = open
	descending bool
	after      bool
	afterKey   []byte
	afterID    string
}

// Find returns one page in index order.
func (d *Driver) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	sp, err := d.span(collection, q)
	if err != nil || sp.t.absent {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = docstore.DefaultLimit
	}
	var records []docstore.Record
	next := ""
	err = d.read(ctx, d.desk(limit), func(c *connection) error {
		s, err := sp.ask(c, "id, version, body, "+sp.column, limit+1)
		if err != nil {
			return err
		}
		defer s.reset()
		if records, err = collect(s, make([]docstore.Record, 0, min(limit, 64)), limit); err != nil || len(records) < limit {
			return err
		}
		key := s.columnBytes(3)
		more, err := s.step()
		if err == nil && more {
			next = sp.cursor(key, records[limit-1].ID)
		}
		return err
	})
	return records, next, err
}

// Count counts what the query matches, at most limit when limit > 0.
func (d *Driver) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	sp, err := d.span(collection, q)
	if err != nil || sp.t.absent {
		return 0, err
	}
	n := 0
	err = d.read(ctx, d.desk(max(limit, 0)), func(c *connection) error {
		s, err := c.prepare("SELECT count(*) FROM (" + sp.sql("1", limit > 0, false) + ")")
		if err != nil {
			return err
		}
		defer s.reset()
		sp.bind(s, limit, limit > 0)
		if _, err := s.step(); err != nil {
			return err
		}
		n = int(s.columnInt(0))
		return nil
	})
	return n, err
}

func (d *Driver) span(collection string, q docstore.Query) (*span, error) {
	t := d.table(collection)
	if t == nil {
		return nil, notOpen(collection)
	}
	sp := &span{t: t, column: "id", unique: true, descending: q.Descending}
	var err error
	if q.Index == "" {
		err = sp.byID(q)
	} else {
		err = sp.byKey(q)
	}
	if err == nil && q.After != "" {
		err = sp.continued(q.After)
	}
	return sp, err
}

func (sp *span) byKey(q docstore.Query) error {
	at := sp.t.position(q.Index)
	if sp.t.absent {
		return nil
	}
	if at < 0 || !sp.t.ready[at] {
		return fmt.Errorf("%w: index %s of %s is not declared or not ready", docstore.ErrInvalid, q.Index, sp.t.spec.Name)
	}
	sp.column, sp.unique = quote(sp.t.columns[at]), sp.t.spec.Indexes[at].Unique
	sp.index = indexName(sp.t.spec.Name, sp.t.columns[at])
	prefix, err := docstore.EncodeKey(q.Equal...)
	if err != nil {
		return err
	}
	sp.from, sp.to = prefix, after(prefix)
	if q.From != nil {
		if sp.from, err = docstore.EncodeKey(append(q.Equal[:len(q.Equal):len(q.Equal)], q.From)...); err != nil {
			return err
		}
	}
	if q.To != nil {
		if sp.to, err = docstore.EncodeKey(append(q.Equal[:len(q.Equal):len(q.Equal)], q.To)...); err != nil {
			return err
		}
	}
	return nil
}

func (sp *span) byID(q docstore.Query) error {
	for i, value := range []any{first(q.Equal), q.From, q.To} {
		if value == nil {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("%w: an id is a string, not a %T", docstore.ErrInvalid, value)
		}
		switch i {
		case 0:
			sp.from, sp.to = []byte(text), append([]byte(text), 0)
		case 1:
			sp.from = []byte(text)
		case 2:
			sp.to = []byte(text)
		}
	}
	return nil
}

func first(values []any) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

// after is the smallest key behind all that begin with prefix; nil when there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}

// sql builds the statement; its parameters are lower bound, upper bound, and the limit, as far as they exist.
func (sp *span) sql(columns string, limited, ordered bool) string {
	var where []string
	place := "(" + sp.column + ", id) %s (?, ?)"
	if sp.unique {
		place = sp.column + " %s ?"
	}
	switch {
	case sp.after && !sp.descending:
		where = append(where, fmt.Sprintf(place, ">"))
	case sp.from != nil:
		where = append(where, sp.column+" >= ?")
	}
	switch {
	case sp.after && sp.descending:
		where = append(where, fmt.Sprintf(place, "<"))
	case sp.to != nil:
		where = append(where, sp.column+" < ?")
	}
	sql := "SELECT " + columns + " FROM " + sp.t.name
	if sp.column != "id" {
		sql += " INDEXED BY " + sp.index
		where = append(where, sp.column+" IS NOT NULL")
	}
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	if ordered {
		direction := ""
		if sp.descending {
			direction = " DESC"
		}
		sql += " ORDER BY " + sp.column + direction
		if !sp.unique {
			sql += ", id" + direction
		}
	}
	if limited {
		sql += " LIMIT ?"
	}
	return sql
}

func (sp *span) bind(s *statement, limit int, limited bool) {
	at := int32(0)
	bound := func(v []byte) {
		at++
		if sp.column == "id" {
			s.text(at, string(v))
			return
		}
		s.blob(at, v)
	}
	place := func() {
		if sp.column == "id" {
			at++
			s.text(at, sp.afterID)
			return
		}
		bound(sp.afterKey)
		if !sp.unique {
			at++
			s.text(at, sp.afterID)
		}
	}
	switch {
	case sp.after && !sp.descending:
		place()
	case sp.from != nil:
		bound(sp.from)
	}
	switch {
	case sp.after && sp.descending:
		place()
	case sp.to != nil:
		bound(sp.to)
	}
	if limited {
		s.int(at+1, int64(limit))
	}
}

func (sp *span) ask(c *connection, columns string, limit int) (*statement, error) {
	s, err := c.prepare(sp.sql(columns, true, true))
	if err != nil {
		return nil, err
	}
	sp.bind(s, limit, true)
	return s, nil
}

// cursor names the place after (key, id).
func (sp *span) cursor(key []byte, id string) string {
	if sp.column == "id" {
		key = nil
	}
	raw := binary.AppendUvarint(make([]byte, 0, 2+len(key)+len(id)), uint64(len(key)))
	return base64.RawURLEncoding.EncodeToString(append(append(raw, key...), id...))
}

// continued reads a cursor; one that was made for another query lies outside the span and is refused.
func (sp *span) continued(cursor string) error {
	bad := fmt.Errorf("%w: the cursor does not belong to this query", docstore.ErrInvalid)
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return bad
	}
	n, size := binary.Uvarint(raw)
	if size <= 0 || n > uint64(len(raw)-size) {
		return bad
	}
	sp.after, sp.afterKey, sp.afterID = true, raw[size:size+int(n)], string(raw[size+int(n):])
	place := sp.afterKey
	if sp.column == "id" {
		place = []byte(sp.afterID)
	}
	if sp.afterID == "" || (len(sp.afterKey) == 0) != (sp.column == "id") ||
		bytes.Compare(place, sp.from) < 0 || (sp.to != nil && bytes.Compare(place, sp.to) >= 0) {
		return bad
	}
	return nil
}
