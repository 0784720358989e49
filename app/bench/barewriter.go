package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	_ "modernc.org/sqlite" // the bare driver
)

// bareWriter is what a durable grouped insert costs without anything of ours: one goroutine that commits whatever
// waits, one prepared insert, a table of id and body, WAL, synchronous=FULL.
type bareWriter struct {
	asked chan bareInsert
	ended chan error
	db    *sql.DB
	salt  string // makes ids of the right length, in random order like derived ones
	body  []byte
}

type bareInsert struct {
	id   string
	done chan error
}

const bareGroup = 512

func openBareWriter(ctx context.Context, path string, idBytes, bodyBytes int) (*bareWriter, error) {
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-32768)")
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE reference (id TEXT PRIMARY KEY, body BLOB NOT NULL)"); err != nil {
		return nil, errors.Join(fmt.Errorf("reference: %w", err), db.Close())
	}
	w := &bareWriter{asked: make(chan bareInsert, 4096), ended: make(chan error, 1), db: db, body: make([]byte, bodyBytes)}
	_, _ = rand.Read(w.body) // never fails
	w.salt = hex.EncodeToString(w.body[:min(len(w.body), max(1, idBytes/2))])
	w.salt = w.salt[:min(len(w.salt), max(idBytes-16, 1))]
	go func() { w.ended <- w.loop(ctx) }()
	return w, nil
}

func (w *bareWriter) close() error {
	close(w.asked)
	return errors.Join(<-w.ended, w.db.Close())
}

// insert returns when the row is durable.
func (w *bareWriter) insert(ctx context.Context, n int) error {
	scattered := uint64(n) * 0x9e3779b97f4a7c15
	digits := strconv.FormatUint(scattered, 16)
	one := bareInsert{w.salt + "0000000000000000"[len(digits):] + digits, make(chan error, 1)}
	select {
	case w.asked <- one:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-one.done
}

func (w *bareWriter) loop(ctx context.Context) error {
	insert, err := w.db.PrepareContext(ctx, "INSERT INTO reference (id, body) VALUES (?, ?)")
	if err == nil {
		defer insert.Close()
	}
	group := make([]bareInsert, 0, bareGroup)
	for first := range w.asked {
		group = append(group[:0], first)
		for more := true; more && len(group) < bareGroup; {
			select {
			case one, ok := <-w.asked:
				if more = ok; ok {
					group = append(group, one)
				}
			default:
				more = false
			}
		}
		if err == nil {
			err = w.commit(ctx, insert, group)
		}
		for _, one := range group {
			one.done <- err
		}
	}
	return err
}

func (w *bareWriter) commit(ctx context.Context, insert *sql.Stmt, group []bareInsert) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	bound := tx.StmtContext(ctx, insert)
	defer bound.Close()
	for _, one := range group {
		if _, err := bound.ExecContext(ctx, one.id, w.body); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}
