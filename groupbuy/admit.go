package groupbuy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// Admission is a wish to buy in a campaign.
type Admission struct {
	Order, Campaign, Member string
	Lines                   []Wish
	Until                   time.Time // when the order will be closed if nobody pays
}

// Offer is what the campaign sells at.
type Offer struct {
	Host, Community string
	Lines           []OfferLine
}

// OfferLine is one priced line.
type OfferLine struct {
	SKU, Product, Name string
	Units              int64
	Price, Cost        money.Fen // per unit
	Category           string
}

const maxUnits = 100_000 // of one line

// Admit checks a purchase against schedule, items and limits, and claims the limits for the order until the
// given time. Admitting the same order again answers the same, even after the end; other lines replace its claim.
// Codes: GRP_NOT_FOUND, GRP_NOT_OPEN, GRP_ENDED, GRP_NOT_OFFERED, GRP_WISH_INVALID, GRP_LIMIT_PERSON,
// GRP_LIMIT_TOTAL, GRP_TOO_MANY.
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
	if refusal := c.admits(now); refusal != nil {
		return offer, s.admittedBefore(ctx, a, refusal)
	}
	want, deadline := Claim{Order: a.Order, Lines: a.Lines, Until: a.Until}, now.Add(-s.config.Grace)
	kept, fresh := false, false
	_, err = s.quotas.Upsert(ctx, quotaID(c.ID, a.Member), func(q *Quota) error {
		at := q.find(a.Order)
		kept, fresh = at >= 0 && q.Claims[at].Kept, at < 0
		return q.admit(c, want, deadline)
	})
	if err != nil {
		return Offer{}, refusalOr("admit", err)
	}
	if kept { // it has its seat already
		return offer, nil
	}
	if err := s.claimTotals(ctx, c, want, deadline); err != nil {
		return Offer{}, refusalOr("admit", s.undo(ctx, a, fresh, err))
	}
	return offer, nil
}

// undo takes back what this call claimed; what cannot be taken back now lapses.
func (s *Service) undo(ctx context.Context, a Admission, fresh bool, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if !fresh || fault.Of(cause) == nil {
		return cause // an earlier call's claim, or the store is away: the same order may try again
	}
	return errors.Join(cause, s.Withdraw(ctx, a.Campaign, a.Member, a.Order))
}

// refusalOr leaves refusals as they are and wraps the rest.
func refusalOr(operation string, err error) error {
	if fault.Of(err) != nil {
		return err
	}
	return wrap(operation, err)
}

// claimTotals claims every item that has a total; the caller undoes it when one of them refuses.
func (s *Service) claimTotals(ctx context.Context, c *Campaign, want Claim, deadline time.Time) error {
	for _, line := range want.Lines {
		if !c.limited(line.SKU) {
			continue
		}
		limit := c.item(line.SKU).Total
		_, err := s.allotments.Upsert(ctx, allotmentID(c.ID, line.SKU), func(a *Allotment) error {
			return a.admit(opening{want.Order, line.Units, want.Until}, limit, deadline)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) dropTotals(ctx context.Context, c *Campaign, order string, lines []Wish) error {
	for _, line := range lines {
		if !c.limited(line.SKU) {
			continue
		}
		_, err := s.allotments.Update(ctx, allotmentID(c.ID, line.SKU), func(a *Allotment) error {
			a.drop(order)
			return nil
		})
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// admittedBefore answers nil instead of "it is over" if the order holds a claim to the same lines.
func (s *Service) admittedBefore(ctx context.Context, a Admission, refusal error) error {
	if !errors.Is(refusal, ErrEnded) {
		return refusal
	}
	q, err := s.quotas.Get(ctx, quotaID(a.Campaign, a.Member))
	if errors.Is(err, docstore.ErrNotFound) {
		return refusal
	}
	if err != nil {
		return wrap("admit", err)
	}
	if at := q.find(a.Order); at < 0 || !slices.Equal(q.Claims[at].Lines, a.Lines) {
		return refusal
	}
	return nil
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
	deadline := now.Add(-s.config.Grace)
	if err := q.admit(c, Claim{Order: a.Order, Lines: a.Lines, Until: a.Until}, deadline); err != nil {
		return Offer{}, err
	}
	for _, line := range a.Lines {
		if !c.limited(line.SKU) {
			continue
		}
		taken, err := s.allotments.Get(ctx, allotmentID(c.ID, line.SKU))
		if errors.Is(err, docstore.ErrNotFound) {
			taken, err = &Allotment{}, nil
		}
		if err != nil {
			return Offer{}, wrap("quote", err)
		}
		if err := taken.admit(opening{a.Order, line.Units, a.Until}, c.item(line.SKU).Total, deadline); err != nil {
			return Offer{}, err
		}
	}
	return offer, nil
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
	offer := Offer{Host: c.Host, Community: c.Community, Lines: make([]OfferLine, len(a.Lines))}
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
	if c := s.known.get(campaign, s.clock); c != nil {
		return c, nil
	}
	at := s.clock.Now() // before the reading: what we know is at least as young as this
	c, err := s.fresh(ctx, campaign)
	if err != nil {
		return nil, err
	}
	s.known.put(c, at)
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
	if err := s.dropTotals(ctx, c, order, q.Claims[at].Lines); err != nil {
		return wrap("withdraw", err)
	}
	_, err = s.quotas.Update(ctx, q.ID, func(q *Quota) error {
		q.drop(campaign, order, false)
		return nil
	})
	return wrap("withdraw", err)
}
