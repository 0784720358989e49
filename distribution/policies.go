package distribution

import (
	"context"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/text"
)

const maxPolicies = 1000

// PublishPolicy adds a policy that starts at p.From, or as soon as it may (Config.PolicyLead from now) when From is
// zero. Repeating it with the same content answers the stored policy; what a stored policy says is never changed.
// Codes: those of CheckPolicy.
func (s *Service) PublishPolicy(ctx context.Context, p Policy) (Policy, error) {
	next, stored, err := s.nextPolicy(ctx, p)
	if err != nil || stored {
		return next, wrap("publish policy", err)
	}
	err = s.policies.Insert(ctx, next.doc(s.clock.Now()))
	if index, taken := docstore.ExistsIn(err); taken {
		if index != "" {
			return Policy{}, ErrPolicyExists
		}
		old, err := s.policies.Get(ctx, p.Version)
		if err != nil {
			return Policy{}, wrap("publish policy", err)
		}
		return repeated(old, p)
	}
	if err != nil {
		return Policy{}, wrap("publish policy", err)
	}
	s.forget()
	return next, nil
}

// CheckPolicy gives the policy as it would be published now, or says why it cannot be: it is what PublishPolicy does
// before it writes. Codes: DIST_POLICY_INVALID, DIST_POLICY_TOO_SOON, DIST_POLICY_FAR, DIST_POLICY_EXISTS.
func (s *Service) CheckPolicy(ctx context.Context, p Policy) (Policy, error) {
	next, _, err := s.nextPolicy(ctx, p)
	return next, wrap("check policy", err)
}

// nextPolicy completes a policy that may be published. Stored says that it is there already.
func (s *Service) nextPolicy(ctx context.Context, p Policy) (next Policy, stored bool, err error) {
	if err := p.check(); err != nil {
		return Policy{}, false, err
	}
	now := s.clock.Now()
	p.From = clock.Milli(p.From)
	if p.Version == s.config.Policy.Version {
		return Policy{}, false, ErrPolicyExists
	}
	page, err := s.policies.Find(ctx, docstore.By("start").First(maxPolicies))
	if err != nil {
		return Policy{}, false, err
	}
	for _, old := range page.Items {
		if old.ID == p.Version {
			next, err := repeated(old, p)
			return next, err == nil, err
		}
		if !p.From.IsZero() && old.From.Equal(p.From) {
			return Policy{}, false, ErrPolicyExists
		}
	}
	switch {
	case len(page.Items) >= maxPolicies:
		return Policy{}, false, ErrPolicyInvalid.With("version", "版本太多 (too many versions)")
	case p.From.IsZero():
		p.From = now.Add(s.config.PolicyLead)
	case p.From.Before(now.Add(s.config.PolicyLead)):
		return Policy{}, false, ErrPolicyTooSoon
	case p.From.After(now.Add(s.config.PolicyHorizon)):
		return Policy{}, false, ErrPolicyFar
	}
	return p, false, nil
}

// RecallPolicy takes a published policy back before it starts, by two people; its version is not used again. It must be a
// whole Config.PolicyLead ahead, so that no process counts with it any longer when its time comes.
// Recalling it again is a success.
// Codes: DIST_POLICY_NOT_FOUND, DIST_POLICY_IN_FORCE, DIST_POLICY_OWN, DIST_POLICY_INVALID.
func (s *Service) RecallPolicy(ctx context.Context, version string, r Recall) error {
	if r.Maker == "" || r.Checker == "" || r.Maker == r.Checker {
		return ErrPolicyOwn
	}
	var ok bool
	if r.Why, ok = text.Words(r.Why, 1, 200); !ok {
		return ErrPolicyInvalid.With("why", "须为 1 到 200 个字 (1 to 200 characters)")
	}
	if !versionPattern.MatchString(version) {
		return ErrPolicyMissing
	}
	r.At = s.clock.Now()
	_, err := s.policies.Update(ctx, version, func(d *policyDoc) error {
		if d.Recalled != nil {
			return nil
		}
		if d.From.Before(r.At.Add(s.config.PolicyLead)) {
			return ErrPolicyInForce
		}
		d.Recalled = &r
		return nil
	})
	s.forget()
	return wrap("recall policy", asFault(err, ErrPolicyMissing))
}

// forget makes this process read the policies again.
func (s *Service) forget() {
	s.mu.Lock()
	s.rules = nil
	s.mu.Unlock()
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("distribution %s: %w", what, err)
}

// repeated answers a policy that is stored already; another content under its version, or one that was recalled, is refused.
func repeated(old *policyDoc, asked Policy) (Policy, error) {
	stored := old.policy()
	if asked.From = clock.Milli(asked.From); asked.From.IsZero() {
		asked.From = stored.From
	}
	if asked != stored || old.Recalled != nil {
		return Policy{}, ErrPolicyExists
	}
	return stored, nil
}

// Published is a policy with when it was published, and how it was taken back if it was.
type Published struct {
	Policy
	At       time.Time // zero for the policy of Config
	Recalled *Recall
}

// Policies lists every policy, by start; the first is in force since ever.
func (s *Service) Policies(ctx context.Context) ([]Published, error) {
	page, err := s.policies.Find(ctx, docstore.By("start").First(maxPolicies).Whole())
	if err != nil {
		return nil, wrap("policies", err)
	}
	all := []Published{{Policy: s.config.Policy}}
	for _, d := range page.Items {
		all = append(all, Published{d.policy(), d.PublishedAt, d.Recalled})
	}
	return all, nil
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
	page, err := s.policies.Find(ctx, docstore.By("start").First(maxPolicies).Whole())
	if err != nil {
		if rules != nil && age >= 0 && age < s.config.PolicyLead {
			return rules, nil
		}
		return nil, err
	}
	for _, d := range page.Items {
		if d.Recalled == nil {
			fresh = append(fresh, d.policy())
		}
	}
	fresh = slices.Clip(fresh)
	s.mu.Lock()
	s.rules, s.readAt = fresh, now
	s.mu.Unlock()
	return fresh, nil
}
