package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/fault"
	"guanxi/internal/id"
)

type shop struct {
	*Service
	clock *clock.Manual
	store *docstore.Store
}

func newShop(t testing.TB, config Config) *shop {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	store := docstoretest.NewStore(t, c)
	return &shop{second(t, store, c, config), c, store}
}

func second(t testing.TB, store *docstore.Store, c clock.Clock, config Config) *Service {
	t.Helper()
	s, err := New(t.Context(), Deps{Store: store, Clock: c, IDs: id.Random{}, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tea() ProductInput {
	return ProductInput{
		Key: "tea", Name: "正山小种", Words: "桐木关春茶", Category: "茶", Supplier: "武夷", Image: "/img/tea.png",
		SKUs: []SKUInput{{Code: "100", Name: "100 克", Price: 6800, Cost: 3000}, {Code: "250", Name: "250 克", Price: 15800, Cost: 7000}},
	}
}

// stocked adds a product and puts units of its first SKU on the shelf.
func (s *shop) stocked(t testing.TB, units int64) string {
	t.Helper()
	p, err := s.AddProduct(t.Context(), tea())
	if err != nil {
		t.Fatal(err)
	}
	sku := p.SKUs[0].ID
	if units > 0 {
		if err := s.Receive(t.Context(), StockIn{Ref: "first", SKU: sku, Units: units}); err != nil {
			t.Fatal(err)
		}
	}
	return sku
}

// count is what all buckets of a SKU say, with committed holds counted as sold.
type count struct{ Free, Held, Sold, In int64 }

func (s *shop) count(t testing.TB, sku string) (c count) {
	t.Helper()
	snap, err := s.look(context.Background(), sku)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range snap.buckets {
		if err := b.sound(); err != nil {
			t.Fatal(err)
		}
		c.Free, c.Sold, c.In = c.Free+b.Free, c.Sold+b.Sold, c.In+b.In
		for _, h := range b.Holds.List() {
			m, err := s.move(context.Background(), h.Order, sku)
			if err != nil {
				t.Fatal(err)
			}
			d, decided := m.judge(h.Mark)
			switch {
			case decided && d.sold > 0:
				c.Sold, c.Free = c.Sold+d.sold, c.Free+h.Units-d.sold
			case decided:
				c.Free += h.Units
			default:
				c.Held += h.Units
			}
		}
	}
	return c
}

func (s *shop) expect(t *testing.T, sku string, want count) {
	t.Helper()
	if diff := cmp.Diff(want, s.count(t, sku)); diff != "" {
		t.Errorf("stock (-want +got):\n%s", diff)
	}
}

func expectFault(t *testing.T, err error, want *fault.Fault) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want.Code)
	}
}

func (s *shop) soon() time.Time { return s.clock.Now().Add(15 * time.Minute) }

