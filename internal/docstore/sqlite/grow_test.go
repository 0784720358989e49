package sqlite_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"guanxi/internal/clock"
)

// BenchmarkGrow inserts, updates and reads in a collection of GUANXI_BENCH_SIZE documents (default 1000).
func BenchmarkGrow(b *testing.B) {
	size, _ := strconv.ParseInt(os.Getenv("GUANXI_BENCH_SIZE"), 10, 64)
	if size == 0 {
		size = 1000
	}
	c := entries(b)
	next := int64(0)
	for next < size {
		docs := make([]*posting, 500)
		for i := range docs {
			next++
			docs[i] = newPosting(next, clock.System{}.Now())
		}
		for _, err := range c.InsertMany(b.Context(), docs) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("insert/size=%d/callers=%d", size, callers), func(b *testing.B) {
			from := next
			next += int64(b.N)
			drive(b, callers, func(n int64) error { return c.Insert(b.Context(), newPosting(from+n, clock.System{}.Now())) })
		})
	}
	b.Run(fmt.Sprintf("update/size=%d/callers=32", size), func(b *testing.B) {
		drive(b, 32, func(n int64) error {
			_, err := c.Update(b.Context(), newPosting(1+n*7919%size, clock.System{}.Now()).ID, func(p *posting) error { p.Lines[0].Amount++; return nil })
			return err
		})
	})
	b.Run(fmt.Sprintf("get/size=%d/callers=32", size), func(b *testing.B) {
		drive(b, 32, func(n int64) error {
			_, err := c.Get(b.Context(), newPosting(1+n*7919%size, clock.System{}.Now()).ID)
			return err
		})
	})
}
