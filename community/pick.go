package community

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Pick is one product a host chose for a community. A product taken off the shelf keeps its document, so that
// putting it back keeps the host's words.
type Pick struct {
	docstore.Doc `bson:",inline"`
	Community    string    `bson:"community"`
	Product      string    `bson:"product"`
	Shelved      bool      `bson:"shelved"`
	Reason       string    `bson:"reason,omitempty"` // why for these people, in the host's words
	Rank         int       `bson:"rank"`             // smaller stands further in front
	PickedAt     time.Time `bson:"picked_at"`
}

// PickInput puts a product on the shelf, or changes its words and place: nil stays as it is.
type PickInput struct {
	Product string
	Reason  *string // at most 200 characters; "" clears
	Rank    *int    // 0 to 1,000,000
}

func pickID(community, product string) string { return community + "/" + product }

// Pick puts a product on a community's shelf; for one that is there it replaces what is given of reason and rank.
// Codes: COMM_INVALID, COMM_NOT_FOUND, COMM_NOT_HOST, and those of Deps.Hosting and Deps.Products.
func (s *Service) Pick(ctx context.Context, host, community string, in PickInput) (*Pick, error) {
	v := verdict{}
	if in.Reason != nil {
		in.Reason = new(*in.Reason)
		v.text("reason", in.Reason, MaxReason)
	}
	if in.Rank != nil && (*in.Rank < 0 || *in.Rank > MaxRank) {
		v.add("rank", "须在 0 到 1000000 之间 (0 to 1,000,000)")
	}
	if !id.Valid(in.Product) || len(in.Product) > 100 {
		v.add("product", "无法识别 (not an id)")
	}
	if err := v.fault(); err != nil {
		return nil, err
	}
	if err := s.RequireHost(ctx, community, host); err != nil {
		return nil, err
	}
	if err := s.hosting.MayStart(ctx, host); err != nil {
		return nil, fmt.Errorf("community pick: %w", err)
	}
	if s.products != nil {
		if err := s.products.ProductExists(ctx, in.Product); err != nil {
			return nil, fmt.Errorf("community pick: %w", err)
		}
	}
	now := s.clock.Now()
	p, err := s.picks.Upsert(ctx, pickID(community, in.Product), func(p *Pick) error {
		if !p.Shelved {
			p.PickedAt = now
		}
		p.Community, p.Product, p.Shelved = community, in.Product, true
		keep(&p.Reason, in.Reason)
		keep(&p.Rank, in.Rank)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("community pick: %w", err)
	}
	return p, nil
}

// Unpick takes a product off the shelf; one that is not there is fine.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST.
func (s *Service) Unpick(ctx context.Context, host, community, product string) error {
	if err := s.RequireHost(ctx, community, host); err != nil {
		return err
	}
	_, err := s.picks.Update(ctx, pickID(community, product), func(p *Pick) error {
		p.Shelved = false
		return nil
	})
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("community unpick: %w", err)
	}
	return nil
}

// Shelf lists what a community's host picked, by rank.
// Codes: COMM_PAGE_INVALID.
func (s *Service) Shelf(ctx context.Context, community string, p Paging) (docstore.Page[Pick], error) {
	return find(ctx, s.picks, docstore.By("shelf", community, true), p)
}
