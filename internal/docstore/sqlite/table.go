package sqlite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"guanxi/internal/docstore"
)

// table is what the driver knows of one collection. It is never changed, only replaced.
type table struct {
	spec    docstore.Spec
	name    string   // "c_orders", quoted
	columns []string // key column of each index of spec, then of each guest
	ready   []bool   // index of spec answers queries
	// recompute: the keys of an Op may be ordered for another spec than ours, so they are taken from the body.
	recompute bool
	guests    []guest // stand behind the declared ones in columns and keys
	absent    bool    // read only, and not there: empty

	insertSQL, getSQL, keysSQL, deleteSQL, presentSQL string
}

func newTable(spec docstore.Spec, columns []string, ready []bool, guests []guest) *table {
	for _, g := range guests {
		columns = append(columns, g.column)
	}
	t := &table{spec: spec, name: quote("c_" + spec.Name), columns: columns, ready: ready, guests: guests}
	names, marks, keys := "id, version, body", "?, ?, ?", ""
	for _, column := range columns {
		names, marks, keys = names+", "+quote(column), marks+", ?", keys+", "+quote(column)
	}
	t.insertSQL = "INSERT INTO " + t.name + " (" + names + ") VALUES (" + marks + ")"
	t.getSQL = "SELECT id, version, body FROM " + t.name + " WHERE id "
	t.keysSQL = "SELECT rowid, version" + keys + " FROM " + t.name + " WHERE id = ?"
	t.deleteSQL = "DELETE FROM " + t.name + " WHERE id = ? AND version = ?"
	t.presentSQL = "SELECT 1 FROM " + t.name + " WHERE id = ?"
	return t
}

// replaceSQL writes version, body and the key columns whose bit is set.
func (t *table) replaceSQL(changed uint64) string {
	var sql strings.Builder
	sql.WriteString("UPDATE " + t.name + " SET version = ?, body = ?")
	for i, column := range t.columns {
		if changed&(1<<i) != 0 {
			sql.WriteString(", " + quote(column) + " = ?")
		}
	}
	sql.WriteString(" WHERE rowid = ?")
	return sql.String()
}

// position finds an index by name.
func (t *table) position(index string) int {
	return slices.IndexFunc(t.spec.Indexes, func(i docstore.Index) bool { return i.Name == index })
}

// keys gives the keys of op in the order of our columns.
func (t *table) keys(op *docstore.Op) ([]docstore.IndexKey, error) {
	own := op.Keys
	if t.recompute || len(own) != len(t.spec.Indexes) {
		var err error
		if own, err = docstore.KeysOf(t.spec, op.Body); err != nil {
			return nil, err
		}
	}
	if len(t.guests) == 0 {
		return own, nil
	}
	keys := slices.Clone(own)
	for _, g := range t.guests {
		key, err := docstore.KeysOf(docstore.Spec{Name: t.spec.Name, Schema: t.spec.Schema, Upgrades: t.spec.Upgrades, Indexes: []docstore.Index{g.Index}}, op.Body)
		if err != nil { // we do not write its fields: not in it
			key = []docstore.IndexKey{{Absent: true}}
		}
		keys = append(keys, key...)
	}
	return keys, nil
}

// taken turns "UNIQUE constraint failed: c_orders.k_number" into the name of the index; "" is the id.
func (t *table) taken(message string) (index string, foreign bool) {
	_, column, _ := strings.Cut(message, "UNIQUE constraint failed: c_"+t.spec.Name+".")
	switch i := slices.Index(t.columns, column); {
	case i < 0:
		return "", false
	case i < len(t.spec.Indexes):
		return t.spec.Indexes[i].Name, false
	default:
		return t.guests[i-len(t.spec.Indexes)].Name, true
	}
}

func quote(name string) string { return `"` + name + `"` }

func indexName(collection, column string) string { return quote("i_" + collection + "." + column) }

// createIndexSQL makes the SQLite index behind a declared one. Documents that are not in it have a NULL key.
func createIndexSQL(collection, column string, unique bool) string {
	kind, over := "INDEX", quote(column)+", id"
	if unique {
		kind, over = "UNIQUE INDEX", quote(column)
	}
	return fmt.Sprintf("CREATE %s IF NOT EXISTS %s ON %s (%s) WHERE %s IS NOT NULL",
		kind, indexName(collection, column), quote("c_"+collection), over, quote(column))
}

// columnName is the key column of an index; a later generation is used when the definition has changed.
func columnName(index string, generation int) string {
	if generation == 1 {
		return "k_" + index
	}
	return "k" + strconv.Itoa(generation) + "_" + index
}
