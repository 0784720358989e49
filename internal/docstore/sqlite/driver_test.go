package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

func TestSecondOpenIsLockedAndNamesTheHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if !errors.Is(err, docstore.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal("the lock was not given back:", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestClosedDriverIsUnavailable(t *testing.T) {
	t.Parallel()
	driver := open(t)
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: docstoretest.Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := docstore.Open[ticket](t.Context(), store, ticketSpec(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(driver.Close(), driver.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Get(t.Context(), "x")
	insert := c.Insert(t.Context(), &ticket{Doc: docstore.Doc{ID: "x"}})
	if !errors.Is(err, docstore.ErrUnavailable) || !errors.Is(insert, docstore.ErrUnavailable) || driver.Ping(t.Context()) == nil {
		t.Fatal(err, insert)
	}
}

func TestFileThatIsNoStoreIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guanxi.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); err == nil {
		t.Fatal("opened")
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{}); !errors.Is(err, docstore.ErrInvalid) {
		t.Fatal(err)
	}
}

// fill inserts until the store refuses and returns how many it took.
func fill(t *testing.T, c *docstore.Collection[ticket], round string) (taken int, err error) {
	t.Helper()
	for n := range 1 << 16 {
		doc := &ticket{Doc: docstore.Doc{ID: fmt.Sprintf("%s/%d", round, n)}, Round: round, Number: int64(n), Half: int64(n / 2), Ballast: strings.Repeat("b", 3000)}
		if err := c.Insert(t.Context(), doc); err != nil {
			return n, err
		}
	}
	t.Fatal("it never got full")
	return 0, nil
}

func TestFullFileIsAClearErrorAndForgottenWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, MaxPages: 300})
	if err != nil {
		t.Fatal(err)
	}
	c, err := docstore.Open[ticket](t.Context(), docstoretest.StoreOn(t, driver, clock.System{}), ticketSpec(2))
	if err != nil {
		t.Fatal(err)
	}
	taken, err := fill(t, c, "a")
	if !errors.Is(err, docstore.ErrUnavailable) || errors.Is(err, docstore.ErrUnclear) || taken < 50 {
		t.Fatal(taken, err)
	}
	if n, err := c.Count(t.Context(), docstore.All(), 0); err != nil || n != taken {
		t.Fatal(n, taken, err)
	}
	for n := range 20 {
		if err := c.Delete(t.Context(), fmt.Sprintf("a/%d", n), nil); err != nil {
			t.Fatal("a full store must let go:", err)
		}
	}
	again, err := fill(t, c, "b")
	if !errors.Is(err, docstore.ErrUnavailable) || again < 10 {
		t.Fatal(again, err)
	}
	checkIndexes(t, c, "round", "half")
}

func TestFullDiskIsAClearErrorAndForgottenWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("guanxi-test", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skip("no tmpfs can be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := openTickets(t, dir, 2)
	told := map[string]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			round := fmt.Sprint("w", w)
			taken, err := fill(t, c, round)
			if !errors.Is(err, docstore.ErrUnavailable) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for n := range taken {
				told[fmt.Sprintf("%s/%d", round, n)] = true
			}
		})
	}
	all.Wait()
	stored := 0
	err := c.Each(t.Context(), docstore.All(), func(doc *ticket) error { stored++; return wantTold(told, doc.ID) })
	if err != nil || stored != len(told) || stored == 0 {
		t.Fatal(stored, len(told), err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	taken, err := fill(t, c, "after")
	if !errors.Is(err, docstore.ErrUnavailable) || taken == 0 {
		t.Fatal("it did not recover:", taken, err)
	}
	checkIndexes(t, c, "round", "half")
}

func wantTold(told map[string]bool, id string) error {
	if !told[id] {
		return fmt.Errorf("%s was refused, but is there", id)
	}
	return nil
}

func TestLogIsCutWhileTheWriterNeverRests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, WALLimitMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	c, err := docstore.Open[ticket](t.Context(), docstoretest.StoreOn(t, driver, clock.System{}), ticketSpec(2))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	biggest := make([]int64, 8)
	for w := range biggest {
		all.Go(func() {
			for n := range 40 {
				docs := make([]*ticket, 50)
				for i := range docs {
					number := int64(n*50 + i)
					docs[i] = &ticket{
						Doc: docstore.Doc{ID: fmt.Sprintf("%d/%d", w, number)}, Round: fmt.Sprint(w), Number: number, Half: number / 2,
						Ballast: strings.Repeat("b", 3000),
					}
				}
				if err := errors.Join(c.InsertMany(t.Context(), docs)...); err != nil {
					t.Error(err)
				}
				if info, err := os.Stat(filepath.Join(dir, "guanxi.db-wal")); err == nil {
					biggest[w] = max(biggest[w], info.Size())
				}
			}
		})
	}
	all.Wait()
	for _, size := range biggest {
		if size > 32<<20 {
			t.Fatalf("the log grew to %d MiB, the limit is 8", size>>20)
		}
	}
}

