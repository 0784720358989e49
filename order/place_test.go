package order

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

func TestPlaceLocksPriceReferralAndTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.orders.Place(t.Context(), PlaceInput{
		Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 3}, {"nuts", 1}}, Pickup: "gate",
		Note: "放门口", Share: "s1",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Order{
		Member: "mia", Campaign: "spring", Host: "hana", Community: "lane", Grade: "grade-of-hana", State: StatePlaced, PlacedAt: start,
		ExpiresAt: start.Add(15 * time.Minute), NextAt: start.Add(15*time.Minute + ClockSkew), Amount: 3*1099 + 350,
		Lines: []Line{
			{SKU: "tea", Product: "p-tea", Name: "山货 tea", Category: "food", Units: 3, Price: 1099, Cost: 549, Paid: 3297},
			{SKU: "nuts", Product: "p-nuts", Name: "山货 nuts", Category: "food", Units: 1, Price: 350, Cost: 175, Paid: 350},
		},
		Referral: Referral{Policy: "v1", Direct: "hana", Why: "campaign-host"},
		Pickup:   &Pickup{Point: "gate", Name: "北门", Keeper: "keeper"}, Note: "放门口", Share: "s1",
	}
	ignore := []cmp.Option{cmpopts.IgnoreFields(Order{}, "Doc", "Content", "Attempt")}
	if diff := cmp.Diff(want, got, ignore...); diff != "" {
		t.Errorf("answered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, w.get(got.ID), ignore...); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if len(got.ID) > 32 {
		t.Errorf("%q does not fit an out_trade_no", got.ID)
	}
	if free := w.stock.free["tea"]; free != 997 {
		t.Errorf("tea left: %d", free)
	}
}

func TestPlaceRefusesWhatCanNeverBePlaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := make([]Wish, MaxLines+1)
	for i := range many {
		many[i] = Wish{"sku-" + strings.Repeat("x", i+1), 1}
	}
	good := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	for name, c := range map[string]struct {
		change func(*PlaceInput)
		want   error
	}{
		"no key":              {func(in *PlaceInput) { in.Key = "" }, ErrBadInput},
		"key with a space":    {func(in *PlaceInput) { in.Key = "a b" }, ErrBadInput},
		"long key":            {func(in *PlaceInput) { in.Key = strings.Repeat("k", 81) }, ErrBadInput},
		"no member":           {func(in *PlaceInput) { in.Member = "" }, ErrBadInput},
		"strange member":      {func(in *PlaceInput) { in.Member = "a\x00" }, ErrBadInput},
		"no campaign":         {func(in *PlaceInput) { in.Campaign = "" }, ErrBadInput},
		"strange share":       {func(in *PlaceInput) { in.Share = "é" }, ErrBadInput},
		"long note":           {func(in *PlaceInput) { in.Note = strings.Repeat("字", MaxNote+1) }, ErrBadInput},
		"broken note":         {func(in *PlaceInput) { in.Note = "\xff" }, ErrBadInput},
		"note with a NUL":     {func(in *PlaceInput) { in.Note = "a\x00" }, ErrBadInput},
		"unknown pickup":      {func(in *PlaceInput) { in.Pickup = "moon" }, ErrUnknownPickup},
		"strange pickup":      {func(in *PlaceInput) { in.Pickup = "月" }, ErrUnknownPickup},
		"no lines":            {func(in *PlaceInput) { in.Lines = nil }, ErrBadLines},
		"too many lines":      {func(in *PlaceInput) { in.Lines = many }, ErrBadLines},
		"a line twice":        {func(in *PlaceInput) { in.Lines = []Wish{{"tea", 1}, {"tea", 1}} }, ErrBadLines},
		"no SKU":              {func(in *PlaceInput) { in.Lines = []Wish{{"", 1}} }, ErrBadLines},
		"zero units":          {func(in *PlaceInput) { in.Lines = []Wish{{"tea", 0}} }, ErrBadLines},
		"negative units":      {func(in *PlaceInput) { in.Lines = []Wish{{"tea", -1}} }, ErrBadLines},
		"huge units":          {func(in *PlaceInput) { in.Lines = []Wish{{"tea", 1 << 62}} }, ErrBadLines},
		"above money.Max":     {func(in *PlaceInput) { in.Lines = []Wish{{"gold", 2}} }, ErrBadAmount},
		"far above money.Max": {func(in *PlaceInput) { in.Lines = []Wish{{"gold", MaxUnits}} }, ErrBadAmount},
		"nothing to pay":      {func(in *PlaceInput) { in.Lines = []Wish{{"gift", 1}} }, ErrBadAmount},
		"not in the campaign": {func(in *PlaceInput) { in.Lines = []Wish{{"car", 1}} }, errFull},
	} {
		in := good
		c.change(&in)
		if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if in.Note != "" || in.Key != "k" || in.Share != "" {
			continue // a quote has none of them
		}
		quote := QuoteInput{Member: in.Member, Campaign: in.Campaign, Lines: in.Lines, Pickup: in.Pickup}
		if _, err := w.orders.Quote(t.Context(), quote); !errors.Is(err, c.want) {
			t.Errorf("quote, %s: %v, want %v", name, err, c.want)
		}
	}
	if n := len(w.campaign.claims) + len(w.stock.holds); n != 0 {
		t.Errorf("%d claims left behind", n)
	}
}

func TestQuoteTellsThePriceAndClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.orders.Quote(t.Context(), QuoteInput{Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 2}}, Pickup: "gate"})
	want := Quote{
		Host: "hana", Community: "lane", Amount: 2198, Pickup: &Pickup{"gate", "北门", "keeper"},
		Lines: []Line{{SKU: "tea", Product: "p-tea", Name: "山货 tea", Category: "food", Units: 2, Price: 1099, Cost: 549, Paid: 2198}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if w.campaign.admits != 0 || len(w.stock.holds) != 0 {
		t.Error("a quote claimed something")
	}
}

func TestTheSameKeyIsTheSameOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.place("k", Wish{"tea", 1}, Wish{"nuts", 2})
	w.must(w.orders.Cancel(t.Context(), "mia", first.ID))
	again := w.place("k", Wish{"nuts", 2}, Wish{"tea", 1}) // the order of lines means nothing
	if again.ID != first.ID || again.State != StateClosed {
		t.Errorf("got %s in %s", again.ID, again.State)
	}
	if w.campaign.admits != 1 {
		t.Errorf("admitted %d times", w.campaign.admits)
	}
	other := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	if _, err := w.orders.Place(t.Context(), other); !errors.Is(err, ErrKeyReused) {
		t.Errorf("other content: %v", err)
	}
	other.Member = "nora"
	if o, err := w.orders.Place(t.Context(), other); err != nil || o.ID == first.ID {
		t.Errorf("another member's key is another key: %v", err)
	}
}

func TestManyAtOnceWithOneKeyPlaceOneOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var group sync.WaitGroup
	ids := make([]string, 32)
	for i := range ids {
		group.Go(func() {
			o, err := w.orders.Place(t.Context(), PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = o.ID
		})
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("two orders: %s and %s", id, ids[0])
		}
	}
	if w.campaign.admits != 1 || w.stock.free["tea"] != 999 {
		t.Errorf("admitted %d times, tea %d", w.campaign.admits, w.stock.free["tea"])
	}
}

func TestAFailedPlaceGivesBackWhatItClaimed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stock.free["tea"] = 1
	in := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 2}}}
	if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, errSoldOut) {
		t.Fatalf("got %v", err)
	}
	in.Lines, in.Pickup = []Wish{{"tea", 1}}, "moon"
	if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, ErrUnknownPickup) {
		t.Fatalf("got %v", err)
	}
	if len(w.campaign.claims) != 0 || len(w.stock.holds) != 0 || w.stock.free["tea"] != 1 {
		t.Errorf("left behind: %v %v", w.campaign.claims, w.stock.holds)
	}
	in.Pickup = ""
	if _, err := w.orders.Place(t.Context(), in); err != nil {
		t.Errorf("the key of a refused purchase is not used up: %v", err)
	}
}

