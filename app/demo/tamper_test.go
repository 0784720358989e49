package demo

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/primitive"

	"guanxi/app"
	"guanxi/commission"
	"guanxi/internal/clock"
	"guanxi/internal/id"
	"guanxi/internal/notary"
	"guanxi/order"
	"guanxi/proof/crosscheck"
)

// tampering changes and deletes one document of every chained collection of a copy of the demo's store, one at a time; each
// is named. The same with an order's amount.
func tampering(t *testing.T, from string) {
	dir := t.TempDir()
	for _, name := range []string{"guanxi.db", "guanxi.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if found := wrong(t, dir); len(found) > 0 {
		t.Fatalf("before: %v", found)
	}
	var empty []string
	for _, name := range append(crosscheck.Chained(), "orders") {
		id, body := firstOf(t, dir, name)
		if id == "" {
			empty = append(empty, name)
			continue
		}
		write(t, dir, "UPDATE c_"+name+" SET body = ? WHERE id = ?", altered(t, name, body), id)
		if found := wrong(t, dir); !slices.Contains(found, name+"/"+id) || len(found) > 1 {
			t.Errorf("%s/%s was changed; named: %v", name, id, found)
		}
		write(t, dir, "UPDATE c_"+name+" SET body = ? WHERE id = ?", body, id)
		if name == "orders" {
			continue // its accrual is named: crosscheck's own tests
		}
		write(t, dir, "UPDATE c_"+name+" SET id = 'away' WHERE id = ?", id)
		if found := wrong(t, dir); !slices.Contains(found, name+"/"+id) {
			t.Errorf("%s/%s was deleted; named: %v", name, id, found)
		}
		write(t, dir, "UPDATE c_"+name+" SET id = ? WHERE id = 'away'", id)
	}
	if found := wrong(t, dir); len(found) > 0 {
		t.Errorf("after: %v", found)
	}
	t.Logf("the demo has no documents in %v", empty)
	if len(empty) > 4 {
		t.Error("the demo proves too little: let it have more kinds of documents")
	}
}

func write(t *testing.T, dir, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "guanxi.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// firstOf gives one document; of orders a confirmed one.
func firstOf(t *testing.T, dir, collection string) (id string, body []byte) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "guanxi.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT id, body FROM c_"+collection+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&id, &body); err != nil {
			t.Fatal(err)
		}
		if collection != "orders" || bson.Raw(body).Lookup("confirmed_at").Type != 0 {
			return id, body
		}
	}
	return "", nil
}

// altered changes one field of a document's own.
func altered(t *testing.T, collection string, body []byte) []byte {
	t.Helper()
	var fields bson.D
	if err := bson.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	for i, f := range fields {
		if slices.Contains([]string{"_id", "version", "token", "schema", "proven", "waiting", "outbox"}, f.Key) || collection == "orders" && f.Key != "amount" {
			continue
		}
		switch v := f.Value.(type) {
		case string:
			fields[i].Value = v + "x"
		case int64:
			fields[i].Value = v + 10_000_00
		case int32:
			fields[i].Value = v + 1
		case bool:
			fields[i].Value = !v
		case primitive.DateTime:
			fields[i].Value = v + 1
		default:
			continue
		}
		raw, err := bson.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	t.Fatalf("nothing to alter in %s", collection)
	return nil
}

// wrong opens a store as guanxi verify does and gives the documents that are named, as collection/id.
func wrong(t *testing.T, dir string) (named []string) {
	t.Helper()
	store, err := app.ReadStore(t.Context(), app.Values{"GUANXI_DIR": dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	facts, err := notary.Verify(t.Context(), store, crosscheck.Chained(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if facts.Waiting+facts.Unchained > 0 {
		t.Errorf("after a clean stop: %+v", facts)
	}
	for _, d := range facts.Differences {
		if !strings.HasSuffix(d.Subject, "/away") {
			named = append(named, d.Subject)
		}
	}
	ledger, err := commission.New(t.Context(), commission.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}})
	if err != nil {
		t.Fatal(err)
	}
	orders, err := order.OpenArchive(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	report, err := crosscheck.Run(t.Context(), crosscheck.Deps{
		Orders: orders, Ledger: ledger, Clock: clock.System{}, Config: crosscheck.Config{Grace: time.Millisecond},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Differences {
		named = append(named, "orders/"+d.Subject)
	}
	return named
}
