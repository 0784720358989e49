package distribution

import (
	"context"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Referral says who is credited for a sale. It mirrors order.Referral.
type Referral struct {
	Policy string // version in force at the sale: it decides on self-purchase and the second level
	Direct string // member credited; empty = nobody
	Upline string // who is credited for Direct; empty unless the policy's second level is on
	Why    string // first-touch, last-touch, permanent, staff, campaign-host, self or none
	Share  string // the share link that won
	Touch  string // the touch, or staff decision, that won
}

// The reasons that are not those of a bond.
const (
	WhyCampaignHost = "campaign-host" // no bond in force: the campaign's host
	WhySelf         = "self"          // the host bought in their own campaign
	WhyNone         = "none"
)

// Attribute says who is credited when buyer buys at a moment in host's campaign: whoever holds the buyer's bond
// then, or the host when nobody does. It reads stored facts only and changes nothing, and it names no person
// twice, the buyer included, unless the buyer is the host and the policy credits self-purchase.
// Codes: DIST_INVALID.
func (s *Service) Attribute(ctx context.Context, buyer, host, community string, at time.Time) (Referral, error) {
	if !isID(buyer) || host != "" && !isID(host) || community != "" && !isID(community) {
		return Referral{}, ErrInvalid.With("buyer", "无法识别 (not an id)")
	}
	rules, err := s.rulebook(ctx)
	if err != nil {
		return Referral{}, fmt.Errorf("distribution attribute: %w", err)
	}
	p := rules.at(at)
	r := Referral{Policy: p.Version, Why: WhyNone}
	switch {
	case buyer != host:
		if err := s.credit(ctx, &r, buyer, rules, at); err != nil {
			return Referral{}, fmt.Errorf("distribution attribute: %w", err)
		}
		if r.Direct == "" && host != "" {
			r.Direct, r.Why = host, WhyCampaignHost
		}
	case p.SelfPurchase == SelfCredited:
		r.Direct, r.Why = host, WhySelf
	case p.SelfPurchase == SelfUpline:
		if err := s.credit(ctx, &r, buyer, rules, at); err != nil {
			return Referral{}, fmt.Errorf("distribution attribute: %w", err)
		}
	}
	if p.SecondLevel && r.Direct != "" {
		var above Referral
		if err := s.credit(ctx, &above, r.Direct, rules, at); err != nil {
			return Referral{}, fmt.Errorf("distribution attribute: %w", err)
		}
		if above.Direct != buyer {
			r.Upline = above.Direct
		}
	}
	return r, nil
}

// credit fills in who holds a member's bond at a moment.
func (s *Service) credit(ctx context.Context, r *Referral, member string, rules rulebook, at time.Time) error {
	b, err := s.load(ctx, member)
	if err != nil {
		return err
	}
	if stood := b.At(at, rules); stood != nil && stood.By != member {
		r.Direct, r.Why, r.Share, r.Touch = stood.By, stood.Why, stood.Share, stood.Touch
	}
	return nil
}

// BondOf gives the bond in force for a member now, or nil when nobody is credited for them.
func (s *Service) BondOf(ctx context.Context, member string) (*Standing, error) {
	b, err := s.load(ctx, member)
	if err != nil {
		return nil, fmt.Errorf("distribution bond of: %w", err)
	}
	if !b.Current.In(s.clock.Now()) {
		return nil, nil //nolint:nilnil // nobody is an answer
	}
	return b.Current, nil
}

// Follower is somebody a member is, or was last, credited for.
type Follower struct {
	Member  string
	InForce bool // false: the bond has ended, and nobody else has taken over
	Standing
}

// Brought lists for whom a member is credited, the newest first.
// Codes: DIST_PAGE_INVALID.
func (s *Service) Brought(ctx context.Context, by string, p Paging) (docstore.Page[Follower], error) {
	page, err := find(ctx, s.bonds, docstore.By("holder", by).Newest(), p)
	if err != nil {
		return docstore.Page[Follower]{}, err
	}
	now := s.clock.Now()
	list := docstore.Page[Follower]{Items: make([]*Follower, len(page.Items)), Next: page.Next}
	for i, b := range page.Items {
		list.Items[i] = &Follower{Member: b.ID, InForce: b.Current.In(now), Standing: *b.Current}
	}
	return list, nil
}