func TestAProductIsMadeOncePerKey(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	first, err := s.AddProduct(t.Context(), tea())
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.AddProduct(t.Context(), tea())
	if err != nil || again.ID != first.ID || again.Version != 1 {
		t.Errorf("again: %v, %v", again, err)
	}
	other := tea()
	other.Name = "大红袍"
	_, err = s.AddProduct(t.Context(), other)
	expectFault(t, err, ErrKeyReused)
	info, err := s.SKU(t.Context(), first.SKUs[1].ID)
	want := SKUInfo{
		SKU: first.ID + "-2", Product: first.ID, Name: "正山小种 250 克", Category: "茶", Image: "/img/tea.png",
		Price: 15800, Cost: 7000, Floor: 15800, OnSale: true,
	}
	if diff := cmp.Diff(want, info); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAVariantKeepsItsIDThroughEdits(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	p, err := s.AddProduct(t.Context(), tea())
	if err != nil {
		t.Fatal(err)
	}
	edit := tea()
	edit.SKUs = []SKUInput{{Code: "500", Name: "500 克", Price: 30000}, {Code: "100", Name: "小罐", Price: 6000, Cost: 1}}
	for range 2 {
		if p, err = s.EditProduct(t.Context(), p.ID, edit); err != nil {
			t.Fatal(err)
		}
	}
	want := []SKU{
		{ID: p.ID + "-1", Code: "100", Name: "小罐", Price: 6000, Cost: 1},
		{ID: p.ID + "-2", Code: "250", Name: "250 克", Price: 15800, Cost: 7000, Gone: true},
		{ID: p.ID + "-3", Code: "500", Name: "500 克", Price: 30000},
	}
	if diff := cmp.Diff(want, p.SKUs); diff != "" || p.Version != 2 {
		t.Errorf("version %d\n%s", p.Version, diff)
	}
	_, err = s.EditProduct(t.Context(), "nobody", edit)
	expectFault(t, err, ErrProductNotFound)
	edit.SKUs[0].ID = "other-1"
	_, err = s.EditProduct(t.Context(), p.ID, edit)
	expectFault(t, err, ErrProductInvalid)
}

func TestBadProductsAreRefusedWithTheirFields(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	for name, spoil := range map[string]func(*ProductInput){
		"key":           func(in *ProductInput) { in.Key = "" },
		"name":          func(in *ProductInput) { in.Name = "" },
		"words":         func(in *ProductInput) { in.Words = "a\x00b" },
		"image":         func(in *ProductInput) { in.Image = "javascript:alert(1)" },
		"skus":          func(in *ProductInput) { in.SKUs = nil },
		"skus[0].price": func(in *ProductInput) { in.SKUs[0].Price = 0 },
		"skus[1].cost":  func(in *ProductInput) { in.SKUs[1].Cost = -1 },
		"skus[0].floor": func(in *ProductInput) { in.SKUs[0].Floor = in.SKUs[0].Price + 1 },
		"skus[1].floor": func(in *ProductInput) { in.SKUs[1].Floor = -1 },
		"skus[1].code":  func(in *ProductInput) { in.SKUs[1].Code = "100" },
		"skus[1].name":  func(in *ProductInput) { in.SKUs[1].Name = "\xff" },
	} {
		in := tea()
		spoil(&in)
		_, err := s.AddProduct(t.Context(), in)
		f := fault.Of(err)
		if !errors.Is(err, ErrProductInvalid) || len(f.Fields) != 1 || f.Fields[0].Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListsArePagedByCategoryNewestFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	for i := range 5 {
		in := tea()
		in.Key, in.Name = fmt.Sprint(i), fmt.Sprint("茶", i)
		if i == 2 {
			in.Category = "果"
		}
		if _, err := s.AddProduct(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(time.Second)
	}
	names := func(category string) (names []string) {
		page := Paging{Limit: 2}
		for {
			found, err := s.List(t.Context(), category, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range found.Items {
				names = append(names, p.Name)
			}
			if page.After = found.Next; page.After == "" {
				return names
			}
		}
	}
	if diff := cmp.Diff([]string{"茶4", "茶3", "茶1", "茶0"}, names("茶")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"茶4", "茶3", "茶2", "茶1", "茶0"}, names("")); diff != "" {
		t.Error(diff)
	}
	_, err := s.List(t.Context(), "茶", Paging{Limit: 101})
	expectFault(t, err, ErrPageInvalid)
	_, err = s.List(t.Context(), "茶", Paging{After: "\x00not a cursor"})
	expectFault(t, err, ErrPageInvalid)
}

func TestTheLifeOfAHold(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 10)
	lines, ctx := []Units{{sku, 3}}, t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(s.Hold(ctx, claim.New("a"), s.soon(), lines))
	ok(s.Hold(ctx, claim.New("a"), s.soon(), lines))
	s.expect(t, sku, count{Free: 7, Held: 3, In: 10})
	ok(s.Release(ctx, "a", lines))
	ok(s.Release(ctx, "a", lines))
	s.expect(t, sku, count{Free: 10, In: 10})
	ok(s.Hold(ctx, claim.New("a"), s.soon(), lines))
	ok(s.Commit(ctx, "a", lines))
	ok(s.Commit(ctx, "a", lines))
	ok(s.Release(ctx, "a", lines))
	ok(s.Hold(ctx, claim.New("a"), s.soon(), lines))
	s.expect(t, sku, count{Free: 7, Sold: 3, In: 10})
	ok(s.Restock(ctx, "refund-a", []Units{{sku, 2}}))
	ok(s.Restock(ctx, "refund-a", []Units{{sku, 2}}))
	s.expect(t, sku, count{Free: 9, Sold: 3, In: 12})
	expectFault(t, s.Restock(ctx, "refund-a", []Units{{sku, 1}}), ErrKeyReused)
	s.clock.Advance(time.Hour)
	n, err := s.Lapse(ctx)
	if err != nil || n != 1 {
		t.Errorf("lapse folded %d, %v", n, err)
	}
	s.expect(t, sku, count{Free: 9, Sold: 3, In: 12})
	ok(s.Commit(ctx, "a", lines))
	s.expect(t, sku, count{Free: 9, Sold: 3, In: 12})
	ok(s.Commit(ctx, "never-held", []Units{{sku, 9}}))
	s.expect(t, sku, count{Sold: 12, In: 12})
}

func TestARefusalConcernsEveryLineWhicheverIsShort(t *testing.T) {
	t.Parallel()
	for short := range 2 {
		s, ctx := newShop(t, Config{}), t.Context()
		first := s.stocked(t, 2)
		p, err := s.AddProduct(ctx, tea())
		if err != nil {
			t.Fatal(err)
		}
		both := []string{first, p.SKUs[1].ID}
		if err := s.Receive(ctx, StockIn{Ref: "more", SKU: both[1], Units: 2}); err != nil {
			t.Fatal(err)
		}
		lines := []Units{{both[0], 2}, {both[1], 2}}
		if err := s.Hold(ctx, claim.New("a"), s.soon(), lines); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(15*time.Minute + s.config.Grace + time.Millisecond)
		if err := s.Hold(ctx, claim.New("b"), s.soon(), lines[short:short+1]); err != nil {
			t.Fatal(err)
		}
		expectFault(t, s.Commit(ctx, "a", lines), ErrOversoldRefused)
		s.expect(t, both[short], count{Held: 2, In: 2})
		s.expect(t, both[1-short], count{Free: 2, In: 2})
		for _, sku := range both {
			if m, err := s.move(ctx, "a", sku); err != nil || m == nil || m.State != moveRefused {
				t.Errorf("line %s is %+v, %v", sku, m, err)
			}
		}
	}
}

func TestALapsedHoldIsServedIfThereAreUnitsAndRefusedForGoodIfNot(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 2)
	lines, ctx := []Units{{sku, 1}}, t.Context()
	for _, order := range []string{"a", "b"} {
		if err := s.Hold(ctx, claim.New(order), s.soon(), lines); err != nil {
			t.Fatal(err)
		}
	}
	expectFault(t, s.Hold(ctx, claim.New("c"), s.soon(), lines), ErrSoldOut)
	s.clock.Advance(15*time.Minute + s.config.Grace + time.Millisecond)
	// the waiting shopper gets the lapsed unit without a sweep
	if err := s.Hold(ctx, claim.New("c"), s.soon(), lines); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, "a", lines); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		expectFault(t, s.Commit(ctx, "b", lines), ErrOversoldRefused)
	}
	if err := s.RestockOrder(ctx, "b", "refund-b", lines); err != nil {
		t.Fatal(err)
	}
	s.expect(t, sku, count{Held: 1, Sold: 1, In: 2})
	if err := s.RestockOrder(ctx, "a", "refund-a", lines); err != nil {
		t.Fatal(err)
	}
	expectFault(t, s.Commit(ctx, "b", lines), ErrOversoldRefused)
	s.expect(t, sku, count{Free: 1, Held: 1, Sold: 1, In: 3})
}

