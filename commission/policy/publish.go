package policy

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/text"
)

const maxPolicies = 5000

// Publish makes a policy the next version. From zero means as soon as possible. A version takes effect at least
// Config.Lead and at most Config.Horizon after it was published, and never before an older version that was
// not recalled; only the first may reach into the past. Publishing the rules of the newest version again returns that
// version. Codes: those of CheckPolicy, COM_POLICY_RACED.
func (s *Service) Publish(ctx context.Context, p Policy) (*Policy, error) {
	next, published, err := s.next(ctx, p)
	if err != nil || published {
		return next, wrap("publish policy", err)
	}
	if err := s.versions.Insert(ctx, next); docstore.Exists(err) {
		return nil, ErrPolicyRaced.Because(err)
	} else if err != nil {
		return nil, fmt.Errorf("publish policy: %w", err)
	}
	_, err = s.load(ctx)
	return next, wrap("publish policy", err)
}

// Check gives the version a policy would become if it were published now, or says why it cannot be: it is what
// PublishPolicy does before it writes.
// Codes: those of Policy.Check, COM_POLICY_ROLE, COM_POLICY_NOBODY, COM_POLICY_PAST, COM_POLICY_FAR.
func (s *Service) Check(ctx context.Context, p Policy) (*Policy, error) {
	next, _, err := s.next(ctx, p)
	return next, wrap("check policy", err)
}

// next completes a policy that may be published. Published says that it is the newest version already.
func (s *Service) next(ctx context.Context, p Policy) (next *Policy, published bool, err error) {
	if err := p.Check(); err != nil {
		return nil, false, err
	}
	all, err := s.load(ctx)
	if err != nil {
		return nil, false, err
	}
	now := s.clock.Now()
	earliest := now.Add(s.config.Lead)
	p.Doc, p.Version, p.PublishedAt, p.From, p.Edition, p.Recalled = docstore.Doc{}, 1, now, clock.Milli(p.From), Edition, nil
	var newest *Policy
	for _, one := range all {
		p.Version = max(p.Version, one.Version+1)
		if one.Recalled == nil && (newest == nil || one.Version > newest.Version) {
			newest = one
		}
	}
	if newest != nil {
		if newest.same(&p) {
			return newest, true, nil
		}
		if newest.From.After(earliest) {
			earliest = newest.From
		}
	}
	switch {
	case p.From.IsZero() && newest == nil:
		p.From = now
	case p.From.IsZero():
		p.From = earliest
	case newest != nil && p.From.Before(earliest):
		return nil, false, ErrPolicyPast.With("from", "生效时间太早 / takes effect too early")
	case p.From.After(now.Add(s.config.Horizon)):
		return nil, false, ErrPolicyFar.With("from", "生效时间太远 / takes effect too far ahead")
	}
	p.ID = policyID(p.Version)
	return &p, false, s.paysSomebody(ctx, &p)
}

// paysSomebody refuses what no order could ever be paid by.
func (s *Service) paysSomebody(ctx context.Context, p *Policy) error {
	carried, err := s.config.Carried(ctx, p.From)
	if err != nil {
		return err
	}
	pays := 0
	for i, rule := range p.Rules {
		for j, pay := range rule.Pays {
			if !slices.Contains(carried, pay.Role) {
				return ErrPolicyRole.With("rules["+strconv.Itoa(i)+"].pays["+strconv.Itoa(j)+"].role",
					"订单不会带上角色 "+string(pay.Role)+" / no order names anybody as "+string(pay.Role))
			}
			pays++
		}
	}
	nothingLeft := p.Cap == 0 || p.HasMarginFloor && p.MarginFloor == whole
	if pays > 0 && nothingLeft || pays == 0 && p.Cap > 0 {
		return ErrPolicyNobody
	}
	return nil
}

