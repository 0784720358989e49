package mongotest

import (
	"fmt"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/mongo"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/docstore/transfer"
)

// TestAStoreMovesToTheServerAndBack: byte for byte, and the proof on both sides says the same.
func TestAStoreMovesToTheServerAndBack(t *testing.T) {
	t.Parallel()
	double := newDouble(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	embedded := func(dir string) docstore.Driver {
		driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = driver.Close() })
		return driver
	}
	first := embedded(dirs[0])
	accounts := openAccounts(t, docstoretest.StoreOn(t, first, clock.NewManual(start())))
	for n := range 2500 {
		if err := accounts.Insert(t.Context(), newAccount(fmt.Sprintf("a%05d", n), fmt.Sprint("owner ", n), int64(n))); err != nil {
			t.Fatal(err)
		}
	}
	told := &transfer.Specs{}
	openAccounts(t, docstoretest.StoreOn(t, told, clock.NewManual(start())))
	move := func(from docstore.Snapshot, to docstore.Driver) (measured []transfer.Totals) {
		err := transfer.Sync(t.Context(), transfer.Syncing{From: from, To: to, Specs: told.All()})
		if err == nil {
			measured, err = transfer.Measure(t.Context(), from, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
		return measured
	}
	look := func(dir string) docstore.Snapshot {
		s, err := sqlite.OpenSnapshot(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	server := connect(t, double, nil)
	inFile := move(look(dirs[0]), server)
	served, err := mongo.OpenSnapshot(t.Context(), mongo.Options{URL: double.URL(), Database: "trial"})
	if err != nil {
		t.Fatal(err)
	}
	later := openAccounts(t, docstoretest.StoreOn(t, server, clock.NewManual(start())))
	if err := later.Insert(t.Context(), newAccount("later", "after the moment", 1)); err != nil {
		t.Fatal(err)
	}
	onServer := move(served, embedded(dirs[1]))
	back, err := transfer.Measure(t.Context(), look(dirs[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]transfer.Totals{"on the server": onServer, "back in a file": back} {
		if differences := transfer.Differences(inFile, other); differences != nil || len(other) != 1 || other[0].Documents != 2500 {
			t.Errorf("%s: %v, %v", name, differences, other)
		}
	}
}
