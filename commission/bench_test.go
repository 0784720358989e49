package commission

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/commission/internal/lane"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/money"
)

type bare struct {
	docstore.Doc `bson:",inline"`
	Text         string `bson:"text"`
	Hash         []byte `bson:"hash"`
	Unsealed     string `bson:"unsealed"`
}

// zipfSale is an accrual of three or four postings among 10,000 members.
func zipfSale(n int, r *rand.Rand, z *rand.Zipf) Sale {
	s := sale(fmt.Sprintf("%08x%016x", n, r.Uint64()), money.Fen(1000+r.IntN(100000)))
	s.At = time.Now().UTC()
	s.Host = fmt.Sprintf("member%05d", z.Uint64())
	s.Referral.Direct = fmt.Sprintf("member%05d", z.Uint64())
	s.Referral.Upline = ""
	if r.IntN(2) == 0 {
		s.Referral.Upline = fmt.Sprintf("member%05d", z.Uint64())
	}
	return s
}

func BenchmarkPost(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchPost(b, callers) })
		b.Run(fmt.Sprintf("bare/callers=%d", callers), func(b *testing.B) { benchBare(b, callers) })
	}
}

func benchPost(b *testing.B, callers int) {
	driver, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	must(b, err)
	s := open(b, docstoretest.StoreOn(b, driver, clock.System{}), clock.System{}, Config{Alone: true})
	p := testPolicy()
	p.From = time.Now().Add(-time.Hour)
	_, err = s.Policies.Publish(b.Context(), p)
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	var sealing sync.WaitGroup
	sealing.Go(func() { s.Run(ctx, func(err error) { b.Error(err) }) })
	b.ResetTimer()
	spread(b, callers, func(n int, r *rand.Rand, z *rand.Zipf) error { return s.Accrue(b.Context(), zipfSale(n, r, z)) })
	b.StopTimer()
	began := time.Now()
	must(b, s.CatchUp(b.Context()))
	b.ReportMetric(time.Since(began).Seconds(), "catchup-s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	cancel()
	sealing.Wait()
}

func benchBare(b *testing.B, callers int) {
	driver, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	must(b, err)
	store := docstoretest.StoreOn(b, driver, clock.System{})
	_, err = docstore.Open[bare](b.Context(), store, docstore.Spec{Name: "bare"})
	must(b, err)
	p := testPolicy()
	e := policy.Compute(&p, sale("o1", 12345))
	d := e.Doc(lane.Key("main", "abcdefghijkl", 1))
	body, err := store.Marshal(d)
	must(b, err)
	b.ReportMetric(float64(len(body)), "bytes")
	b.ResetTimer()
	spread(b, callers, func(n int, r *rand.Rand, _ *rand.Zipf) error {
		op := docstore.Op{
			Kind: docstore.Insert, Collection: "bare", ID: fmt.Sprintf("accrue/%08x%016x", n, r.Uint64()), Next: 1,
			Body: body, Keys: []docstore.IndexKey{{Absent: true}},
		}
		return driver.Write(b.Context(), []docstore.Op{op})[0]
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}

// spread divides b.N calls among callers.
func spread(b *testing.B, callers int, call func(n int, r *rand.Rand, z *rand.Zipf) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 7))
			z := rand.NewZipf(r, 1.1, 1, 9999)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(int(n), r, z); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// filled is a verified store with n accrued sales.
func filled(b *testing.B, n int) *Service {
	s := open(b, docstoretest.NewStore(b, clock.System{}), clock.System{}, Config{Alone: true})
	p := testPolicy()
	p.From = time.Now().Add(-time.Hour)
	_, err := s.Policies.Publish(b.Context(), p)
	must(b, err)
	r := rand.New(rand.NewPCG(1, 7))
	z := rand.NewZipf(r, 1.1, 1, 9999)
	entries := make([]*Entry, 0, 2000)
	for i := range n {
		rules, err := s.Policies.At(b.Context(), time.Now())
		must(b, err)
		sale := zipfSale(i, r, z)
		sale.Host, sale.At = "bighost", clock.Milli(sale.At)
		if entries = append(entries, policy.Compute(rules, sale)); len(entries) == cap(entries) || i == n-1 {
			must(b, s.postAll(b.Context(), entries))
			entries = entries[:0]
		}
	}
	must(b, s.CatchUp(b.Context()))
	must(b, s.Tidy(b.Context()))
	return s
}

// BenchmarkRead measures, with 100,000 entries: verifying, rebuilding, and the purse page of the host of all of them.
func BenchmarkRead(b *testing.B) {
	const entries = 100_000
	s := filled(b, entries)
	b.Run("verify", func(b *testing.B) {
		for range b.N {
			report, err := s.Verify(b.Context(), nil)
			must(b, err)
			if !report.Good() || report.Entries != entries {
				b.Fatal(report)
			}
		}
		b.ReportMetric(entries*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("rebuild", func(b *testing.B) {
		for range b.N {
			must(b, s.Rebuild(b.Context()))
		}
		b.ReportMetric(entries*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("purse of a big host", func(b *testing.B) {
		for range b.N {
			p, err := s.Purse(b.Context(), "bighost")
			must(b, err)
			if p.Lines != entries {
				b.Fatal(p.Lines)
			}
		}
	})
}
