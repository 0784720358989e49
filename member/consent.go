package member

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// Kind is what a consent is about.
type Kind string

// The kinds of consent.
const (
	PrivacyPolicy   Kind = "privacy-policy"  // the privacy policy as a whole
	Personalisation Kind = "personalisation" // recommendations from one's own behaviour
	Marketing       Kind = "marketing"       // messages that advertise
)

// Kinds lists them in the order they are shown.
func Kinds() []Kind { return []Kind{PrivacyPolicy, Personalisation, Marketing} }

// Consent is everything a member ever said about one kind.
type Consent struct {
	docstore.Doc `bson:",inline"`
	Member       string `bson:"member"`
	Kind         Kind   `bson:"kind"`
	History      []Step `bson:"history"` // oldest first; never shortened
}

// Step is one answer.
type Step struct {
	Version string    `bson:"version"` // of the text that was shown
	Granted bool      `bson:"granted"` // false: refused or withdrawn
	At      time.Time `bson:"at"`
}

// Now is the answer in force; ok is false when the member was never asked.
func (c *Consent) Now() (step Step, ok bool) {
	if len(c.History) == 0 {
		return Step{}, false
	}
	return c.History[len(c.History)-1], true
}

// ConsentInput is an answer.
type ConsentInput struct {
	Member  string
	Kind    Kind
	Version string // [A-Za-z0-9._-], at most 40
	Granted bool
}

// MaxSteps bounds the history: beyond it only withdrawals are taken, and a withdrawal changes something only
// after a grant, so that one more is all there can be.
const MaxSteps = 1000

var versionPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

func consentID(member string, kind Kind) string { return member + "/" + string(kind) }

// Consent records an answer. Saying again what is in force changes nothing.
// Codes: MEM_CONSENT_INVALID, MEM_CONSENT_LIMIT, MEM_NOT_FOUND.
func (s *Service) Consent(ctx context.Context, in ConsentInput) (*Consent, error) {
	if !slices.Contains(Kinds(), in.Kind) {
		return nil, ErrConsentInvalid.With("kind", "未知的授权类型 (unknown kind)")
	}
	if !versionPattern.MatchString(in.Version) {
		return nil, ErrConsentInvalid.With("version", "版本号格式不正确 (malformed version)")
	}
	if _, err := s.load(ctx, in.Member); err != nil {
		return nil, fmt.Errorf("member consent: %w", err)
	}
	now := s.clock.Now()
	c, err := s.consents.Upsert(ctx, consentID(in.Member, in.Kind), func(c *Consent) error {
		c.Member, c.Kind = in.Member, in.Kind
		last, ok := c.Now()
		if ok && last.Version == in.Version && last.Granted == in.Granted {
			return nil
		}
		if len(c.History) >= MaxSteps && (in.Granted || !last.Granted) {
			return ErrConsentLimit
		}
		c.History = append(c.History, Step{Version: in.Version, Granted: in.Granted, At: now})
		c.Emit(EventConsented, Consented{Member: in.Member, Kind: in.Kind, Version: in.Version, Granted: in.Granted, At: now})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("member consent: %w", err)
	}
	return c, nil
}

// Consents gives what the member ever said, one entry for each kind they were asked about.
func (s *Service) Consents(ctx context.Context, member string) ([]*Consent, error) {
	ids := make([]string, 0, len(Kinds()))
	for _, kind := range Kinds() {
		ids = append(ids, consentID(member, kind))
	}
	found, err := s.consents.GetMany(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("member consents: %w", err)
	}
	list := make([]*Consent, 0, len(found))
	for _, docID := range ids {
		if c := found[docID]; c != nil {
			list = append(list, c)
		}
	}
	return list, nil
}
