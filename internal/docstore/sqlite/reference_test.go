package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

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
				return bareCall(asked, newPosting(n, clock.System{}.Now()))
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

// BenchmarkRatio measures both in turn, so that a busy machine is busy for both: one iteration is 2,000 inserts through
// the whole store and 2,000 through the reference.
func BenchmarkRatio(b *testing.B) {
	const round = 2000
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			asked := make(chan bareInsert, 4096)
			ended := make(chan error, 1)
			go func() { ended <- bareLoop(filepath.Join(b.TempDir(), "bare.db"), asked) }()
			c := entries(b)
			var ours, theirs time.Duration
			n := int64(0)
			for range b.N {
				from := n
				n += round
				begin := time.Now()
				share(b, callers, round, func(i int64) error { return c.Insert(b.Context(), newPosting(from+i, clock.System{}.Now())) })
				between := time.Now()
				share(b, callers, round, func(i int64) error { return bareCall(asked, newPosting(from+i, clock.System{}.Now())) })
				ours, theirs = ours+between.Sub(begin), theirs+time.Since(between)
			}
			close(asked)
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/ours.Seconds(), "op/s")
			b.ReportMetric(float64(n)/theirs.Seconds(), "reference-op/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
		})
	}
}

func bareCall(asked chan<- bareInsert, p *posting) error {
	body, err := bson.Marshal(p)
	if err != nil {
		return err
	}
	one := bareInsert{p.ID, p.Book, body, make(chan error, 1)}
	asked <- one
	return <-one.done
}
