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

// exactBuckets is up to how many allotments Remaining reads every time.
const exactBuckets = 16

// Remaining says how many units of each item with a total limit may still be claimed; items without one are absent. It is
// for showing: of campaigns whose totals lie in many allotments, what this process has read within the last second.
func (s *Service) Remaining(ctx context.Context, c *Campaign) (map[string]int64, error) {
	buckets := 0
	for i := range c.Items {
		if c.Items[i].Total > 0 {
			buckets += c.Items[i].buckets()
		}
	}
	if buckets <= exactBuckets {
		return s.remaining(ctx, c)
	}
	at := s.clock.Now()
	if left := s.shown.get(c.ID, at); left != nil {
		return left, nil
	}
	left, err := s.shared.Do(ctx, c.ID, func(ctx context.Context) (map[string]int64, error) { return s.remaining(ctx, c) })
	if err == nil {
		s.shown.put(c.ID, left, at)
	}
	return left, err
}

func (s *Service) remaining(ctx context.Context, c *Campaign) (map[string]int64, error) {
	left := map[string]int64{}
	for i := range c.Items {
		it := &c.Items[i]
		if it.Total == 0 {
			continue
		}
		all, err := s.look(ctx, c, it)
		if err != nil {
			return nil, wrap("remaining", err)
		}
		for _, room := range s.rooms(it, all) {
			left[it.SKU] += room
		}
	}
	return left, nil
}
