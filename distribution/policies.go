package distribution

import (
	"context"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const maxPolicies = 1000

// PublishPolicy adds a policy that starts at p.From, or as soon as it may (Config.PolicyLead from now) when From is
// zero. Repeating it with the same content answers the stored policy; a stored policy is never changed.
// Codes: DIST_POLICY_INVALID, DIST_POLICY_TOO_SOON, DIST_POLICY_EXISTS.
func (s *Service) PublishPolicy(ctx context.Context, p Policy) (Policy, error) {
	if err := p.check(); err != nil {
		return Policy{}, err
	}
	now := s.clock.Now()
	p.From = clock.Milli(p.From)
	asked := p
	if p.From.IsZero() {
		p.From = now.Add(s.config.PolicyLead)
	}
	if p.Version == s.config.Policy.Version {
		return Policy{}, ErrPolicyExists
	}
	stored, err := s.policies.GetMany(ctx, []string{p.Version})
	if err != nil {
		return Policy{}, fmt.Errorf("distribution publish policy: %w", err)
	}
	if old := stored[p.Version]; old != nil {
		return repeated(old.policy(), asked)
	}
	if p.From.Before(now.Add(s.config.PolicyLead)) {
		return Policy{}, ErrPolicyTooSoon
	}
	err = s.policies.Insert(ctx, p.doc(now))
	if index, taken := docstore.ExistsIn(err); taken {
		if index != "" {
			return Policy{}, ErrPolicyExists
		}
		old, err := s.policies.Get(ctx, p.Version)
		if err != nil {
			return Policy{}, fmt.Errorf("distribution publish policy: %w", err)
		}
		return repeated(old.policy(), asked)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("distribution publish policy: %w", err)
	}
	s.mu.Lock()
	s.rules = nil
	s.mu.Unlock()
	return p, nil
}

func repeated(stored, asked Policy) (Policy, error) {
	if asked.From.IsZero() {
		asked.From = stored.From
	}
	if asked != stored {
		return Policy{}, ErrPolicyExists
	}
	return stored, nil
}

// Policy is the policy in force now.
func (s *Service) Policy(ctx context.Context) (Policy, error) { return s.PolicyAt(ctx, s.clock.Now()) }

// PolicyAt is the policy in force at a moment.
func (s *Service) PolicyAt(ctx context.Context, at time.Time) (Policy, error) {
	rules, err := s.rulebook(ctx)
	if err != nil {
		return Policy{}, fmt.Errorf("distribution policy: %w", err)
	}
	return rules.at(at), nil
}

// rulebook gives the policies, read at most Config.PolicyRefresh ago. As a policy starts later than that after its
// publication, nobody decides without knowing it. A store that is away is forgiven as long as that holds.
func (s *Service) rulebook(ctx context.Context) (rulebook, error) {
	now := s.clock.Now()
	s.mu.Lock()
	rules, age := s.rules, now.Sub(s.readAt)
	s.mu.Unlock()
	if rules != nil && age >= 0 && age < s.config.PolicyRefresh {
		return rules, nil
	}
	fresh := rulebook{s.config.Policy}
	page, err := s.policies.Find(ctx, docstore.By("start").First(maxPolicies))
	if err != nil {
		if rules != nil && age >= 0 && age < s.config.PolicyLead {
			return rules, nil
		}
		return nil, err
	}
	for _, d := range page.Items {
		fresh = append(fresh, d.policy())
	}
	fresh = slices.Clip(fresh)
	s.mu.Lock()
	s.rules, s.readAt = fresh, now
	s.mu.Unlock()
	return fresh, nil
}
