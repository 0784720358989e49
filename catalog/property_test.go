package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore/docstoretest"
)

// world is the auditor: what must be true whatever was done, and by how many at once.
type world struct {
	*shop
	other  *Service
	skus   []string
	orders []string
	lines  map[string][]Units
	in     map[string]map[string]int64 // intakes that were answered with success, by sku and ref
	mu     sync.Mutex
	sold   map[string]bool // orders told that they were sold
	never  map[string]bool // orders told that they are refused
}

func (w *world) draw(r *rapid.T) func(ctx context.Context) error {
	service := w.Service
	if rapid.Bool().Draw(r, "other process") {
		service = w.other
	}
	order := rapid.SampledFrom(w.orders).Draw(r, "order")
	sku := rapid.SampledFrom(w.skus).Draw(r, "sku")
	units := rapid.Int64Range(1, 40).Draw(r, "units")
	switch rapid.SampledFrom([]string{"hold", "hold", "hold", "commit", "commit", "release", "restock", "receive", "lapse"}).Draw(r, "what") {
	case "hold":
		until := w.clock.Now().Add(time.Duration(rapid.IntRange(1, 30).Draw(r, "minutes")) * time.Minute)
		return func(ctx context.Context) error { return service.Hold(ctx, claim.New(order), until, w.lines[order]) }
	case "commit":
		return func(ctx context.Context) error {
			err := service.Commit(ctx, order, w.lines[order])
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sold[order] = w.sold[order] || err == nil
			w.never[order] = w.never[order] || errors.Is(err, ErrOversoldRefused)
			return err
		}
	case "release":
		return func(ctx context.Context) error { return service.Release(ctx, order, w.lines[order]) }
	case "lapse":
		return func(ctx context.Context) error { _, err := service.Lapse(ctx); return err }
	case "restock":
		ref := rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(r, "ref")
		return w.intake("back/"+ref+sku, sku, 3, func(ctx context.Context) error {
			return service.Restock(ctx, ref+sku, []Units{{sku, 3}})
		})
	}
	ref := fmt.Sprint("in", units%4, sku)
	return w.intake("in/"+ref, sku, 5+units%4*10, func(ctx context.Context) error {
		return service.Receive(ctx, StockIn{Ref: ref, SKU: sku, Units: 5 + units%4*10})
	})
}

func (w *world) intake(ref, sku string, units int64, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := do(ctx)
		if err == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.in[sku][ref] = units
		}
		return err
	}
}

func (w *world) audit(t testing.TB, r *rapid.T) {
	for _, sku := range w.skus {
		got, in, sold := w.count(t, sku), int64(0), int64(0)
		for _, units := range w.in[sku] {
			in += units
		}
		for _, order := range w.orders {
			if m, err := w.move(context.Background(), order, sku); err != nil {
				r.Fatal(err)
			} else if m != nil && m.State == moveSold {
				sold += m.Units
			}
		}
		if got.Free < 0 || got.In != in || got.Sold != sold || got.Free+got.Held+got.Sold != in {
			r.Fatalf("%s: %+v, but %d came in and %d were sold", sku, got, in, sold)
		}
	}
	for _, order := range w.orders {
		for _, line := range w.lines[order] {
			m, err := w.move(context.Background(), order, line.SKU)
			if err != nil {
				r.Fatal(err)
			}
			if w.sold[order] && (m == nil || m.State != moveSold || m.Units != line.Units) {
				r.Fatalf("%s was told it is sold, %s says %+v", order, line.SKU, m)
			}
		}
		if w.sold[order] && w.never[order] {
			r.Fatalf("%s was told both that it is sold and that it is refused", order)
		}
	}
}

