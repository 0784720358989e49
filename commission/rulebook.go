package commission

import (
	"guanxi/internal/money"
)

// namedRule is a rule with its name made once.
type namedRule struct {
	name string
	pays []Pay
}

// rulebook finds the rule that counts for a line without looking at all of them: a policy may have thousands.
type rulebook struct {
	policy   *Policy
	byKind   []map[string]*namedRule // in the order of precedence
	fallback *namedRule
}

// fewRules is up to how many rules looking at each is as fast as a rulebook.
const fewRules = 8

// maxBooks bounds the rulebooks that are kept; more than a few policies are in use only by mistake.
const maxBooks = 64

func newRulebook(p *Policy) *rulebook {
	b := &rulebook{policy: p, byKind: make([]map[string]*namedRule, len(precedence))}
	for _, rule := range p.Rules {
		named := &namedRule{rule.Name(), rule.Pays}
		kind, subject := rule.subject()
		switch {
		case kind == len(precedence):
			if b.fallback == nil {
				b.fallback = named
			}
		case b.byKind[kind][subject] == nil:
			if b.byKind[kind] == nil {
				b.byKind[kind] = map[string]*namedRule{}
			}
			b.byKind[kind][subject] = named
		}
	}
	return b
}

// compute is Compute.
func (b *rulebook) compute(sale *Sale) *Entry { return compute(b.policy, sale, b.find) }

func (b *rulebook) find(s *Sale, l *SaleLine) *namedRule {
	for i, rules := range b.byKind {
		if rules == nil {
			continue
		}
		if subject := precedence[i].line(s, l); subject != "" {
			if rule := rules[subject]; rule != nil {
				return rule
			}
		}
	}
	return b.fallback
}

// Compute is Compute under a published policy, with its rulebook kept.
func (s *policyService) Compute(p *Policy, sale *Sale) *Entry {
	if len(p.Rules) <= fewRules {
		return Compute(p, *sale)
	}
	return s.Rulebook(p).compute(sale)
}

// Rulebook is that of a published policy; it is kept.
func (s *policyService) Rulebook(p *Policy) *rulebook {
	c := &s.cache
	c.mu.Lock()
	book := c.books[p]
	c.mu.Unlock()
	if book != nil {
		return book
	}
	book = newRulebook(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.books == nil || len(c.books) >= maxBooks {
		c.books = map[*Policy]*rulebook{}
	}
	c.books[p] = book
	return book
}

// Known finds a version among the policies that are loaded; nil when it is not there.
func (s *policyService) Known(version int) *Policy {
	c := &s.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.policies {
		if p.Version == version {
			return p
		}
	}
	return nil
}

// reckoner works accruals out again, one after the other, from their own facts.
type reckoner struct {
	book *rulebook
	work workings
	sale Sale
}

// postings are what the rulebook gives for the sale of an accrual, until they are asked for again.
func (r *reckoner) postings(e *Entry) (postings []Posting, capped bool, limit money.Fen) {
	r.sale, r.work.like = saleOf(e), e.Postings
	return r.work.work(r.book.policy, &r.sale, r.book.find)
}

// saleOf is the sale an accrual was made from.
func saleOf(e *Entry) Sale {
	return Sale{
		Order: e.Order, At: e.At, Buyer: e.Buyer, Campaign: e.Campaign, Host: e.Host, Pickup: e.Pickup, Community: e.Community,
		Grade: e.Grade, HelpSeller: e.HelpSeller, Staff: e.Staff, Referral: e.Referral, Lines: e.Lines,
	}
}
