package staff

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// Session is one sign-in. Its id is the hash of the token; the token itself is known only to the client. It is alive
// until it expires, is deleted, or its operator's generation passes it; nothing brings it back.
type Session struct {
	docstore.Doc `bson:",inline"`
	Operator     string    `bson:"operator"`
	Generation   int64     `bson:"generation"`
	At           time.Time `bson:"at"`
	ExpiresAt    time.Time `bson:"expires_at"`
}

// Principal is who is asking.
type Principal struct {
	Operator   string
	Session    string // its id: safe to show and log, of no use as a token
	Login      string
	Name       string
	Member     string // who they are as a member, when that is known
	Roles      []Role
	MustChange bool // nothing but changing the password is allowed
	ExpiresAt  time.Time
}

// May refuses what the roles do not allow. Codes: STF_CHANGE_PASSWORD_FIRST, STF_DENIED.
func (p Principal) May(do Permission) error {
	switch {
	case p.MustChange:
		return ErrChangeFirst
	case !Allowed(p.Roles, do):
		return ErrDenied
	}
	return nil
}

const tokenBytes = 32

// TokenPurpose is what the tokens of staff are drawn for (docstore.KeyRing).
const TokenPurpose = "staff"

// sessionOf is the stored name of a token; ok is false for what cannot be one.
func sessionOf(token string) (name string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenBytes {
		return "", false
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), true
}

// Authenticate says whose token this is and what they are at this moment: two reads by id, nothing remembered.
// Codes: STF_SESSION_INVALID.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	name, ok := sessionOf(token)
	if !ok {
		return Principal{}, ErrSessionInvalid
	}
	session, err := s.sessions.Get(ctx, name)
	if err != nil {
		return Principal{}, asFault("authenticate", err, ErrSessionInvalid)
	}
	o, err := s.operators.Get(ctx, session.Operator)
	if err != nil {
		return Principal{}, asFault("authenticate", err, ErrSessionInvalid)
	}
	if !s.alive(session, o) {
		return Principal{}, ErrSessionInvalid
	}
	return Principal{
		Operator: o.ID, Session: session.ID, Login: o.Login, Name: o.Name, Member: o.Member, Roles: o.Roles, MustChange: o.MustChange,
		ExpiresAt: session.ExpiresAt,
	}, nil
}

func (s *Service) alive(session *Session, o *Operator) bool {
	return o.State == Active && session.Generation == o.Generation && s.clock.Now().Before(session.ExpiresAt)
}

// startSession hands out a token and lets sessions give way when there are too many: dead ones, then the oldest.
func (s *Service) startSession(ctx context.Context, o *Operator, in LoginInput) (Login, error) {
	now, token := s.clock.Now(), s.keys.NewToken(TokenPurpose)
	name, _ := sessionOf(token)
	session := &Session{
		Doc: docstore.Doc{ID: name}, Operator: o.ID, Generation: o.Generation, At: now, ExpiresAt: now.Add(s.config.SessionFor),
	}
	if err := s.sessions.Insert(ctx, session); err != nil {
		return Login{}, err
	}
	page, err := s.sessions.Find(ctx, docstore.By("operator", o.ID).First(s.config.MaxSessions+20))
	if err != nil {
		return Login{}, err
	}
	// Those that are over go first: the session a password was changed in is older than others that ended with the change.
	over := func(one *Session) bool { return one.Generation < o.Generation || !now.Before(one.ExpiresAt) }
	slices.SortStableFunc(page.Items, func(a, b *Session) int {
		switch {
		case over(a) == over(b):
			return 0
		case over(a):
			return -1
		}
		return 1
	})
	for _, old := range page.Items[:max(0, len(page.Items)-s.config.MaxSessions)] {
		if err := s.end(ctx, old.ID); err != nil {
			return Login{}, err
		}
		if over(old) {
			continue
		}
		gone := Deed{By: o.ID, Operation: "session-gave-way", Subject: SubjectOf(o.ID), Request: in.Request, From: in.From, Before: "session " + old.ID}
		if err := s.Note(ctx, gone); err != nil {
			return Login{}, err
		}
	}
	return Login{
		Token: token, Operator: o.ID, ExpiresAt: session.ExpiresAt, MustChange: o.MustChange, session: session.ID,
	}, nil
}

func (s *Service) end(ctx context.Context, session string) error {
	if err := s.sessions.Delete(ctx, session, nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return err
	}
	return nil
}

// Logout ends one session; a token that is none, or is over, is fine.
func (s *Service) Logout(ctx context.Context, token string) error {
	name, ok := sessionOf(token)
	if !ok {
		return nil
	}
	if err := s.end(ctx, name); err != nil {
		return fmt.Errorf("staff logout: %w", err)
	}
	return nil
}

// Sessions lists the living sessions of an operator, newest first; there are at most Config.MaxSessions.
// Codes: STF_NOT_FOUND.
func (s *Service) Sessions(ctx context.Context, operator string) ([]Session, error) {
	o, err := s.operators.Get(ctx, operator)
	if err != nil {
		return nil, asFault("sessions", err, ErrNotFound)
	}
	page, err := s.sessions.Find(ctx, docstore.By("operator", o.ID).Newest().First(s.config.MaxSessions+20))
	if err != nil {
		return nil, fmt.Errorf("staff sessions: %w", err)
	}
	living := []Session{}
	for _, one := range page.Items {
		if s.alive(one, o) {
			living = append(living, *one)
		}
	}
	return living, nil
}

// Revoke ends one session of an operator, found by its id; one that is over is fine, another's is not touched.
func (s *Service) Revoke(ctx context.Context, operator, session string) error {
	err := s.sessions.Delete(ctx, session, func(one *Session) error {
		if one.Operator != operator {
			return docstore.ErrNotFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return fmt.Errorf("staff revoke: %w", err)
	}
	return nil
}

// PruneSessions removes sessions that have expired, up to a thousand at a time, and tells how many.
func (s *Service) PruneSessions(ctx context.Context) (int, error) {
	page, err := s.sessions.Find(ctx, docstore.By("expires").Between(nil, s.clock.Now()).First(1000))
	if err != nil {
		return 0, fmt.Errorf("staff prune sessions: %w", err)
	}
	for n, old := range page.Items {
		if err := s.end(ctx, old.ID); err != nil {
			return n, fmt.Errorf("staff prune sessions: %w", err)
		}
	}
	return len(page.Items), nil
}
