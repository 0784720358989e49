package lease_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/lease"
)

// board is something only one process at a time may write.
type board struct {
	docstore.Doc `bson:",inline"`
	lease.Fenced `bson:",inline"`
	Text         string `bson:"text"`
}

func Example() {
	ctx := context.Background()
	store, closed := openStore(ctx)
	defer closed()
	boards, _ := docstore.Open[board](ctx, store, docstore.Spec{Name: "boards"})
	write := func(token int64, text string) error {
		_, err := boards.Upsert(ctx, "main", func(b *board) error {
			if err := b.Admit(token); err != nil {
				return err
			}
			b.Text = text
			return nil
		})
		return err
	}

	// Two processes. In a program each keeper has its Run; here time passes by hand.
	now := int64(1)
	nanos := func() int64 { return now }
	one, _ := lease.Open(ctx, lease.Config{Store: store, Owner: "one", Nanos: nanos})
	two, _ := lease.Open(ctx, lease.Config{Store: store, Owner: "two", Nanos: nanos})
	first, _ := one.Seek("board").Try(ctx)
	_, err := two.Seek("board").Try(ctx)
	fmt.Println("one has token", first, "- two:", errors.Is(err, lease.ErrHeld))
	fmt.Println("one writes:", write(first, "by one"))

	// One is stopped; two watches it for two beats.
	for range 3 {
		now += int64(lease.DefaultBeat)
		_ = two.Beat(ctx)
	}
	second, held := two.Seek("board").Token()
	fmt.Println("two has token", second, held)
	fmt.Println("two writes:", write(second, "by two"))

	// One goes on, believing that it holds the lease.
	token, held := one.Seek("board").Token()
	fmt.Println("one believes in token", token, held)
	fmt.Println("one writes:", write(token, "late"))
	_ = one.Beat(ctx)
	_, held = one.Seek("board").Token()
	fmt.Println("one still believes:", held)
	// Output:
	// one has token 1 - two: true
	// one writes: <nil>
	// two has token 2 true
	// two writes: <nil>
	// one believes in token 1 true
	// one writes: lease: lost to another process
	// one still believes: false
}

func openStore(ctx context.Context) (*docstore.Store, func()) {
	dir, _ := os.MkdirTemp("", "lease")
	driver, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	keys, _ := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), docstore.Key{ID: "k", Secret: bytes.Repeat([]byte{2}, 32)})
	store, _ := docstore.New(docstore.Config{Driver: driver, Clock: clock.System{}, Keys: keys})
	return store, func() { _ = store.Close(); _ = os.RemoveAll(dir) }
}
