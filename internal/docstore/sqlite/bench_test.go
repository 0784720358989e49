package sqlite_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

// posting stands for a ledger entry of three lines.
type posting struct {
	docstore.Doc `bson:",inline"`
	Kind         string    `bson:"kind"`
	Order        string    `bson:"order"`
	Book         string    `bson:"book"`
	At           time.Time `bson:"at"`
	Unsealed     bool      `bson:"unsealed,omitempty"`
	Lines        []line    `bson:"lines"`
}

type line struct {
	Account string `bson:"account"`
	Member  string `bson:"member"`
	Amount  int64  `bson:"amount"`
	Reason  string `bson:"reason"`
}

func newPosting(n int64, now time.Time) *posting {
	p := &posting{
		Doc: docstore.Doc{ID: fmt.Sprintf("accrue/%s", id.Derive(fmt.Sprint(n)))}, Kind: "accrue", Order: id.Derive("o", fmt.Sprint(n)),
		Book: "main", At: now, Unsealed: true,
	}
	for i := range 3 {
		p.Lines = append(p.Lines, line{"purse/pending", id.Derive("m", fmt.Sprint(n%1000)), int64(100 * i), "policy 7: 8 % of 12,500 fen"})
	}
	return p
}

func BenchmarkInsert(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			c := entries(b)
			drive(b, callers, func(n int64) error { return c.Insert(b.Context(), newPosting(n, clock.System{}.Now())) })
		})
	}
}

func entries(b *testing.B) *docstore.Collection[posting] {
	b.Helper()
	c, err := docstore.Open[posting](b.Context(), docstoretest.NewStore(b, clock.System{}), docstore.Spec{Name: "entries", Indexes: []docstore.Index{
		{Name: "unsealed", Fields: []string{"unsealed", "at"}, Sparse: false},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func drive(b *testing.B, callers int, do func(n int64) error) {
	b.ReportAllocs()
	b.ResetTimer()
	share(b, callers, int64(b.N), do)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// share lets the callers do 1 … count together.
func share(b *testing.B, callers int, count int64, do func(n int64) error) {
	b.Helper()
	var next, bad atomic.Int64
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for n := next.Add(1); n <= count; n = next.Add(1) {
				if do(n) != nil {
					bad.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if bad.Load() > 0 {
		b.Fatalf("%d failed", bad.Load())
	}
}
