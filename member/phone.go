package member

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"guanxi/internal/docstore"
)

// BindPhone binds the verified number behind a phone button's code, replacing the member's earlier one, and
// answers its masked form.
// Codes: MEM_CODE_REFUSED, MEM_PLATFORM_AWAY, MEM_PHONE_INVALID, MEM_PHONE_TAKEN, MEM_NOT_FOUND.
func (s *Service) BindPhone(ctx context.Context, member, code string) (masked string, err error) {
	if code == "" || len(code) > maxCode {
		return "", ErrCodeRefused
	}
	if _, err := s.load(ctx, member); err != nil { // before the code is spent
		return "", fmt.Errorf("member bind phone: %w", err)
	}
	given, err := s.platform.PhoneNumber(ctx, code)
	if err != nil {
		return "", fmt.Errorf("member bind phone: %w", err)
	}
	number, err := international(given)
	if err != nil {
		return "", fmt.Errorf("member bind phone: %w", err)
	}
	key, now := s.keys.Lookup("phone", number), s.clock.Now()
	// The index keeps two members from one number under one lookup key; under an earlier key it has to be looked for.
	if holder, err := s.FindByPhone(ctx, number); err == nil && holder != member {
		return "", fmt.Errorf("member bind phone: %w", ErrPhoneTaken)
	} else if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("member bind phone: %w", err)
	}
	err = s.change(ctx, member, func(m *Member) error {
		if slices.Contains(s.keys.Lookups("phone", number), m.PhoneKey) {
			return errUnchanged
		}
		m.Phone, m.PhoneKey = docstore.Encrypted(number), key
		m.Emit(EventPhoneBound, PhoneBound{Member: m.ID, At: now})
		return nil
	})
	if index, taken := docstore.ExistsIn(err); taken && index == "phone" {
		return "", fmt.Errorf("member bind phone: %w", ErrPhoneTaken)
	}
	if err != nil && !errors.Is(err, errUnchanged) {
		return "", fmt.Errorf("member bind phone: %w", err)
	}
	return Mask(docstore.Encrypted(number)), nil
}

// UnbindPhone takes the number off, so that another member may bind it.
// Codes: MEM_NOT_FOUND.
func (s *Service) UnbindPhone(ctx context.Context, member string) error {
	err := s.change(ctx, member, func(m *Member) error {
		if m.PhoneKey == "" {
			return errUnchanged
		}
		m.Phone, m.PhoneKey = "", ""
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("member unbind phone: %w", err)
	}
	return nil
}

// FindByPhone gives the id of the member who holds a number, written with its country code: +8613800000013.
// Codes: MEM_NOT_FOUND.
func (s *Service) FindByPhone(ctx context.Context, number string) (string, error) {
	for _, key := range s.keys.Lookups("phone", number) {
		m, err := s.members.FindOne(ctx, docstore.By("phone", key))
		if err == nil {
			return m.ID, nil
		}
		if !errors.Is(err, docstore.ErrNotFound) {
			return "", fmt.Errorf("member find by phone: %w", err)
		}
	}
	return "", fmt.Errorf("member find by phone: %w", ErrNotFound)
}
