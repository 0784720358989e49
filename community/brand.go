package community

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// What the brand does in a host's community, whether or not it lets the host run it at the moment.

// BrandMove is the brand's decision about one member of a community.
type BrandMove struct {
	Community, Member string
	Step              Step   // StepRemove or StepReadmit
	By                string // the person of staff
	Reason            string // 1 to 200 characters
}

// Decide removes a member of a community, or lets one that was removed in again. Repeating it changes nothing.
// Codes: COMM_INVALID, COMM_NOT_FOUND, COMM_NOT_MEMBER, COMM_HOST_STAYS.
func (s *Service) Decide(ctx context.Context, d BrandMove) (*Membership, error) {
	v := verdict{}
	v.line("reason", &d.Reason, 1, MaxReason)
	if !id.Valid(d.By) {
		v.add("by", "须说明由谁决定 (who decided is missing)")
	}
	if d.Step != StepRemove && d.Step != StepReadmit {
		v.add("step", "须为 remove 或 readmit (remove or readmit)")
	}
	if err := v.fault(); err != nil {
		return nil, err
	}
	c, err := s.Get(ctx, d.Community)
	if err != nil {
		return nil, err
	}
	if c.Host == d.Member {
		return nil, ErrHostStays
	}
	if _, err := s.Membership(ctx, c.ID, d.Member); err != nil {
		return nil, err
	}
	m, err := s.step(ctx, c, d.Member, Move{Step: d.Step, By: d.By, Reason: d.Reason})
	if err != nil {
		return nil, fmt.Errorf("community decide: %w", err)
	}
	return m, nil
}

// BrandClosePoint is ClosePickupPoint by the brand. Codes: COMM_NOT_FOUND, COMM_POINT_NOT_FOUND.
func (s *Service) BrandClosePoint(ctx context.Context, community, point string) error {
	_, err := s.communities.Update(ctx, community, closing(point))
	if err == nil || errors.Is(err, errUnchanged) {
		return nil
	}
	return fmt.Errorf("community close pickup point: %w", asFault(err, ErrNotFound))
}

// List gives every community, the newest first. Codes: COMM_PAGE_INVALID.
func (s *Service) List(ctx context.Context, p Paging) (docstore.Page[Community], error) {
	return find(ctx, s.communities, docstore.By("created").Newest(), p)
}

// InState lists the memberships of a community in one state, the latest joined first.
// Codes: COMM_NOT_FOUND, COMM_PAGE_INVALID.
func (s *Service) InState(ctx context.Context, community string, in State, p Paging) (docstore.Page[Membership], error) {
	if _, err := s.Get(ctx, community); err != nil {
		return docstore.Page[Membership]{}, err
	}
	return find(ctx, s.memberships, docstore.By("community", community, in).Newest(), p)
}
