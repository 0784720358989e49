package catalog

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
)

func benchShop(b *testing.B, skus int, units int64) (*Service, []string) {
	s := second(b, docstoretest.NewStore(b, clock.System{}), clock.System{}, Config{})
	var ids []string
	for i := range skus {
		in := tea()
		in.Key = fmt.Sprint(i)
		p, err := s.AddProduct(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Receive(b.Context(), StockIn{Ref: "first", SKU: p.SKUs[0].ID, Units: units}); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, p.SKUs[0].ID)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s, ids
}

func benchSales(b *testing.B, s *Service, ids []string, callers int, commit bool) {
	var n, failed atomic.Int64
	b.SetParallelism(callers)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			order, lines := fmt.Sprintf("order-%d", i), []Units{{ids[int(i)%len(ids)], 1}}
			err := s.Hold(b.Context(), claim.New(order), time.Now().Add(15*time.Minute), lines)
			if err == nil && commit {
				err = s.Commit(b.Context(), order, lines)
			}
			if err != nil {
				failed.Add(1)
			}
		}
	})
	if failed.Load() > 0 {
		b.Errorf("%d failed", failed.Load())
	}
}

func BenchmarkHoldHotSKU(b *testing.B) {
	s, ids := benchShop(b, 1, 1_000_000)
	benchSales(b, s, ids, 64, false)
}

func BenchmarkHoldAndCommitHotSKU(b *testing.B) {
	s, ids := benchShop(b, 1, 1_000_000)
	benchSales(b, s, ids, 64, true)
}

func BenchmarkHoldAndCommit40SKUs(b *testing.B) {
	s, ids := benchShop(b, 40, 10_000)
	benchSales(b, s, ids, 64, true)
}

func BenchmarkHoldAndCommitOneCaller(b *testing.B) {
	s, ids := benchShop(b, 1, 1_000_000)
	for i := range b.N {
		order, lines := fmt.Sprintf("order-%d", i), []Units{{ids[0], 1}}
		if err := s.Hold(b.Context(), claim.New(order), time.Now().Add(15*time.Minute), lines); err != nil {
			b.Fatal(err)
		}
		if err := s.Commit(b.Context(), order, lines); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSoldOut(b *testing.B) {
	s, ids := benchShop(b, 1, 1000)
	for i := range 1000 {
		if err := s.Hold(b.Context(), claim.New(fmt.Sprint("first-", i)), time.Now().Add(15*time.Minute), []Units{{ids[0], 1}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var n atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Hold(b.Context(), claim.New(fmt.Sprint("late-", n.Add(1))), time.Now().Add(15*time.Minute), []Units{{ids[0], 1}}); err == nil {
				b.Error("sold what was not there")
			}
		}
	})
}
