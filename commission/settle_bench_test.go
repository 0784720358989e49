package commission

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

// accrued is a service on disk, with its sealer at work, and n accrued sales; their ids are given.
func accrued(b *testing.B, n int) (*Service, []Sale) {
	driver, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir()})
	must(b, err)
	s := open(b, docstoretest.StoreOn(b, driver, clock.System{}), clock.System{}, Config{Alone: true})
	p := testPolicy()
	p.From = time.Now().Add(-30 * day)
	rules, err := s.Policies.Publish(b.Context(), p)
	must(b, err)
	r := rand.New(rand.NewPCG(1, 7))
	z := rand.NewZipf(r, 1.1, 1, 9999)
	sales, entries := make([]Sale, n), make([]*Entry, 0, 500)
	for i := range n {
		sales[i] = zipfSale(i, r, z)
		sales[i].At = clock.Milli(time.Now().Add(-10 * day))
		if entries = append(entries, policy.Compute(rules, sales[i])); len(entries) == cap(entries) || i == n-1 {
			must(b, s.postAll(b.Context(), entries))
			entries = entries[:0]
		}
	}
	must(b, s.CatchUp(b.Context()))
	must(b, s.Tidy(b.Context()))
	ctx, cancel := context.WithCancel(b.Context())
	var sealing sync.WaitGroup
	sealing.Go(func() { s.Run(ctx, func(err error) { b.Error(err) }) })
	b.Cleanup(func() { cancel(); sealing.Wait() })
	return s, sales
}

// BenchmarkSettle settles prepared orders, all of them due: one call of SettleDue after the other, as the loop does it, or
// 32 callers at the same time.
func BenchmarkSettle(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			const orders = 100_000
			for range b.N {
				b.StopTimer()
				s, sales := accrued(b, orders)
				ids, bySale := make([]string, orders), make(map[string]*Sale, orders)
				for i := range sales {
					ids[i], bySale[sales[i].Order] = sales[i].Order, &sales[i]
				}
				at := time.Now().Add(-9 * day)
				must(b, s.settlements.UpsertMany(b.Context(), ids, func(d *Settlement) error {
					d.receive(clock.Milli(at), clock.Milli(at.Add(7*day)))
					return d.adopt(policy.Compute(must1(s.Policies.Version(b.Context(), 1)), *bySale[d.ID]), &s.config)
				}))
				b.StartTimer()
				began := time.Now()
				var settled atomic.Int64
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for {
							n, err := s.SettleDue(b.Context())
							if err != nil {
								b.Error(err)
							}
							if settled.Add(int64(n)); n == 0 || err != nil {
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(orders/time.Since(began).Seconds(), "orders/s")
				if settled.Load() < orders {
					b.Fatal(settled.Load())
				}
			}
		})
	}
}

// BenchmarkClawBack takes back a part of each of b.N accrued orders.
func BenchmarkClawBack(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, sales := accrued(b, b.N)
			b.ResetTimer()
			spread(b, callers, func(n int, _ *rand.Rand, _ *rand.Zipf) error {
				of := sales[n-1]
				return s.ClawBack(b.Context(), Refund{
					Order: of.Order, Number: of.Order + "r1", At: time.Now(),
					Lines: []RefundLine{{Line: 1, Refunded: of.Lines[0].Paid / 2, Paid: of.Lines[0].Paid}},
				})
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "clawbacks/s")
		})
	}
}
