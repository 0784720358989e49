package order

import (
	"strconv"
	"testing"
)

func BenchmarkPlace(b *testing.B) {
	w := newWorld(b)
	w.stock.free["tea"] = 1 << 40
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		w.place("k"+strconv.Itoa(n), Wish{"tea", 1})
	}
}

func BenchmarkPlaceParallel(b *testing.B) {
	w := newWorld(b)
	w.stock.free["tea"] = 1 << 40
	b.ReportAllocs()
	b.SetParallelism(16)
	var keys counter
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w.place("k"+strconv.FormatInt(keys.next(), 10), Wish{"tea", 1})
		}
	})
}

func BenchmarkSettle(b *testing.B) {
	w := newWorld(b)
	w.stock.free["tea"] = 1 << 40
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		o := w.place("k"+strconv.Itoa(n), Wish{"tea", 1})
		w.platform.payAnyway(o.ID, o.Amount)
		p := w.platform.notice(o.ID)
		b.StartTimer()
		w.must(w.orders.Settle(b.Context(), p))
	}
}

func BenchmarkSettleAgain(b *testing.B) {
	w := newWorld(b)
	o := w.confirmed("k")
	p := w.platform.notice(o.ID)
	b.ReportAllocs()
	for b.Loop() {
		w.must(w.orders.Settle(b.Context(), p))
	}
}
