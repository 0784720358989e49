package groupbuy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Admission is a wish to buy in a campaign.
type Admission struct {
	Order, Campaign, Member string
	Attempt                 string // which attempt at the order this is (see package claim); "" draws one
	Lines                   []Wish
	Until                   time.Time // when the order will be closed if nobody pays
}

// Offer is what the campaign sells at.
type Offer struct {
	Host, Community string
	Lines           []OfferLine
	Pickup          []string // the pickup points it is for; none = every open one of the community
}

// OfferLine is one priced line.
type OfferLine struct {
	SKU, Product, Name string
	Units              int64
	Price, Cost        money.Fen // per unit
	Category           string
}

const maxUnits = 100_000 // of one line

// Admit checks a purchase against schedule, items and limits, and claims the limits for the order until the given time.
// Another attempt at the same order is answered the same, even after the end: it joins the claims. The same order with
// other lines is refused while it has claims.
// Codes: GRP_NOT_FOUND, GRP_NOT_OPEN, GRP_ENDED, GRP_NOT_OFFERED, GRP_WISH_INVALID, GRP_LIMIT_PERSON, GRP_LIMIT_TOTAL,
// GRP_TOO_MANY, GRP_KEY_REUSED, GRP_BUSY.
func (s *Service) Admit(ctx context.Context, a Admission) (Offer, error) {
	now := s.clock.Now()
	c, offer, err := s.offer(ctx, &a)
	if err != nil {
		return Offer{}, err
	}
	if !id.Valid(a.Order) || len(a.Order) > 90 {
		return Offer{}, ErrWishInvalid.With("order", "订单编号有误 (not an order)")
	}
	a.Until = clock.Milli(a.Until)
	if !a.Until.After(now) || a.Until.Sub(now) > s.config.MaxHold {
		return Offer{}, ErrWishInvalid.With("until", "保留时间超出范围 (held for too long or not at all)")
	}
	if a.Attempt == "" {
		a.Attempt = claim.New(a.Order).Attempt
	}
	w := want{claim.Try{Order: a.Order, Attempt: a.Attempt}, a.Lines, a.Until}
	refusal, kept := c.admits(now), false
	if refusal != nil && !errors.Is(refusal, ErrEnded) {
		return Offer{}, refusal
	}
	_, err = s.quotas.Upsert(ctx, quotaID(c.ID, a.Member), func(q *Quota) error {
		if refusal != nil && !q.claims(w, now) { // who was admitted in time may come again after the end
			return refusal
		}
		at := q.find(a.Order)
		kept = at >= 0 && q.Claims[at].Kept
		return q.admit(c, w, now, now.Add(-s.config.Grace))
	})
	if err != nil {
		return Offer{}, refusalOr("admit", err)
	}
	if kept { // it has its seat already
		return offer, nil
	}
	err = eachTotal(c, a.Lines, func(it *Item, units int64) error { return s.claimTotal(ctx, c, it, w, units) })
	if fault.Of(err) != nil { // else the store is in trouble: whoever called undoes it, or it lapses
		err = errors.Join(err, s.Undo(ctx, a))
	}
	if err != nil {
		return Offer{}, refusalOr("admit", err)
	}
	return offer, nil
}

// Undo takes an attempt off the holders of its order's claims; those that nobody holds then are gone. It must not be
// called once the attempt may have written its order. What cannot be taken back now lapses.
func (s *Service) Undo(ctx context.Context, a Admission) error {
	if !id.Valid(a.Campaign) || !id.Valid(a.Member) || a.Attempt == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	t := claim.Try{Order: a.Order, Attempt: a.Attempt}
	c, err := s.campaign(ctx, a.Campaign)
	if err == nil {
		err = eachTotal(c, a.Lines, func(it *Item, _ int64) error { return s.undoTotal(ctx, c, it, t) })
	}
	_, quota := s.quotas.Update(ctx, quotaID(a.Campaign, a.Member), func(q *Quota) error {
		q.leave(a.Campaign, t)
		return nil
	})
	if errors.Is(quota, docstore.ErrNotFound) {
		quota = nil
	}
	return wrap("undo admission", errors.Join(err, quota))
}

// refusalOr leaves refusals as they are and wraps the rest.
func refusalOr(operation string, err error) error {
	if fault.Of(err) != nil {
		return err
	}
	return wrap(operation, err)
}