func TestStockAddsUpWhateverHappensInWhateverOrder(t *testing.T) {
	t.Parallel()
	c, faults := clock.NewManual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)), &docstoretest.Trouble{}
	store := faults.Store(t, c)
	s := &shop{second(t, store, c, Config{BucketUnits: 16}), c, store}
	other := second(t, store, c, Config{BucketUnits: 16})
	runs := atomic.Int64{}
	rapid.Check(t, func(r *rapid.T) {
		run := runs.Add(1)
		in := tea()
		in.Key = fmt.Sprint("run", run)
		p, err := s.AddProduct(t.Context(), in)
		if err != nil {
			r.Fatal(err)
		}
		w := &world{
			shop: s, other: other, skus: []string{p.SKUs[0].ID, p.SKUs[1].ID}, lines: map[string][]Units{},
			in: map[string]map[string]int64{}, sold: map[string]bool{}, never: map[string]bool{},
		}
		for _, sku := range w.skus {
			w.in[sku] = map[string]int64{}
		}
		for i := range 8 {
			order := fmt.Sprintf("run%d-%d", run, i)
			w.orders = append(w.orders, order)
			w.lines[order] = []Units{{w.skus[i%2], int64(1 + i*i%13)}}
			if i > 4 {
				w.lines[order] = append(w.lines[order], Units{w.skus[(i+1)%2], int64(i)})
			}
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			var deeds []func(context.Context) error
			for range rapid.IntRange(1, 6).Draw(r, "at once") {
				deeds = append(deeds, w.draw(r))
			}
			if err := faults.AtOnce(t.Context(), deeds); err != nil {
				r.Fatal(err)
			}
			s.clock.Advance(time.Duration(rapid.IntRange(0, 25).Draw(r, "minutes pass")) * time.Minute)
			w.audit(t, r)
		}
	})
}

// A hold that was answered with success, and that nobody gave back, is served.
func TestWhoHoldsIsServed(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{BucketUnits: 16})
	other := second(t, s.store, s.clock, Config{BucketUnits: 16})
	sku := s.stocked(t, 100)
	var all sync.WaitGroup
	served := atomic.Int64{}
	for i := range 120 {
		all.Go(func() {
			order, lines := fmt.Sprintf("o%d", i), []Units{{sku, int64(1 + i%4)}}
			first, then := s.Service, other
			if i%2 == 0 {
				first, then = other, s.Service
			}
			var twice sync.WaitGroup // a double tap
			var errs [2]error
			twice.Go(func() { errs[0] = first.Hold(t.Context(), claim.New(order), s.soon(), lines) })
			twice.Go(func() { errs[1] = then.Hold(t.Context(), claim.New(order), s.soon(), lines) })
			twice.Wait()
			if errs[0] != nil && errs[1] != nil {
				return // if only one was refused, it has not undone what the other counts on
			}
			twice.Go(func() { errs[0] = first.Commit(t.Context(), order, lines) })
			twice.Go(func() { errs[1] = then.Commit(t.Context(), order, lines) })
			twice.Wait()
			if errs[0] != nil || errs[1] != nil {
				t.Errorf("%s: %v, %v", order, errs[0], errs[1])
				return
			}
			served.Add(lines[0].Units)
		})
	}
	all.Wait()
	if got := s.count(t, sku); got.Sold != served.Load() || got.Free+got.Held+got.Sold != 100 {
		t.Errorf("%+v, served %d", got, served.Load())
	}
}

func TestAMoveDecidesOnce(t *testing.T) {
	t.Parallel()
	now, parts := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), []Part{{Bucket: 1, Units: 2, Mark: 7}}
	var given Move
	given.void([]int64{7}, now)
	if given.sell(parts, now) || given.State != moveOpen {
		t.Errorf("a hold that was given back was sold: %+v", given)
	}
	if !given.sell([]Part{{Bucket: 1, Units: 2, Mark: 8}}, now) {
		t.Errorf("a fresh hold was not sold: %+v", given)
	}
	var sold Move
	sold.sell(parts, now)
	sold.void([]int64{7, 9}, now)
	if d, ok := sold.judge(7); !ok || d.sold != 2 || sold.State != moveSold {
		t.Errorf("a sold hold was given back: %+v", sold)
	}
	if d, ok := sold.judge(9); !ok || d.sold != 0 {
		t.Errorf("the surplus of a sold order is not given back: %+v", sold)
	}
	if sold.may(moveRefused) || (&Move{State: moveRefused}).may(moveSold) {
		t.Error("a final move moved")
	}
}
