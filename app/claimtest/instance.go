// Package claimtest plays crowds of attempts at orders against several instances of the program's selling half (catalog,
// groupbuy, order) on one store, while the store misbehaves, and counts afterwards what package claim promises. Every
// driver's tests call Run.
package claimtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"guanxi/catalog"
	"guanxi/groupbuy"
	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/order"
)

// skewed is a clock that goes wrong by a constant.
type skewed struct {
	clock.Clock
	by time.Duration
}

func (s skewed) Now() time.Time { return s.Clock.Now().Add(s.by) }

// instance is one process.
type instance struct {
	catalog   *catalog.Service
	campaigns *groupbuy.Service
	orders    *order.Service
}

func open(t testing.TB, store *docstore.Store, c clock.Clock) *instance {
	t.Helper()
	in := &instance{}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	in.catalog, err = catalog.New(t.Context(), catalog.Deps{
		Store: store, Clock: c, IDs: id.Random{}, Config: catalog.Config{BucketUnits: 8},
	})
	must(err)
	in.campaigns, err = groupbuy.New(t.Context(), groupbuy.Deps{
		Store: store, Clock: c, IDs: id.Random{}, Goods: goods{in.catalog}, Communities: nobodyAsks{},
	})
	must(err)
	in.orders, err = order.New(t.Context(), order.Deps{
		Store: store, Clock: c, Campaigns: entry{in.campaigns}, Stock: stock{in.catalog}, Referrer: nobodyAsks{},
		Members: nobodyAsks{}, Pickups: nobodyAsks{}, Hosts: nobodyAsks{}, Payments: unpaid{},
	})
	must(err)
	return in
}

type goods struct{ catalog *catalog.Service }

func (g goods) SKUs(ctx context.Context, skus []string) (map[string]groupbuy.Good, error) {
	found, err := g.catalog.SKUs(ctx, skus)
	out := make(map[string]groupbuy.Good, len(found))
	for sku, i := range found {
		out[sku] = groupbuy.Good{SKU: i.SKU, Product: i.Product, Name: i.Name, Price: i.Price, Cost: i.Cost, Category: i.Category}
	}
	return out, err
}

type entry struct{ groupbuy *groupbuy.Service }

func (e entry) Admit(ctx context.Context, a order.Admission) (order.Offer, error) {
	offer, err := e.groupbuy.Admit(ctx, admission(a))
	out := order.Offer{Host: offer.Host, Community: offer.Community}
	for _, l := range offer.Lines {
		out.Lines = append(out.Lines, order.OfferLine{SKU: l.SKU, Product: l.Product, Name: l.Name, Units: l.Units, Price: l.Price, Cost: l.Cost, Category: l.Category})
	}
	return out, err
}

func (e entry) Quote(context.Context, order.Admission) (order.Offer, error) {
	return order.Offer{}, errors.New("claimtest: nobody quotes here")
}

func (e entry) Undo(ctx context.Context, a order.Admission) error {
	return e.groupbuy.Undo(ctx, admission(a))
}

func admission(a order.Admission) groupbuy.Admission {
	return groupbuy.Admission{
		Order: a.Order, Attempt: a.Attempt, Campaign: a.Campaign, Member: a.Member, Until: a.Until, Lines: wishes(a.Lines),
	}
}

func wishes(lines []order.Wish) (out []groupbuy.Wish) {
	for _, l := range lines {
		out = append(out, groupbuy.Wish{SKU: l.SKU, Units: l.Units})
	}
	return out
}

type stock struct{ catalog *catalog.Service }

func (s stock) Hold(ctx context.Context, t claim.Try, until time.Time, lines []order.Wish) error {
	return s.catalog.Hold(ctx, t, until, units(lines))
}

func (s stock) Undo(ctx context.Context, t claim.Try, lines []order.Wish) error {
	return s.catalog.Undo(ctx, t, units(lines))
}

func units(lines []order.Wish) (out []catalog.Units) {
	for _, l := range lines {
		out = append(out, catalog.Units{SKU: l.SKU, Units: l.Units})
	}
	return out
}

// nobodyAsks stands where the drill never goes, and says yes.
type nobodyAsks struct{}

func (nobodyAsks) RequireHost(context.Context, string, string) error { return nil }

func (nobodyAsks) PickupPoints(context.Context, string) ([]string, error) { return nil, nil }

func (nobodyAsks) Attribute(context.Context, string, string, string, time.Time) (order.Referral, error) {
	return order.Referral{Policy: "none", Why: "none"}, nil
}

func (nobodyAsks) OpenID(_ context.Context, member string) (string, error) { return member, nil }

func (nobodyAsks) JoinedAt(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func (nobodyAsks) PickupPoint(context.Context, string, string) (order.Pickup, error) {
	return order.Pickup{}, errors.New("claimtest: nobody collects here")
}

func (nobodyAsks) MayStart(context.Context, string) error { return nil }

func (nobodyAsks) MayRun(context.Context, string) error { return nil }

func (nobodyAsks) Grade(context.Context, string) (string, error) { return "", nil }

// unpaid is a platform where every number can be closed.
type unpaid struct{ order.Payments }

func (unpaid) Close(context.Context, string) error { return nil }
