package claimtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"guanxi/catalog"
	"guanxi/groupbuy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/order"
)

// Config is one drill.
type Config struct {
	Stores []*docstore.Store // one for each instance, all on the same database
	Quiet  *docstore.Store   // the same database without trouble, for counting
	Clock  *clock.Manual
	Skew   time.Duration // how far the clock of every second instance goes ahead
	Rounds int
	// Storm begins trouble and returns what ends it.
	Storm func() (calm func())
}

const (
	keys     = 14 // requests of a round
	attempts = 3  // at each request
	perHead  = 9  // units one member may buy
)

// drill is what a round needs.
type drill struct {
	Config
	t         testing.TB
	instances []*instance
	judge     *instance
	books     books

	round    int
	skus     []string
	in       map[string]int64
	campaign string
	requests []order.PlaceInput

	mu   sync.Mutex
	told map[string]string // key → order
}

// Run plays the rounds.
func Run(t testing.TB, c Config) {
	t.Helper()
	d := &drill{Config: c, t: t, judge: open(t, c.Quiet, c.Clock), books: openBooks(t, c.Quiet)}
	for i, store := range c.Stores {
		d.instances = append(d.instances, open(t, store, skewed{c.Clock, time.Duration(i%2) * c.Skew}))
	}
	placed, refused := 0, 0
	for d.round = range c.Rounds {
		d.prepare()
		d.rush()
		yes := d.check()
		placed, refused = placed+yes, refused+len(d.requests)-yes
		d.end()
	}
	if placed == 0 || refused == 0 && c.Rounds > 4 { // in a few rounds luck may leave enough for everybody
		t.Errorf("%d placed, %d refused: the drill does not try both", placed, refused)
	}
	t.Logf("%d rounds: %d orders placed, %d refused", c.Rounds, placed, refused)
}