// Recall takes a published version back before it takes effect, by two people; its number is not used again.
// It must be a whole Config.Lead ahead, so that no process counts with it any longer when its time comes. Recalling
// it again is a success. Codes: COM_POLICY_MISSING, COM_POLICY_IN_FORCE, COM_POLICY_OWN, COM_POLICY_INVALID.
func (s *Service) Recall(ctx context.Context, version int, r Recall) (*Policy, error) {
	if r.Maker == "" || r.Checker == "" || r.Maker == r.Checker {
		return nil, ErrPolicyOwn
	}
	var ok bool
	if r.Why, ok = text.Words(r.Why, 1, 200); !ok {
		return nil, ErrPolicyInvalid.With("why", "须为 1 到 200 个字 / 1 to 200 characters")
	}
	r.At = s.clock.Now()
	p, err := s.versions.Update(ctx, policyID(version), func(p *Policy) error {
		if p.Recalled != nil {
			return nil
		}
		p.Recalled = &r
		return s.recallable(p, r.At)
	})
	if book.Missing(err) {
		return nil, ErrPolicyMissing.Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("recall policy: %w", err)
	}
	_, err = s.load(ctx)
	return p, wrap("recall policy", err)
}

// CheckRecall tells whether a version could be recalled now. Codes: COM_POLICY_MISSING, COM_POLICY_IN_FORCE.
func (s *Service) CheckRecall(ctx context.Context, version int) error {
	p, err := s.versions.Get(ctx, policyID(version))
	if book.Missing(err) {
		return ErrPolicyMissing.Because(err)
	}
	if err != nil {
		return fmt.Errorf("check recall: %w", err)
	}
	return s.recallable(p, s.clock.Now())
}

func (s *Service) recallable(p *Policy, now time.Time) error {
	if p.From.Before(now.Add(s.config.Lead)) {
		return ErrPolicyInForce
	}
	return nil
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

// At gives the policy in force at a moment.
// Code: COM_POLICY_MISSING.
func (s *Service) At(ctx context.Context, at time.Time) (*Policy, error) {
	c, now := &s.cache, s.clock.Now()
	c.mu.Lock()
	policies, fresh := c.policies, c.good && c.covers(now, at, s.config.Lead)
	c.mu.Unlock()
	if !fresh {
		if _, err := s.load(ctx); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		c.mu.Lock()
		policies = c.policies
		c.mu.Unlock()
	}
	i := sort.Search(len(policies), func(i int) bool { return policies[i].From.After(at) })
	if i == 0 {
		return nil, ErrPolicyMissing
	}
	return policies[i-1], nil
}

// covers tells whether the cache can answer. What it does not know was published after it was loaded and takes effect
// a whole lead later; half of the lead is left for clocks that disagree.
func (c *cache) covers(now, at time.Time, lead time.Duration) bool {
	until := c.loaded.Add(lead / 2)
	return len(c.policies) > 0 && now.Before(until) && at.Before(until) && !now.Before(c.loaded)
}

// List lists all versions, recalled ones too, oldest first.
func (s *Service) List(ctx context.Context) ([]*Policy, error) {
	all, err := s.load(ctx)
	return all, wrap("policies", err)
}

// load reads all versions, by the time they take effect, and remembers those that were not recalled.
func (s *Service) load(ctx context.Context) ([]*Policy, error) {
	loaded := s.clock.Now()
	page, err := s.versions.Find(ctx, docstore.All().First(maxPolicies).Whole())
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
	c := &s.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policies = slices.DeleteFunc(slices.Clone(all), func(p *Policy) bool { return p.Recalled != nil })
	c.loaded, c.good, c.books = loaded, true, nil
	return all, nil
}

// Version gives a version, recalled or not. Code: COM_POLICY_MISSING.
func (s *Service) Version(ctx context.Context, version int) (*Policy, error) {
	s.cache.mu.Lock()
	cached := s.cache.policies
	s.cache.mu.Unlock()
	for _, p := range cached {
		if p.Version == version {
			return p, nil
		}
	}
	p, err := s.versions.Get(ctx, policyID(version))
	if book.Missing(err) {
		return nil, ErrPolicyMissing.Because(err)
	}
	return p, err
}

// cache keeps the published policies for a part of the policy lead.
type cache struct {
	mu       sync.Mutex
	policies []*Policy             // by From
	books    map[*Policy]*Rulebook // of those with many rules
	loaded   time.Time
	good     bool
}
