package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// Authenticate says whose token this is. It is asked with every request: from this process's memory, from the
// shared cache, or from the store (two reads by id), in that order.
// Codes: MEM_SESSION_INVALID.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	session, ok := sessionID(token)
	if !ok {
		return Principal{}, ErrSessionInvalid
	}
	now := s.clock.Now()
	v, found, epoch := s.memory.get(session)
	if found && v.holds(now, s.config.CacheFor) {
		return Principal{v.member, session}, nil
	}
	if v, found = s.askShared(ctx, session, now); found && v.holds(now, s.config.CacheFor) {
		s.memory.put(session, v, epoch)
		return Principal{v.member, session}, nil
	}
	v, err := s.askStore(ctx, session)
	if err != nil {
		return Principal{}, fmt.Errorf("member authenticate: %w", err)
	}
	if s.config.CacheFor > 0 {
		s.memory.put(session, v, epoch)
		if s.shared != nil {
			_ = s.shared.Put(ctx, cacheKey(session), v.encode(), s.config.CacheFor) // an accelerator: its failure costs a read
		}
	}
	return Principal{v.member, session}, nil
}

func cacheKey(session string) string { return "session:" + session }

func (s *Service) askShared(ctx context.Context, session string, now time.Time) (verdict, bool) {
	if s.shared == nil || s.config.CacheFor < 0 || !s.memory.quiet(now, s.config.CacheFor) {
		return verdict{}, false
	}
	raw, found, err := s.shared.Get(ctx, cacheKey(session))
	if err != nil || !found {
		return verdict{}, false
	}
	return decodeVerdict(raw)
}

// askStore takes the time before it reads, so that the verdict's age is never understated.
func (s *Service) askStore(ctx context.Context, name string) (verdict, error) {
	now := s.clock.Now()
	session, err := s.sessions.Get(ctx, name)
	if err != nil {
		return verdict{}, asFault(err, ErrSessionInvalid)
	}
	m, err := s.members.Get(ctx, session.Member)
	if err != nil {
		return verdict{}, asFault(err, ErrSessionInvalid)
	}
	if session.Generation != m.Generation || !now.Before(session.ExpiresAt) {
		return verdict{}, ErrSessionInvalid
	}
	return verdict{member: session.Member, expiresAt: session.ExpiresAt, checkedAt: now}, nil
}

// Logout ends one session; a token that is none, or is over, is fine.
func (s *Service) Logout(ctx context.Context, token string) error {
	session, ok := sessionID(token)
	if !ok {
		return nil
	}
	if err := s.end(ctx, session); err != nil {
		return fmt.Errorf("member logout: %w", err)
	}
	return nil
}

func (s *Service) end(ctx context.Context, session string) error {
	err := s.sessions.Delete(ctx, session, nil)
	s.forget(ctx, session)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}

func (s *Service) forget(ctx context.Context, session string) {
	s.memory.revoke(session, s.clock.Now())
	if s.shared != nil {
		_ = s.shared.Drop(ctx, cacheKey(session)) // what stays is believed for CacheFor at most
	}
}

// LogoutEverywhere ends every session of a member with one write, those being started at this moment included.
// Codes: MEM_NOT_FOUND.
func (s *Service) LogoutEverywhere(ctx context.Context, member string) error {
	err := s.change(ctx, member, func(m *Member) error {
		m.Generation++
		return nil
	})
	if err != nil {
		return fmt.Errorf("member logout everywhere: %w", err)
	}
	for _, session := range s.memory.revokeAll(member, s.clock.Now()) {
		s.forget(ctx, session)
	}
	// The sessions are over; removing them is tidiness, and clears the shared cache of those this process never saw.
	page, err := s.sessions.Find(ctx, docstore.By("member", member).First(docstore.MaxLimit))
	if err != nil {
		return fmt.Errorf("member logout everywhere: %w", err)
	}
	for _, old := range page.Items {
		if err := s.endIfOver(ctx, old.ID); err != nil {
			return fmt.Errorf("member logout everywhere: %w", err)
		}
	}
	return nil
}

// endIfOver spares a session that was started after the generation moved on.
func (s *Service) endIfOver(ctx context.Context, session string) error {
	if _, err := s.askStore(ctx, session); !errors.Is(err, ErrSessionInvalid) {
		return err
	}
	return s.end(ctx, session)
}

// PruneSessions removes sessions that have expired, up to a thousand at a time, and tells how many.
func (s *Service) PruneSessions(ctx context.Context) (int, error) {
	page, err := s.sessions.Find(ctx, docstore.By("expires").Between(nil, s.clock.Now()).First(1000))
	if err != nil {
		return 0, fmt.Errorf("member prune sessions: %w", err)
	}
	for n, old := range page.Items { // no cache needs to hear of it: an answer is never believed beyond the expiry
		if err := s.sessions.Delete(ctx, old.ID, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return n, fmt.Errorf("member prune sessions: %w", err)
		}
	}
	return len(page.Items), nil
}