// prepare opens a campaign over two fresh variants: one with a limit below its stock, one without.
func (d *drill) prepare() {
	ctx, t := d.t.Context(), d.t
	p, err := d.judge.catalog.AddProduct(ctx, catalog.ProductInput{
		Key: fmt.Sprint("p", d.round), Name: "正山小种", Words: "春茶", Category: "茶", Supplier: "武夷", Image: "/img/tea.png",
		SKUs: []catalog.SKUInput{{Code: "100", Name: "100 克", Price: 6800, Cost: 3000}, {Code: "250", Name: "250 克", Price: 15800, Cost: 7000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.skus, d.in = []string{p.SKUs[0].ID, p.SKUs[1].ID}, map[string]int64{}
	for i, sku := range d.skus {
		d.in[sku] = int64(16 + 8*i)
		if err := d.judge.catalog.Receive(ctx, catalog.StockIn{Ref: fmt.Sprint("in", d.round), SKU: sku, Units: d.in[sku]}); err != nil {
			t.Fatal(err)
		}
	}
	now := d.Clock.Now()
	c, err := d.judge.campaigns.Draft(ctx, groupbuy.DraftInput{
		Key: fmt.Sprint("c", d.round), Host: "host", Community: "garden", Title: "团", PerPerson: perHead,
		Items: []groupbuy.ItemInput{{SKU: d.skus[0], Total: 12}, {SKU: d.skus[1]}}, StartsAt: now.Add(-time.Minute), EndsAt: now.Add(2 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.judge.campaigns.Publish(ctx, "host", c.ID); err != nil {
		t.Fatal(err)
	}
	d.campaign, d.requests, d.told = c.ID, nil, map[string]string{}
	for k := range keys {
		in := order.PlaceInput{Key: fmt.Sprintf("k%d-%d", d.round, k), Member: fmt.Sprintf("m%d-%d", d.round, k%9), Campaign: c.ID}
		in.Lines = []order.Wish{{SKU: d.skus[k%2], Units: 1 + rand.Int64N(4)}} //nolint:gosec // a wish
		if k%3 == 0 {
			in.Lines = append(in.Lines, order.Wish{SKU: d.skus[(k+1)%2], Units: 1 + rand.Int64N(3)}) //nolint:gosec // a wish
		}
		d.requests = append(d.requests, in)
	}
}

// rush lets several attempts at every request run at once, on instances drawn by lot, some of them hanging up.
func (d *drill) rush() {
	calm := d.Storm()
	var crowd sync.WaitGroup
	for _, in := range d.requests {
		for range attempts {
			at := d.instances[rand.IntN(len(d.instances))]                     //nolint:gosec // a lot
			hangUp, patience := rand.IntN(6) == 0, rand.N(20*time.Millisecond) //nolint:gosec // a mood
			crowd.Go(func() {
				ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
				if hangUp {
					ctx, cancel = context.WithTimeout(d.t.Context(), patience)
				}
				defer cancel()
				o, err := at.orders.Place(ctx, in)
				d.hear(in, o, err)
			})
		}
	}
	crowd.Wait()
	calm()
	// who got no answer asks again under the same key, as a phone does
	for _, in := range d.requests {
		if d.told[in.Key] == "" && rand.IntN(2) == 0 { //nolint:gosec // a mood
			o, err := d.instances[rand.IntN(len(d.instances))].orders.Place(d.t.Context(), in) //nolint:gosec // a lot
			d.hear(in, o, err)
		}
	}
}

func (d *drill) hear(in order.PlaceInput, o *order.Order, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		if other := d.told[in.Key]; other != "" && other != o.ID {
			d.t.Errorf("round %d: %s was told %s and %s", d.round, in.Key, other, o.ID)
		}
		d.told[in.Key] = o.ID
	case fault.Of(err) != nil:
		code := fault.Of(err).Code
		if !slices.Contains([]string{"CAT_SOLD_OUT", "GRP_LIMIT_TOTAL", "GRP_LIMIT_PERSON"}, code) {
			d.t.Errorf("round %d: %s was refused: %v", d.round, in.Key, err)
		}
	case !errors.Is(err, docstore.ErrUnavailable) && !errors.Is(err, docstore.ErrUnclear) && !errors.Is(err, docstore.ErrContended) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		d.t.Errorf("round %d: %s: %v", d.round, in.Key, err)
	}
}

// check counts: every stored order has its claim, its part of the total and its units; together they are not more than
// there is; and each of them can be paid for.
func (d *drill) check() (placed int) {
	ctx := d.t.Context()
	page, err := d.judge.orders.ByCampaign(ctx, d.campaign, order.Page{Limit: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	wanted, there := map[string]int64{}, map[string]bool{}
	for _, o := range page.Items {
		there[o.ID] = true
		for _, l := range o.Lines {
			wanted[l.SKU] += l.Units
		}
		d.books.owns(d, o)
	}
	for key, id := range d.told {
		if !there[id] {
			d.t.Errorf("round %d: %s was told %s, which is not there", d.round, key, id)
		}
	}
	for _, sku := range d.skus {
		if wanted[sku] > d.in[sku] {
			d.t.Errorf("round %d: %d units of %s sold, %d came in", d.round, wanted[sku], sku, d.in[sku])
		}
		d.books.addUp(d, sku)
	}
	if wanted[d.skus[0]] > 12 {
		d.t.Errorf("round %d: %d units sold of a total of 12", d.round, wanted[d.skus[0]])
	}
	for i, o := range page.Items {
		if i%3 == 0 {
			continue // changed their mind
		}
		if err := d.judge.catalog.Commit(ctx, o.ID, saleUnits(o)); err != nil {
			d.t.Errorf("round %d: %s is paid and cannot be served: %v", d.round, o.ID, err)
		}
		seat := groupbuy.SeatInput{Order: o.ID, Campaign: o.Campaign, Member: o.Member, Amount: o.Amount, PaidAt: d.Clock.Now()}
		for _, l := range o.Lines {
			seat.Lines = append(seat.Lines, groupbuy.Wish{SKU: l.SKU, Units: l.Units})
		}
		if _, err := d.judge.campaigns.TakeSeat(ctx, seat); err != nil {
			d.t.Fatal(err)
		}
	}
	return len(page.Items)
}

// end lets everything lapse that nobody paid for: then all units are free or sold.
func (d *drill) end() {
	d.Clock.Advance(time.Hour)
	for range 100 {
		n, err := d.judge.catalog.Lapse(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	for _, sku := range d.skus {
		d.books.allBack(d, sku)
	}
}

func saleUnits(o *order.Order) (out []catalog.Units) {
	for _, l := range o.Lines {
		out = append(out, catalog.Units{SKU: l.SKU, Units: l.Units})
	}
	return out
}