func TestCancelledCallerWhoStillWaitsChangesNothing(t *testing.T) {
	t.Parallel()
	driver := open(t)
	t.Cleanup(func() { _ = driver.Close() })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := driver.Ensure(t.Context(), ticketSpec(0)); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		key := fmt.Sprint("x", n)
		answer := driver.Write(gone, []docstore.Op{{Kind: docstore.Insert, Collection: "tickets", ID: key, Next: 1, Body: []byte{5, 0, 0, 0, 0}}})[0]
		records, err := driver.Get(t.Context(), "tickets", []string{key})
		if err != nil || (answer == nil) != (len(records) == 1) {
			t.Fatal(answer, records, err)
		}
	}
}

func TestFailedEnsureLeavesTheCollectionAsItWas(t *testing.T) {
	t.Parallel()
	driver := open(t)
	c, err := docstore.Open[ticket](t.Context(), docstoretest.StoreOn(t, driver, clock.System{}), ticketSpec(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, round := t.Context(), "x"
	insert := func(n int64, ballast string) {
		t.Helper()
		if err := c.Insert(ctx, &ticket{Doc: docstore.Doc{ID: fmt.Sprint(n)}, Round: round, Number: n, Half: n / 2, Ballast: ballast}); err != nil {
			t.Fatal(err)
		}
	}
	insert(1, "same")
	insert(2, "same")
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: docstoretest.Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	spec := ticketSpec(1)
	spec.Indexes = append(spec.Indexes, docstore.Index{Name: "ballast", Fields: []string{"ballast"}, Unique: true})
	if _, err := docstore.Open[ticket](ctx, store, spec); !errors.Is(err, docstore.ErrInvalid) || !strings.Contains(err.Error(), "document 2") {
		t.Fatal("two documents with one value:", err)
	}
	insert(3, "same")
	for _, id := range []string{"2", "3"} {
		if err := c.Delete(ctx, id, nil); err != nil {
			t.Fatal(err)
		}
	}
	insert(4, "other")
	after, err := docstore.Open[ticket](ctx, store, spec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := after.FindOne(ctx, docstore.By("ballast", "other"))
	if err != nil || got.ID != "4" {
		t.Fatal(got, err)
	}
	spec.Indexes = append(spec.Indexes, docstore.Index{Name: "nothing", Fields: []string{"nothing"}})
	if _, err := docstore.Open[ticket](ctx, store, spec); !errors.Is(err, docstore.ErrInvalid) {
		t.Fatal("a field nobody has:", err)
	}
	insert(5, "third")
}

func TestChangedAndDroppedIndexesAreMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	use := func(t *testing.T, indexes []docstore.Index, do func(c *docstore.Collection[ticket])) {
		t.Helper()
		driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: docstoretest.Keys(t)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := docstore.Open[ticket](t.Context(), store, docstore.Spec{Name: "tickets", Indexes: indexes})
		if err != nil {
			t.Fatal(err)
		}
		do(c)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	find := func(c *docstore.Collection[ticket], value any, want string) {
		t.Helper()
		if got, err := c.FindOne(t.Context(), docstore.By("a", value)); err != nil || got.ID != want {
			t.Fatal(got, err)
		}
	}
	byRound := []docstore.Index{{Name: "a", Fields: []string{"round"}}}
	byNumber := []docstore.Index{{Name: "a", Fields: []string{"number"}}, {Name: "a_2", Fields: []string{"half"}}}
	use(t, byRound, func(c *docstore.Collection[ticket]) {
		for n := range int64(600) {
			if err := c.Insert(t.Context(), &ticket{Doc: docstore.Doc{ID: fmt.Sprint(n)}, Round: fmt.Sprint("r", n), Number: n}); err != nil {
				t.Fatal(err)
			}
		}
		find(c, "r7", "7")
	})
	use(t, byNumber, func(c *docstore.Collection[ticket]) { find(c, 599, "599") })
	use(t, nil, func(c *docstore.Collection[ticket]) {
		if _, err := c.Update(t.Context(), "8", func(k *ticket) error { k.Number = 1000; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.FindOne(t.Context(), docstore.By("a", 1)); !errors.Is(err, docstore.ErrInvalid) {
			t.Fatal(err)
		}
	})
	use(t, byNumber, func(c *docstore.Collection[ticket]) { find(c, 1000, "8") })
	use(t, byRound, func(c *docstore.Collection[ticket]) { find(c, "r8", "8") })
}