func TestHoldTakesAllLinesOrNone(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 10)
	other := sku[:len(sku)-1] + "2"
	if err := s.Receive(t.Context(), StockIn{Ref: "first", SKU: other, Units: 1}); err != nil {
		t.Fatal(err)
	}
	expectFault(t, s.Hold(t.Context(), claim.New("a"), s.soon(), []Units{{sku, 3}, {other, 2}}), ErrSoldOut)
	s.expect(t, sku, count{Free: 10, In: 10})
	s.expect(t, other, count{Free: 1, In: 1})
	// with fewer wishes the same order succeeds afterwards
	if err := s.Hold(t.Context(), claim.New("a"), s.soon(), []Units{{sku, 3}, {other, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), "a", []Units{{sku, 3}, {other, 1}}); err != nil {
		t.Fatal(err)
	}
	s.expect(t, sku, count{Free: 7, Sold: 3, In: 10})
	s.expect(t, other, count{Sold: 1, In: 1})
}

func TestOneOrderMayTakeUnitsFromSeveralBuckets(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{BucketUnits: 16})
	sku := s.stocked(t, 100)
	snap, err := s.look(t.Context(), sku)
	if err != nil || len(snap.buckets) != 7 {
		t.Fatalf("%d buckets, %v", len(snap.buckets), err)
	}
	if err := s.Hold(t.Context(), claim.New("a"), s.soon(), []Units{{sku, 95}}); err != nil {
		t.Fatal(err)
	}
	expectFault(t, s.Hold(t.Context(), claim.New("b"), s.soon(), []Units{{sku, 6}}), ErrSoldOut)
	if err := s.Hold(t.Context(), claim.New("b"), s.soon(), []Units{{sku, 5}}); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"a", "b"} {
		if err := s.Commit(t.Context(), order, []Units{{sku, map[string]int64{"a": 95, "b": 5}[order]}}); err != nil {
			t.Fatal(err)
		}
	}
	s.expect(t, sku, count{Sold: 100, In: 100})
	free, err := s.Available(t.Context(), []string{sku, "unknown-1"})
	if diff := cmp.Diff(map[string]int64{sku: 0, "unknown-1": 0}, free); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestBadStockMovementsAreRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku, ctx := s.stocked(t, 10), t.Context()
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), nil), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), []Units{{sku, 0}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), []Units{{sku, -5}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), []Units{{sku, 1 << 60}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("茶"), s.soon(), []Units{{sku, 1}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), []Units{{"", 1}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.clock.Now(), []Units{{sku, 1}}), ErrHoldLate)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.clock.Now().Add(48*time.Hour), []Units{{sku, 1}}), ErrStockInvalid)
	expectFault(t, s.Hold(ctx, claim.New("a"), s.soon(), []Units{{"nosuch-1", 1}}), ErrSoldOut)
	expectFault(t, s.Receive(ctx, StockIn{Ref: "x", SKU: "nosuch-1", Units: 1}), ErrSKUNotFound)
	expectFault(t, s.Receive(ctx, StockIn{Ref: "", SKU: sku, Units: 1}), ErrStockInvalid)
	expectFault(t, s.Receive(ctx, StockIn{Ref: "first", SKU: sku, Units: 11}), ErrKeyReused)
	expectFault(t, s.Commit(ctx, "", []Units{{sku, 1}}), ErrStockInvalid)
	expectFault(t, s.Release(ctx, "a", []Units{{sku, 0}}), ErrStockInvalid)
	s.expect(t, sku, count{Free: 10, In: 10})
}

