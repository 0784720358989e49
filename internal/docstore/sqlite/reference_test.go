package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/clock"
)

// BenchmarkReference is what the bare thing gives: a goroutine that commits whatever waits with one prepared insert
// of the same bytes into the same table with the same index, through database/sql.
func BenchmarkReference(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			asked := make(chan bareInsert, 4096)
			ended := make(chan error, 1)
			go func() { ended <- bareLoop(filepath.Join(b.TempDir(), "bare.db"), asked) }()
			drive(b, callers, func(n int64) error {
				p := newPosting(n, clock.System{}.Now())
				body, err := bson.Marshal(p)
				if err != nil {
					return err
				}
				one := bareInsert{p.ID, p.Book, body, make(chan error, 1)}
				asked <- one
				return <-one.done
			})
			b.StopTimer()
			close(asked)
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

type bareInsert struct {
	id, key string
	body    []byte
	done    chan error
}

func bareLoop(path string, asked <-chan bareInsert) error {
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range []string{"CREATE TABLE c (id TEXT NOT NULL UNIQUE, version INTEGER, body BLOB, k BLOB)", "CREATE INDEX k ON c (k, id)"} {
		if _, err := db.Exec(s); err != nil {
			return err
		}
	}
	insert, err := db.Prepare("INSERT INTO c (id, version, body, k) VALUES (?, 1, ?, ?)")
	if err != nil {
		return err
	}
	for first := range asked {
		group := []bareInsert{first}
		for more := true; more && len(group) < 512; {
			select {
			case one, ok := <-asked:
				if more = ok; ok {
					group = append(group, one)
				}
			default:
				more = false
			}
		}
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		bound := tx.Stmt(insert)
		for _, one := range group {
			if _, err := bound.Exec(one.id, one.body, []byte(one.key)); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		for _, one := range group {
			one.done <- nil
		}
	}
	return nil
}
