package groupbuy

import (
	"context"
	"errors"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Paging asks for one page of a list.
type Paging struct {
	After string // Next of the page before; "" for the first
	Limit int    // 1–100; 0 = 20
	// Newest turns the list of seats round: the latest number first.
	Newest bool
}

// Get gives one campaign, drafts too: who may see a draft is the caller's question. Codes: GRP_NOT_FOUND.
func (s *Service) Get(ctx context.Context, campaign string) (*Campaign, error) {
	return s.fresh(ctx, campaign)
}

// Feed lists a community's campaigns: open ones, then previews, then those that are over; newest first in each.
// Drafts and those that never took place are not in it. Codes: GRP_PAGE_INVALID.
func (s *Service) Feed(ctx context.Context, community string, page Paging) (docstore.Page[Campaign], error) {
	return find(ctx, s.campaigns, docstore.By("feed", community).Newest(), community, page)
}

// ByHost lists a host's campaigns of every state, the latest drafted first. Codes: GRP_PAGE_INVALID.
func (s *Service) ByHost(ctx context.Context, host string, page Paging) (docstore.Page[Campaign], error) {
	return find(ctx, s.campaigns, docstore.By("host", host).Newest(), host, page)
}

// Seats lists a campaign's seats by number, left ones too. Codes: GRP_PAGE_INVALID.
func (s *Service) Seats(ctx context.Context, campaign string, page Paging) (docstore.Page[Seat], error) {
	q := docstore.By("number", campaign)
	if page.Newest {
		q = q.Newest()
	}
	return find(ctx, s.seats, q, campaign, page)
}

func find[T any](ctx context.Context, in *docstore.Collection[T], q docstore.Query, key string, page Paging) (docstore.Page[T], error) {
	if page.Limit == 0 {
		page.Limit = 20
	}
	if page.Limit < 0 || page.Limit > 100 || len(page.After) > 1000 || !id.Valid(key) {
		return docstore.Page[T]{}, ErrPageInvalid
	}
	found, err := in.Find(ctx, q.First(page.Limit).Continue(page.After))
	if errors.Is(err, docstore.ErrInvalid) {
		return docstore.Page[T]{}, ErrPageInvalid.Because(err)
	}
	return found, wrap("list", err)
}

// SeatOf finds an order's seat. Codes: GRP_SEAT_NOT_FOUND.
func (s *Service) SeatOf(ctx context.Context, campaign, order string) (*Seat, error) {
	if !id.Valid(campaign) || !id.Valid(order) {
		return nil, ErrSeatNotFound
	}
	seat, err := s.seats.FindOne(ctx, docstore.By("order", campaign, order))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrSeatNotFound
	}
	return seat, wrap("seat", err)
}

// Claimed tells whether an order has claimed its part of the member's limits here. Unknown names have claimed nothing.
func (s *Service) Claimed(ctx context.Context, campaign, member, order string) (bool, error) {
	if !id.Valid(campaign) || !id.Valid(member) {
		return false, nil
	}
	q, err := s.quotas.Get(ctx, quotaID(campaign, member))
	if errors.Is(err, docstore.ErrNotFound) || errors.Is(err, docstore.ErrInvalid) {
		return false, nil
	}
	if err != nil {
		return false, wrap("claimed", err)
	}
	return q.find(order) >= 0, nil
}

// Remaining says how many units of each item with a total limit may still be claimed; items without one are absent.
func (s *Service) Remaining(ctx context.Context, c *Campaign) (map[string]int64, error) {
	var ids []string
	left := map[string]int64{}
	for _, item := range c.Items {
		if item.Total > 0 {
			ids, left[item.SKU] = append(ids, allotmentID(c.ID, item.SKU)), item.Total
		}
	}
	if len(ids) == 0 {
		return left, nil
	}
	found, err := s.allotments.GetMany(ctx, ids)
	if err != nil {
		return nil, wrap("remaining", err)
	}
	deadline := s.clock.Now().Add(-s.config.Grace)
	for sku := range left {
		if a := found[allotmentID(c.ID, sku)]; a != nil {
			left[sku] = max(left[sku]-a.claimed(deadline), 0)
		}
	}
	return left, nil
}