func TestTwoThousandBuyersGetExactlyTheThousandUnitsThereAre(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	sku := s.stocked(t, 1000)
	other := second(t, s.store, s.clock, Config{}) // another process, so to say
	var bought, soldOut atomic.Int64
	var all sync.WaitGroup
	gate := make(chan struct{}, 500)
	for i := range 2000 {
		all.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			service, order, lines := s.Service, fmt.Sprintf("order-%d", i), []Units{{sku, 1}}
			if i%2 == 1 {
				service = other
			}
			err := service.Hold(t.Context(), claim.New(order), s.soon(), lines)
			if err == nil {
				err = service.Commit(t.Context(), order, lines)
			}
			switch {
			case err == nil:
				bought.Add(1)
			case errors.Is(err, ErrSoldOut):
				soldOut.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if bought.Load() != 1000 || soldOut.Load() != 1000 {
		t.Errorf("%d bought, %d were told sold out", bought.Load(), soldOut.Load())
	}
	s.expect(t, sku, count{Sold: 1000, In: 1000})
	// repeated, everybody hears the same
	if err := s.Hold(t.Context(), claim.New("order-x"), s.soon(), []Units{{sku, 1}}); !errors.Is(err, ErrSoldOut) {
		t.Error(err)
	}
	s.clock.Advance(time.Hour)
	for range 20 {
		if _, err := s.Lapse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := s.look(t.Context(), sku)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range snap.buckets {
		if len(b.Holds) > 0 || b.Free != 0 {
			t.Errorf("bucket %d still has %d holds, %d free", b.Number, b.Holds.Len(), b.Free)
		}
	}
}
