package commission

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const maxPolicies = 5000

// PublishPolicy makes a policy the next version. From zero means as soon as possible. A version takes effect at least
// Config.PolicyLead after it was published and never before an older version; only the first may reach into the past.
// Publishing the rules of the newest version again returns that version.
// Codes: those of Policy.Check, COM_POLICY_PAST, COM_POLICY_RACED.
func (s *Service) PublishPolicy(ctx context.Context, p Policy) (*Policy, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	all, err := s.loadPolicies(ctx)
	if err != nil {
		return nil, fmt.Errorf("publish policy: %w", err)
	}
	now := s.clock.Now()
	earliest := now.Add(s.config.PolicyLead)
	p.Doc, p.Version, p.PublishedAt, p.From, p.Edition = docstore.Doc{}, 1, now, clock.Milli(p.From), edition
	if len(all) > 0 {
		newest := slices.MaxFunc(all, func(a, b *Policy) int { return a.Version - b.Version })
		if newest.same(&p) {
			return newest, nil
		}
		p.Version = newest.Version + 1
		if newest.From.After(earliest) {
			earliest = newest.From
		}
	}
	switch {
	case p.From.IsZero() && len(all) == 0:
		p.From = now
	case p.From.IsZero():
		p.From = earliest
	case len(all) > 0 && p.From.Before(earliest):
		return nil, ErrPolicyPast.With("from", "生效时间太早 / takes effect too early")
	}
	p.ID = policyID(p.Version)
	if err := s.policies.Insert(ctx, &p); docstore.Exists(err) {
		return nil, ErrPolicyRaced.Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("publish policy: %w", err)
	}
	_, err = s.loadPolicies(ctx)
	return &p, wrap("publish policy", err)
}

func policyID(version int) string {
	digits := strconv.Itoa(version)
	return strings.Repeat("0", max(0, 8-len(digits))) + digits
}

// same compares what a policy says; from counts only when it was asked for.
func (p *Policy) same(asked *Policy) bool {
	return p.SecondLevel == asked.SecondLevel && p.Cap == asked.Cap && p.MarginFloor == asked.MarginFloor &&
		p.HasMarginFloor == asked.HasMarginFloor && p.NoSelfPurchase == asked.NoSelfPurchase &&
		p.Edition == asked.Edition && p.Rail == asked.Rail && reflect.DeepEqual(p.Rules, asked.Rules) &&
		(asked.From.IsZero() || asked.From.Equal(p.From))
}

// PolicyAt gives the policy in force at a moment.
// Code: COM_POLICY_MISSING.
func (s *Service) PolicyAt(ctx context.Context, at time.Time) (*Policy, error) {
	c, now := &s.policyCache, s.clock.Now()
	c.mu.Lock()
	policies, fresh := c.policies, c.good && c.covers(now, at, s.config.PolicyLead)
	c.mu.Unlock()
	if !fresh {
		var err error
		if policies, err = s.loadPolicies(ctx); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
	}
	i := sort.Search(len(policies), func(i int) bool { return policies[i].From.After(at) })
	if i == 0 {
		return nil, ErrPolicyMissing
	}
	return policies[i-1], nil
}

// covers tells whether the cache can answer. What it does not know was published after it was loaded and takes effect
// a whole lead later; half of the lead is left for clocks that disagree.
func (c *policyCache) covers(now, at time.Time, lead time.Duration) bool {
	until := c.loaded.Add(lead / 2)
	return len(c.policies) > 0 && now.Before(until) && at.Before(until) && !now.Before(c.loaded)
}

// Policies lists all versions, oldest first.
func (s *Service) Policies(ctx context.Context) ([]*Policy, error) {
	all, err := s.loadPolicies(ctx)
	return all, wrap("policies", err)
}

// loadPolicies reads all versions, by the time they take effect, and remembers them.
func (s *Service) loadPolicies(ctx context.Context) ([]*Policy, error) {
	loaded := s.clock.Now()
	page, err := s.policies.Find(ctx, docstore.All().First(maxPolicies))
	if err != nil {
		return nil, err
	}
	all := page.Items
	slices.SortStableFunc(all, func(a, b *Policy) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return a.Version - b.Version
	})
	c := &s.policyCache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policies, c.loaded, c.good, c.books = all, loaded, true, nil
	return all, nil
}

func (s *Service) policyVersion(ctx context.Context, version int) (*Policy, error) {
	s.policyCache.mu.Lock()
	cached := s.policyCache.policies
	s.policyCache.mu.Unlock()
	for _, p := range cached {
		if p.Version == version {
			return p, nil
		}
	}
	p, err := s.policies.Get(ctx, policyID(version))
	if missing(err) {
		return nil, ErrPolicyMissing.Because(err)
	}
	return p, err
}
