package app

import (
	"context"
	"time"

	"guanxi/catalog"
	"guanxi/community"
	"guanxi/community/hosting"
	"guanxi/distribution"
	"guanxi/groupbuy"
	"guanxi/internal/claim"
	"guanxi/order"
)

// The joints turn one domain's words into another's, field by field; they decide nothing.

type products struct{ *catalog.Service }

func (p products) ProductExists(ctx context.Context, product string) error {
	_, err := p.Product(ctx, product)
	return err
}

type goods struct{ catalog *catalog.Service }

func (g goods) SKUs(ctx context.Context, skus []string) (map[string]groupbuy.Good, error) {
	found, err := g.catalog.SKUs(ctx, skus)
	if err != nil {
		return nil, err
	}
	out := make(map[string]groupbuy.Good, len(found))
	for sku, i := range found {
		out[sku] = groupbuy.Good{
			SKU: i.SKU, Product: i.Product, Name: i.Name, Price: i.Price, Cost: i.Cost, Category: i.Category,
			Floor: i.Floor, Off: !i.OnSale,
		}
	}
	return out, nil
}

type campaigns struct{ groupbuy *groupbuy.Service }

func (c campaigns) Admit(ctx context.Context, a order.Admission) (order.Offer, error) {
	offer, err := c.groupbuy.Admit(ctx, admission(a))
	return offered(offer), err
}

func (c campaigns) Quote(ctx context.Context, a order.Admission) (order.Offer, error) {
	offer, err := c.groupbuy.Quote(ctx, admission(a))
	return offered(offer), err
}

func (c campaigns) Undo(ctx context.Context, a order.Admission) error {
	return c.groupbuy.Undo(ctx, admission(a))
}

func admission(a order.Admission) groupbuy.Admission {
	out := groupbuy.Admission{Order: a.Order, Attempt: a.Attempt, Campaign: a.Campaign, Member: a.Member, Until: a.Until}
	for _, w := range a.Lines {
		out.Lines = append(out.Lines, groupbuy.Wish{SKU: w.SKU, Units: w.Units})
	}
	return out
}

func offered(o groupbuy.Offer) order.Offer {
	out := order.Offer{Host: o.Host, Community: o.Community, Pickup: o.Pickup}
	for _, l := range o.Lines {
		out.Lines = append(out.Lines, order.OfferLine{
			SKU: l.SKU, Product: l.Product, Name: l.Name, Units: l.Units, Price: l.Price, Cost: l.Cost, Category: l.Category,
		})
	}
	return out
}

type stock struct{ catalog *catalog.Service }

func (s stock) Hold(ctx context.Context, t claim.Try, until time.Time, lines []order.Wish) error {
	return s.catalog.Hold(ctx, t, until, unitsOf(lines))
}

func (s stock) Undo(ctx context.Context, t claim.Try, lines []order.Wish) error {
	return s.catalog.Undo(ctx, t, unitsOf(lines))
}

func unitsOf(lines []order.Wish) []catalog.Units {
	out := make([]catalog.Units, len(lines))
	for i, w := range lines {
		out[i] = catalog.Units{SKU: w.SKU, Units: w.Units}
	}
	return out
}

type places struct{ communities *community.Service }

func (p places) PickupPoint(ctx context.Context, where, point string) (order.Pickup, error) {
	found, err := p.communities.PickupPoint(ctx, where, point)
	return order.Pickup{Point: found.ID, Name: found.Name, Keeper: found.Keeper}, err
}

func (p places) Grade(ctx context.Context, host string) (string, error) {
	return p.communities.Grade(ctx, host)
}

// villages is who hosts what, and what the brand lets them do.
type villages struct {
	*community.Service
	hosting *hosting.Service
}

func (v villages) MayStart(ctx context.Context, member string) error {
	return v.hosting.MayStart(ctx, member)
}

func (v villages) MayRun(ctx context.Context, member string) error {
	return v.hosting.MayRun(ctx, member)
}

type referrer struct{ distribution *distribution.Service }

func (r referrer) Attribute(ctx context.Context, buyer, host, community string, at time.Time) (order.Referral, error) {
	found, err := r.distribution.Attribute(ctx, buyer, host, community, at)
	return order.Referral{
		Policy: found.Policy, Direct: found.Direct, Upline: found.Upline, Why: found.Why, Share: found.Share,
		Touch: found.Touch,
	}, err
}
