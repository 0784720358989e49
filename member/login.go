package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/internal/docstore"
)

// LoginInput is what the client brings.
type LoginInput struct {
	Code string // from wx.login: at most 256 characters
}

// Login is a fresh session. Token is shown this once.
type Login struct {
	Token     string
	MemberID  string
	ExpiresAt time.Time
	Fresh     bool // the member was not known before
}

const maxCode = 256

// Login signs a person in by the platform's code and makes the member on the first time. A code works once;
// when the answer is lost, the client gets another code and logs in again.
// Codes: MEM_CODE_REFUSED, MEM_PLATFORM_AWAY.
func (s *Service) Login(ctx context.Context, in LoginInput) (Login, error) {
	if in.Code == "" || len(in.Code) > maxCode {
		return Login{}, ErrCodeRefused
	}
	who, err := s.platform.CodeToSession(ctx, in.Code)
	if err != nil {
		return Login{}, fmt.Errorf("member login: %w", err)
	}
	if who.AppID == "" || who.OpenID == "" {
		return Login{}, fmt.Errorf("member login: %w", ErrPlatformAway.Because(errors.New("an identity without appid or openid")))
	}
	m, fresh, err := s.recognise(ctx, who)
	if err != nil {
		return Login{}, fmt.Errorf("member login: %w", err)
	}
	login, err := s.startSession(ctx, m)
	if err != nil {
		return Login{}, fmt.Errorf("member login: %w", err)
	}
	login.Fresh = fresh
	return login, nil
}

// recognise finds the member of an identity, or makes it. Most logins are of known people and cost one read.
func (s *Service) recognise(ctx context.Context, who Identity) (m *Member, fresh bool, err error) {
	memberID := IDOf(who.AppID, who.OpenID)
	m, err = s.members.Get(ctx, memberID)
	if err == nil && (who.UnionID == "" || m.UnionID.Reveal() == who.UnionID) {
		return m, false, nil
	}
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return nil, false, err
	}
	now := s.clock.Now()
	m, err = s.members.Upsert(ctx, memberID, func(m *Member) error {
		// Not Doc.Fresh: callers combined into one first write all see it, and only one of them is the first.
		if fresh = m.JoinedAt.IsZero(); fresh {
			m.AppID, m.OpenID, m.JoinedAt = who.AppID, docstore.Encrypted(who.OpenID), now
			m.Emit(EventRegistered, Registered{Member: m.ID, At: now})
		}
		if who.UnionID != "" {
			m.UnionID, m.UnionKey = docstore.Encrypted(who.UnionID), s.keys.Lookup("unionid", who.UnionID)
		}
		return nil
	})
	return m, fresh, err
}

func (s *Service) startSession(ctx context.Context, m *Member) (Login, error) {
	now := s.clock.Now()
	token := s.keys.NewToken(TokenPurpose)
	name, _ := sessionID(token)
	session := &Session{
		Doc: docstore.Doc{ID: name}, Member: m.ID, Generation: m.Generation, At: now,
		ExpiresAt: now.Add(s.config.SessionFor),
	}
	if err := s.sessions.Insert(ctx, session); err != nil {
		return Login{}, err
	}
	if err := s.trimSessions(ctx, m.ID); err != nil {
		return Login{}, err
	}
	return Login{Token: token, MemberID: m.ID, ExpiresAt: session.ExpiresAt}, nil
}

// trimSessions ends the oldest sessions of a member who holds too many.
func (s *Service) trimSessions(ctx context.Context, member string) error {
	page, err := s.sessions.Find(ctx, docstore.By("member", member).First(s.config.MaxSessions+10))
	if err != nil {
		return err
	}
	for _, old := range page.Items[:max(0, len(page.Items)-s.config.MaxSessions)] {
		if err := s.end(ctx, old.ID); err != nil {
			return err
		}
	}
	return nil
}
