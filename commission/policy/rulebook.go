package policy

import (
	"guanxi/commission/internal/book"
	"guanxi/internal/money"
)

// namedRule is a rule with its name made once.
type namedRule struct {
	name string
	pays []Pay
}

// Rulebook finds the rule that counts for a line without looking at all of them: a policy may have thousands.
type Rulebook struct {
	Policy   *Policy
	byKind   []map[string]*namedRule // in the order of precedence
	fallback *namedRule
}

// fewRules is up to how many rules looking at each is as fast as a rulebook.
const fewRules = 8

// maxBooks bounds the rulebooks that are kept; more than a few policies are in use only by mistake.
const maxBooks = 64

// NewRulebook makes the rulebook of a policy.
func NewRulebook(p *Policy) *Rulebook {
	b := &Rulebook{Policy: p, byKind: make([]map[string]*namedRule, len(precedence))}
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

// Compute is Compute.
func (b *Rulebook) Compute(sale *book.Sale) *book.Entry { return compute(b.Policy, sale, b.find) }

func (b *Rulebook) find(s *book.Sale, l *book.SaleLine) *namedRule {
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
func (s *Service) Compute(p *Policy, sale *book.Sale) *book.Entry {
	if len(p.Rules) <= fewRules {
		return Compute(p, *sale)
	}
	return s.Rulebook(p).Compute(sale)
}

// Rulebook is that of a published policy; it is kept.
func (s *Service) Rulebook(p *Policy) *Rulebook {
	c := &s.cache
	c.mu.Lock()
	book := c.books[p]
	c.mu.Unlock()
	if book != nil {
		return book
	}
	book = NewRulebook(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.books == nil || len(c.books) >= maxBooks {
		c.books = map[*Policy]*Rulebook{}
	}
	c.books[p] = book
	return book
}

// Known finds a version among the policies that are loaded; nil when it is not there.
func (s *Service) Known(version int) *Policy {
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

// Reckoner works accruals out again, one after the other, from their own facts.
type Reckoner struct {
	Book *Rulebook
	work workings
	sale book.Sale
}

// Postings are what the rulebook gives for the sale of an accrual, until they are asked for again.
func (r *Reckoner) Postings(e *book.Entry) (postings []book.Posting, capped bool, limit money.Fen) {
	r.sale, r.work.like = saleOf(e), e.Postings
	return r.work.work(r.Book.Policy, &r.sale, r.Book.find)
}

// saleOf is the sale an accrual was made from.
func saleOf(e *book.Entry) book.Sale {
	return book.Sale{
		Order: e.Order, At: e.At, Buyer: e.Buyer, Campaign: e.Campaign, Host: e.Host, Pickup: e.Pickup, Community: e.Community,
		Grade: e.Grade, HelpSeller: e.HelpSeller, Staff: e.Staff, Referral: e.Referral, Lines: e.Lines,
	}
}