// A place that dies at any of its store operations is finished by its repetition, and holds stock once.
func TestPlaceSurvivesTheStoreAtEveryStep(t *testing.T) {
	t.Parallel()
	in := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	for name, hurt := range map[string]func(*brittle){
		"read refused":             func(b *brittle) { b.breakBefore(1) },
		"reply of the insert lost": func(b *brittle) { b.breakAfter(1) },
		"and all after it":         func(b *brittle) { b.breakAfter(9) },
	} {
		w := newWorld(t)
		hurt(w.driver)
		_, err := w.orders.Place(t.Context(), in)
		w.driver.heal()
		if !errors.Is(err, docstore.ErrUnavailable) && !errors.Is(err, docstore.ErrUnclear) && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		o, err := w.orders.Place(t.Context(), in)
		if err != nil || w.stock.free["tea"] != 999 || w.campaign.claims[o.ID] != "mia" {
			t.Errorf("%s: then %v, tea %d, claims %v", name, err, w.stock.free["tea"], w.campaign.claims)
		}
	}
}

// Two processes place the same at the same moment; the one that fails must not take from the other's order.
func TestAFailedPlaceLeavesItsTwinsClaimsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	twin, err := New(t.Context(), w.orders.deps)
	if err != nil {
		t.Fatal(err)
	}
	in := PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	w.orders.deps.Stock = interrupted{w.stock, func() {
		if _, err := twin.Place(t.Context(), in); err != nil {
			t.Error(err)
		}
	}}
	if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, docstore.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	o := w.place("k", Wish{"tea", 1})
	if w.campaign.claims[o.ID] == "" || w.stock.holds[o.ID] == nil {
		t.Error("an order without its claims")
	}
}

// interrupted is a stock that fails after something else has happened.
type interrupted struct {
	*fakeStock
	first func()
}

func (i interrupted) Hold(context.Context, claim.Try, time.Time, []Wish) error {
	i.first()
	return docstore.ErrUnavailable
}

func TestACancelledCallerLeavesTheClaimsOfAnOrderAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.orders.Place(ctx, PlaceInput{Key: "k", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}})
	o := w.place("k", Wish{"tea", 1})
	if w.campaign.claims[o.ID] == "" || w.stock.holds[o.ID] == nil {
		t.Errorf("an order without its claims, after %v", err)
	}
}

func TestPriceIsOverflowSafe(t *testing.T) {
	t.Parallel()
	wish, offer := make([]Wish, MaxLines), Offer{Lines: make([]OfferLine, MaxLines)}
	for i := range wish {
		sku := strings.Repeat("s", i+1)
		wish[i], offer.Lines[i] = Wish{sku, MaxUnits}, OfferLine{SKU: sku, Units: MaxUnits, Price: money.Max}
	}
	if _, _, err := price(wish, offer); !errors.Is(err, ErrBadAmount) {
		t.Errorf("got %v", err)
	}
	for name, line := range map[string]OfferLine{
		"negative price": {SKU: "tea", Units: 1, Price: -1},
		"huge price":     {SKU: "tea", Units: 1, Price: 1 << 62},
		"negative cost":  {SKU: "tea", Units: 1, Price: 1, Cost: -1},
	} {
		if _, _, err := price([]Wish{{"tea", 1}}, Offer{Lines: []OfferLine{line}}); !errors.Is(err, ErrBadAmount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, line := range map[string]OfferLine{
		"other units": {SKU: "tea", Units: 2, Price: 1}, "other SKU": {SKU: "nuts", Units: 1, Price: 1},
	} {
		if _, _, err := price([]Wish{{"tea", 1}}, Offer{Lines: []OfferLine{line}}); !errors.Is(err, ErrKeyReused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
