package sqlite_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/sqlite"
)

// What is remembered of a document (also: that there is none) may never hide a write that was answered: readers look at the
// same few ids while they are made, changed and deleted.
func TestAReadSeesEveryAnsweredWrite(t *testing.T) {
	t.Parallel()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Readers: 2, RecentMiB: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close() })
	if err := driver.Ensure(t.Context(), ticketSpec(0)); err != nil {
		t.Fatal(err)
	}
	const rounds = 60
	body := []byte{5, 0, 0, 0, 0}
	ids := []string{"a", "b", "c", "d"}
	steps := []docstore.Op{
		{Kind: docstore.Insert, Next: 1, Body: body}, {Kind: docstore.Replace, Version: 1, Next: 2, Body: body}, {Kind: docstore.Delete, Version: 2},
	}
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !done.Load() {
				if _, err := driver.Get(t.Context(), "tickets", ids); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, id := range ids {
		writers.Go(func() {
			for range rounds {
				for _, op := range steps {
					op.Collection, op.ID = "tickets", id
					if err := driver.Write(t.Context(), []docstore.Op{op})[0]; err != nil {
						t.Error(err)
						return
					}
					found, err := driver.Get(t.Context(), "tickets", []string{id})
					if err != nil || (len(found) == 1) != (op.Next > 0) || len(found) == 1 && found[0].Version != op.Next {
						t.Errorf("after version %d: %v %v", op.Next, found, err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}
