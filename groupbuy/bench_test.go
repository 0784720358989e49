package groupbuy

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func parallel(b *testing.B, do func(i int64) error) {
	var n, failed atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(n.Add(1)); err != nil {
				failed.Add(1)
			}
		}
	})
	if failed.Load() > 0 {
		b.Errorf("%d failed", failed.Load())
	}
}

func BenchmarkAdmitManyMembers(b *testing.B) {
	m := newMarket(b)
	c := m.open(b, func(in *DraftInput) { in.PerPerson = 2 })
	parallel(b, func(i int64) error {
		_, err := m.Admit(b.Context(), m.admission(c, fmt.Sprint("m", i), fmt.Sprint("o", i), 1))
		return err
	})
}

func BenchmarkAdmitOneItemWithATotal(b *testing.B) {
	m := newMarket(b)
	c := m.open(b, func(in *DraftInput) { in.Items[0].Total = 1000 })
	parallel(b, func(i int64) error {
		_, _ = m.Admit(b.Context(), m.admission(c, fmt.Sprint("m", i), fmt.Sprint("o", i), 1))
		return nil
	})
}

func BenchmarkAdmitRefusedByTheLimit(b *testing.B) {
	m := newMarket(b)
	c := m.open(b, func(in *DraftInput) { in.PerPerson = 2 })
	if _, err := m.Admit(b.Context(), m.admission(c, "m", "first", 2)); err != nil {
		b.Fatal(err)
	}
	parallel(b, func(i int64) error {
		if _, err := m.Admit(b.Context(), m.admission(c, "m", fmt.Sprint("o", i), 1)); err == nil {
			return ErrPerPerson
		}
		return nil
	})
}

func BenchmarkTakeSeatOneCampaign(b *testing.B) {
	m := newMarket(b)
	c := m.open(b, nil)
	parallel(b, func(i int64) error {
		_, err := m.TakeSeat(b.Context(), m.paid(c, fmt.Sprint("m", i), fmt.Sprint("o", i), 1))
		return err
	})
}

func BenchmarkTakeSeatFortyCampaigns(b *testing.B) {
	m := newMarket(b)
	var all []*Campaign
	for i := range 40 {
		all = append(all, m.open(b, func(in *DraftInput) { in.Key = fmt.Sprint(i) }))
	}
	parallel(b, func(i int64) error {
		_, err := m.TakeSeat(b.Context(), m.paid(all[i%40], fmt.Sprint("m", i), fmt.Sprint("o", i), 1))
		return err
	})
}

func BenchmarkProgress(b *testing.B) {
	m := newMarket(b)
	c := m.open(b, nil)
	if _, err := m.TakeSeat(b.Context(), m.paid(c, "m", "o", 1)); err != nil {
		b.Fatal(err)
	}
	parallel(b, func(int64) error {
		_, err := m.Progress(b.Context(), c.ID)
		return err
	})
}
