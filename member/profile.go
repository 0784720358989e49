package member

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (s *Service) load(ctx context.Context, member string) (*Member, error) {
	m, err := s.members.Get(ctx, member)
	if err != nil {
		return nil, asFault(err, ErrNotFound)
	}
	return m, nil
}

// Profile gives what may be shown of a member.
// Codes: MEM_NOT_FOUND.
func (s *Service) Profile(ctx context.Context, member string) (Profile, error) {
	m, err := s.load(ctx, member)
	if err != nil {
		return Profile{}, fmt.Errorf("member profile: %w", err)
	}
	return m.profile(), nil
}

// Profiles gives the profiles of those who exist, by id; at most MaxProfiles at once.
// Codes: MEM_TOO_MANY.
func (s *Service) Profiles(ctx context.Context, ids []string) (map[string]Profile, error) {
	if len(ids) > MaxProfiles {
		return nil, ErrTooMany
	}
	found, err := s.members.GetMany(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("member profiles: %w", err)
	}
	profiles := make(map[string]Profile, len(found))
	for memberID, m := range found {
		profiles[memberID] = m.profile()
	}
	return profiles, nil
}

// EditProfile changes nickname and avatar and answers the new profile.
// Codes: MEM_PROFILE_INVALID (fields nickname, avatar), MEM_NOT_FOUND.
func (s *Service) EditProfile(ctx context.Context, member string, edit ProfileEdit) (Profile, error) {
	edit, err := edit.check()
	if err != nil {
		return Profile{}, err
	}
	var after Profile
	err = s.change(ctx, member, func(m *Member) error {
		before := m.profile()
		if edit.Nickname != "" {
			m.Nickname = edit.Nickname
		}
		if edit.Avatar != "" {
			m.Avatar = edit.Avatar
		}
		if after = m.profile(); after == before {
			return errUnchanged
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return Profile{}, fmt.Errorf("member edit profile: %w", err)
	}
	return after, nil
}

// JoinedAt is when the account was made. Codes: as OpenID.
func (s *Service) JoinedAt(ctx context.Context, member string) (time.Time, error) {
	m, err := s.load(ctx, member)
	if err != nil {
		return time.Time{}, fmt.Errorf("member joined: %w", err)
	}
	return m.JoinedAt, nil
}

// OpenID gives the platform's name for a member, for payment and messages; it must not be logged or shown.
// Codes: MEM_NOT_FOUND.
func (s *Service) OpenID(ctx context.Context, member string) (string, error) {
	m, err := s.load(ctx, member)
	if err != nil {
		return "", fmt.Errorf("member openid: %w", err)
	}
	return m.OpenID.Reveal(), nil
}
