package redisx

import (
	"strconv"
	"testing"
	"time"

	"guanxi/internal/clock"
)

func BenchmarkEmbedded(b *testing.B) {
	r, err := Open(Config{Clock: clock.System{}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	limiter, gate, cache := r.Limiter(), r.Gate(GateConfig{}), r.Cache(CacheConfig{Space: "s"})
	near := r.Cache(CacheConfig{Space: "s", Near: time.Second})
	rate := Rate{Count: 1 << 30, Per: time.Second, Burst: 1 << 20}
	near.Put(b.Context(), "k", make([]byte, 200), time.Hour)
	for name, call := range map[string]func(n int){
		"limiter":   func(n int) { limiter.Allow(b.Context(), strconv.Itoa(n%1000), rate) },
		"gate":      func(int) { gate.Deal(b.Context(), "c", 1) },
		"cache":     func(int) { cache.Get(b.Context(), "k") },
		"cacheNear": func(int) { near.Get(b.Context(), "k") },
		"cacheMiss": func(n int) { cache.Get(b.Context(), strconv.Itoa(n)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := range b.N {
				call(n)
			}
		})
	}
}