// Quote is Admit without a claim; it promises nothing. Order and Until are not looked at.
// Codes: as Admit.
func (s *Service) Quote(ctx context.Context, a Admission) (Offer, error) {
	now := s.clock.Now()
	c, offer, err := s.offer(ctx, &a)
	if err != nil {
		return Offer{}, err
	}
	if err := c.admits(now); err != nil {
		return Offer{}, err
	}
	q, err := s.quotas.Get(ctx, quotaID(c.ID, a.Member))
	if errors.Is(err, docstore.ErrNotFound) {
		q, err = &Quota{}, nil
	}
	if err != nil {
		return Offer{}, wrap("quote", err)
	}
	if err := q.admit(c, want{claim.Try{Order: a.Order}, a.Lines, a.Until}, now, now.Add(-s.config.Grace)); err != nil {
		return Offer{}, err
	}
	left, err := s.Remaining(ctx, c)
	if err != nil {
		return Offer{}, err
	}
	return offer, eachTotal(c, a.Lines, func(it *Item, units int64) error {
		if units > left[it.SKU] {
			return ErrTotal
		}
		return nil
	})
}

// offer checks the wish and prices it; the lines come back merged and in SKU order.
func (s *Service) offer(ctx context.Context, a *Admission) (*Campaign, Offer, error) {
	if !id.Valid(a.Campaign) || len(a.Campaign) > 90 {
		return nil, Offer{}, ErrNotFound
	}
	if !id.Valid(a.Member) || len(a.Member) > 90 {
		return nil, Offer{}, ErrWishInvalid.With("member", "会员编号有误 (not a member)")
	}
	c, err := s.campaign(ctx, a.Campaign)
	if err != nil {
		return nil, Offer{}, err
	}
	if c.State == Draft {
		return nil, Offer{}, ErrNotFound
	}
	if a.Lines, err = tidyLines(a.Lines); err != nil {
		return nil, Offer{}, err
	}
	offer := Offer{Host: c.Host, Community: c.Community, Pickup: slices.Clone(c.Pickup), Lines: make([]OfferLine, len(a.Lines))}
	for i, line := range a.Lines {
		it := c.item(line.SKU)
		if it == nil {
			return nil, Offer{}, ErrNotOffered.With("lines["+strconv.Itoa(i)+"].sku", "接龙中没有该商品 (not offered here)")
		}
		offer.Lines[i] = OfferLine{
			SKU: it.SKU, Product: it.Product, Name: it.Name, Category: it.Category, Units: line.Units, Price: it.Price, Cost: it.Cost,
		}
	}
	return c, offer, nil
}

// campaign answers from what this process has read within the last second; see cache.go.
func (s *Service) campaign(ctx context.Context, campaign string) (*Campaign, error) {
	at := s.clock.Now() // before the reading: what we know is at least as young as this
	if c := s.known.get(campaign, at); c != nil {
		return c, nil
	}
	c, err := s.fresh(ctx, campaign)
	if err != nil {
		return nil, err
	}
	s.known.put(campaign, c, at)
	return c, nil
}

func tidyLines(lines []Wish) ([]Wish, error) {
	if len(lines) < 1 || len(lines) > maxItems {
		return nil, ErrWishInvalid.With("lines", "须有 1 至 100 行 (1 to 100 lines)")
	}
	out := make([]Wish, 0, len(lines))
	for i, line := range lines {
		if line.Units < 1 || line.Units > maxUnits {
			return nil, ErrWishInvalid.With("lines["+strconv.Itoa(i)+"].units", "数量超出范围 (units out of range)")
		}
		if at := slices.IndexFunc(out, func(w Wish) bool { return w.SKU == line.SKU }); at >= 0 {
			out[at].Units += line.Units
			continue
		}
		out = append(out, line)
	}
	slices.SortFunc(out, func(a, b Wish) int { return strings.Compare(a.SKU, b.SKU) })
	return out, nil
}

// Withdraw gives an unpaid order's claims back; unknown and paid ones are left alone.
func (s *Service) Withdraw(ctx context.Context, campaign, member, order string) error {
	if !id.Valid(campaign) || !id.Valid(member) {
		return nil
	}
	q, err := s.quotas.Get(ctx, quotaID(campaign, member))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return wrap("withdraw", err)
	}
	at := q.find(order)
	if at < 0 || q.Claims[at].Kept {
		return nil
	}
	c, err := s.campaign(ctx, campaign)
	if err != nil {
		return err
	}
	if err := eachTotal(c, q.Claims[at].Lines, func(it *Item, units int64) error {
		return s.dropTotal(ctx, c, it, order, units, nil)
	}); err != nil {
		return wrap("withdraw", err)
	}
	_, err = s.quotas.Update(ctx, q.ID, func(q *Quota) error {
		q.drop(campaign, order, false)
		return nil
	})
	if err != nil {
		return wrap("withdraw", err)
	}
	if c, err = s.fresh(ctx, campaign); err != nil {
		return err
	}
	return wrap("withdraw", s.hasten(ctx, c))
}
