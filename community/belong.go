package community

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// JoinInput asks to belong.
type JoinInput struct {
	Community, Member string
	Via               string // the share link that brought them; may be empty
}

// Join makes a member belong to a community. Joining again changes nothing, whoever and how many ask at once;
// who left may come back.
// Codes: COMM_NOT_FOUND, COMM_REMOVED, COMM_INVALID.
func (s *Service) Join(ctx context.Context, in JoinInput) (*Membership, error) {
	if !id.Valid(in.Member) || len(in.Member) > 100 || in.Via != "" && !id.Valid(in.Via) {
		return nil, ErrInvalid.With("member", "无法识别 (not an id)")
	}
	m, err := s.memberships.Get(ctx, membershipID(in.Community, in.Member))
	if err == nil && m.State == Active {
		return m, nil
	}
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return nil, fmt.Errorf("community join: %w", err)
	}
	c, err := s.Get(ctx, in.Community)
	if err != nil {
		return nil, err
	}
	if m, err = s.step(ctx, c, in.Member, Move{Step: StepJoin, Via: in.Via}); err != nil {
		return nil, fmt.Errorf("community join: %w", err)
	}
	return m, nil
}

// Leave ends the membership by the member's own wish; leaving twice is leaving once.
// Codes: COMM_NOT_FOUND, COMM_NOT_MEMBER, COMM_HOST_STAYS.
func (s *Service) Leave(ctx context.Context, community, member string) error {
	c, err := s.Get(ctx, community)
	if err != nil {
		return err
	}
	if c.Host == member {
		return ErrHostStays
	}
	if _, err := s.step(ctx, c, member, Move{Step: StepLeave}); err != nil {
		return fmt.Errorf("community leave: %w", err)
	}
	return nil
}

// Remove ends a membership by the host's wish: the member cannot come back by themselves.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST, COMM_NOT_MEMBER, COMM_HOST_STAYS.
func (s *Service) Remove(ctx context.Context, host, community, member string) error {
	return s.byHost(ctx, host, community, member, StepRemove)
}

// Readmit lets a removed member in again.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST, COMM_NOT_MEMBER.
func (s *Service) Readmit(ctx context.Context, host, community, member string) error {
	return s.byHost(ctx, host, community, member, StepReadmit)
}

func (s *Service) byHost(ctx context.Context, host, community, member string, step Step) error {
	c, err := s.Get(ctx, community)
	if err != nil {
		return err
	}
	if host == "" || c.Host != host {
		return ErrNotHost
	}
	if member == host {
		return ErrHostStays
	}
	if _, err := s.step(ctx, c, member, Move{Step: step}); err != nil {
		return fmt.Errorf("community %s: %w", step, err)
	}
	return nil
}

// step moves one membership and tells others if it moved.
func (s *Service) step(ctx context.Context, c *Community, member string, made Move) (*Membership, error) {
	now := s.clock.Now()
	made.At = now
	m, err := s.memberships.Upsert(ctx, membershipID(c.ID, member), func(m *Membership) error {
		m.Community, m.Member = c.ID, member
		again := m.State != Never
		changed, err := m.move(made)
		if err != nil || !changed {
			return err
		}
		switch made.Step {
		case StepJoin, StepReadmit:
			m.Emit(EventJoined, Joined{Community: c.ID, Member: member, Host: c.Host, Via: made.Via, Again: again, At: now})
		case StepLeave, StepRemove:
			m.Emit(EventLeft, Left{Community: c.ID, Member: member, Removed: made.Step == StepRemove, At: now})
		}
		return nil
	})
	return m, err
}

// IsMember tells whether somebody belongs to a community; its host always does.
func (s *Service) IsMember(ctx context.Context, community, member string) (bool, error) {
	m, err := s.memberships.Get(ctx, membershipID(community, member))
	if errors.Is(err, docstore.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("community is member: %w", err)
	}
	return m.State == Active, nil
}

// Membership gives what is known of somebody in a community, whether or not they still belong to it.
// Codes: COMM_NOT_MEMBER.
func (s *Service) Membership(ctx context.Context, community, member string) (*Membership, error) {
	m, err := s.memberships.Get(ctx, membershipID(community, member))
	if err != nil {
		return nil, fmt.Errorf("community membership: %w", asFault(err, ErrNotMember))
	}
	return m, nil
}

// Mine lists where a member belongs, the latest joined first.
// Codes: COMM_PAGE_INVALID.
func (s *Service) Mine(ctx context.Context, member string, p Paging) (docstore.Page[Membership], error) {
	return find(ctx, s.memberships, docstore.By("member", member, Active).Newest(), p)
}

// Members lists who belongs to a community, for its host, the latest joined first.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST, COMM_PAGE_INVALID.
func (s *Service) Members(ctx context.Context, host, community string, p Paging) (docstore.Page[Membership], error) {
	if err := s.RequireHost(ctx, community, host); err != nil {
		return docstore.Page[Membership]{}, err
	}
	return find(ctx, s.memberships, docstore.By("community", community, Active).Newest(), p)
}

// CountLimit is where counting stops: a community of that size or more is "10000+".
const CountLimit = 10_000

// MemberCount counts who belongs to a community, the host included, up to CountLimit.
func (s *Service) MemberCount(ctx context.Context, community string) (int, error) {
	n, err := s.memberships.Count(ctx, docstore.By("community", community, Active), CountLimit)
	if err != nil {
		return 0, fmt.Errorf("community member count: %w", err)
	}
	return n, nil
}
