package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

// Tab is what one member holds without having paid (id = the member), so that it is counted right however many requests
// come at once, to however many processes. An entry counts while its order may be paid; what became of an order is
// looked up in the order itself, and only when it matters.
type Tab struct {
	docstore.Doc `bson:",inline"`
	Open         []Entry `bson:"open,omitempty"`
}

// Entry is one order, or one attempt at it, that is not paid yet.
type Entry struct {
	Order    string        `bson:"o"`
	Campaign string        `bson:"c"`
	Units    int64         `bson:"u"`
	Until    time.Time     `bson:"t"`
	By       claim.Holders `bson:"b,omitempty"`
}

// Terms say how much a member may hold without having paid. What is asked of a member is the account's age and orders
// that were paid and kept, never a level or what somebody thinks of them.
type Terms struct {
	Age  time.Duration // of the account, at least
	Paid int           // orders paid and not given back whole, at least, among the newest 50

	Orders, Units                 int64 // unpaid at a time, in all campaigns together
	CampaignOrders, CampaignUnits int64 // unpaid at a time in one campaign
}

// maxEntries bounds a tab: no terms allow more unpaid orders.
const maxEntries = 100

// paidLook is how many of the newest orders are looked at for those that were paid.
const paidLook = 50

// defaultTerms: whoever is new may hold a household's worth in a few orders; who has paid before, more.
func defaultTerms() []Terms {
	return []Terms{
		{Orders: 10, Units: 60, CampaignOrders: 5, CampaignUnits: 40},
		{Age: day, Paid: 1, Orders: 20, Units: 200, CampaignOrders: 10, CampaignUnits: 100},
		{Age: 30 * day, Paid: 5, Orders: 40, Units: 1000, CampaignOrders: 20, CampaignUnits: 500},
	}
}

func checkTerms(all []Terms) error {
	for i, t := range all {
		switch {
		case i == 0 && (t.Age != 0 || t.Paid != 0), i > 0 && (t.Age < all[i-1].Age || t.Paid < all[i-1].Paid):
			return errors.New("order: the first Terms must ask for nothing, each next one for as much or more")
		case t.Orders < 1 || t.Orders > maxEntries || t.Units < 1 || t.CampaignOrders < 1 || t.CampaignUnits < 1 ||
			t.Paid > paidLook:
			return errors.New("order: Terms must allow 1 to 100 orders and at least a unit, and ask for at most 50 paid orders")
		}
	}
	return nil
}

// enter notes an order, joins the entry another attempt has made, or says that it would be too much.
func (tb *Tab) enter(e Entry, by claim.Try, t Terms, now time.Time) error {
	tb.Open = slices.DeleteFunc(tb.Open, func(one Entry) bool { return one.Until.Before(now.Add(-ClockSkew)) })
	units, inCampaign, orders := e.Units, e.Units, int64(1)
	for i := range tb.Open {
		one := &tb.Open[i]
		if one.Order == e.Order {
			if one.By = one.By.Join(by); one.Until.Before(e.Until) {
				one.Until = e.Until
			}
			return nil
		}
		if units += one.Units; one.Campaign == e.Campaign {
			inCampaign, orders = inCampaign+one.Units, orders+1
		}
	}
	switch {
	case int64(len(tb.Open)) >= t.Orders:
		return unpaidLimit("orders", "最多可同时有 %d 个未付款订单 (at most %d unpaid orders at a time)", t.Orders)
	case orders > t.CampaignOrders:
		return unpaidLimit("orders", "同一接龙最多可同时有 %d 个未付款订单 (at most %d unpaid orders at a time in one group buy)", t.CampaignOrders)
	case units > t.Units:
		return unpaidLimit("units", "最多可同时保留 %d 件未付款商品 (at most %d unpaid units at a time)", t.Units)
	case inCampaign > t.CampaignUnits:
		return unpaidLimit("units", "同一接龙最多可同时保留 %d 件未付款商品 (at most %d unpaid units at a time in one group buy)", t.CampaignUnits)
	}
	tb.Open = append(tb.Open, e)
	return nil
}

func unpaidLimit(field, words string, n int64) error {
	return ErrUnpaidLimit.With(field, fmt.Sprintf(words, n, n))
}

// leave takes an attempt off the holders of its order's entry, which goes with the last of them.
func (tb *Tab) leave(t claim.Try) {
	tb.Open = slices.DeleteFunc(tb.Open, func(one Entry) bool { return one.Order == t.Order && one.By.Leave(t).Nobody() })
	for i := range tb.Open {
		if tb.Open[i].Order == t.Order {
			tb.Open[i].By = tb.Open[i].By.Leave(t)
		}
	}
}

// enterTab notes an order on its member's tab. Usually that is one write; only when newcomers' terms are not enough is it
// looked up which entries are still unpaid, and what the member's terms are. Errors: ErrUnpaidLimit.
func (s *Service) enterTab(ctx context.Context, o *Order, by claim.Try, until time.Time) error {
	e := Entry{Order: o.ID, Campaign: o.Campaign, Until: until, By: claim.HeldBy(by)}
	for _, l := range o.Lines {
		e.Units += l.Units
	}
	now := s.clock.Now()
	_, err := s.tabs.Upsert(ctx, o.Member, func(tb *Tab) error { return tb.enter(e, by, s.config.Terms[0], now) })
	if !errors.Is(err, ErrUnpaidLimit) {
		return err
	}
	tab, err := s.tabs.Get(ctx, o.Member)
	if errors.Is(err, docstore.ErrNotFound) {
		tab, err = &Tab{}, nil
	}
	if err != nil {
		return err
	}
	over, err := s.over(ctx, tab)
	if err != nil {
		return err
	}
	terms, err := s.terms(ctx, o.Member, now)
	if err != nil {
		return err
	}
	_, err = s.tabs.Upsert(ctx, o.Member, func(tb *Tab) error {
		tb.Open = slices.DeleteFunc(tb.Open, func(one Entry) bool { return over[one.Order] })
		return tb.enter(e, by, terms, now)
	})
	return err
}

// over tells which entries' orders can no longer be unpaid: they were paid, or closed. An order that is not there yet is
// being placed.
func (s *Service) over(ctx context.Context, tab *Tab) (map[string]bool, error) {
	var ids []string
	for _, e := range tab.Open {
		ids = append(ids, e.Order)
	}
	found, err := s.orders.GetWhole(ctx, ids)
	over := make(map[string]bool, len(found))
	for id, o := range found {
		over[id] = o.State != StatePlaced && o.State != StateClosing
	}
	return over, err
}

// terms are the best ones the member's account satisfies.
func (s *Service) terms(ctx context.Context, member string, now time.Time) (Terms, error) {
	joined, err := s.deps.Members.JoinedAt(ctx, member)
	if err != nil {
		return Terms{}, err
	}
	newest, err := s.orders.Find(ctx, docstore.By(indexMember, member).Newest().First(paidLook))
	if err != nil {
		return Terms{}, err
	}
	paid := 0
	for _, o := range newest.Items {
		if o.Payment != nil && o.State != StateRefunding && o.State != StateRefunded {
			paid++
		}
	}
	best := s.config.Terms[0]
	for _, t := range s.config.Terms {
		if now.Sub(joined) >= t.Age && paid >= t.Paid {
			best = t
		}
	}
	return best, nil
}

func (s *Service) leaveTab(ctx context.Context, member string, t claim.Try) error {
	_, err := s.tabs.Update(ctx, member, func(tb *Tab) error {
		tb.leave(t)
		return nil
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}
