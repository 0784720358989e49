package policy

import (
	"guanxi/commission/internal/book"
	"guanxi/internal/money"
)

// share is one amount before the cap: who, for which line, by which rule.
type share struct {
	member string
	line   int
	role   book.Role
	rule   string
	amount money.Fen
}

// Compute turns a sale into its accrual entry under a policy. It is a pure function: the same sale and the same
// policy always give the same entry, which is how an entry is verified years later.
//
//   - The base of a line is what the buyer paid for it. A rate pays base × rate, rounded half away from zero to the
//     fen; a fixed amount pays units × amount, but never on a line the buyer paid nothing for.
//   - All amounts together never exceed the cap: Cap of the sale's base (rounded toward zero), and what the margin
//     floor leaves of base − cost (rounded toward zero). When it bites, the cap is divided in proportion to the full amounts
//     by the largest remainder; among equal remainders the fen goes to the earlier line, then to the role that stands
//     earlier in the rule.
//   - Postings that come to zero are not written. The brand's side is one posting with the sum of what members get, and
//     one with what staff gets.
func Compute(policy *Policy, sale book.Sale) *book.Entry { return compute(policy, &sale, policy.find) }

func compute(policy *Policy, sale *book.Sale, find finder) *book.Entry {
	e := &book.Entry{
		ID: book.AccrueID(sale.Order), Kind: book.Accrue, Order: sale.Order, At: sale.At, Policy: policy.Version,
		Buyer: sale.Buyer, Campaign: sale.Campaign, Host: sale.Host, Pickup: sale.Pickup, Referral: sale.Referral, Lines: sale.Lines,
		Community: sale.Community, Grade: sale.Grade, HelpSeller: sale.HelpSeller, Staff: sale.Staff,
	}
	if sale.Digest != "" {
		e.Notes = []book.Note{{Key: book.NoteDigest, Value: sale.Digest}}
	}
	var w workings
	e.Postings, e.Capped, e.Cap = w.work(policy, sale, find)
	return e
}

// finder gives the rule that counts for a line; nil when none does.
type finder func(*book.Sale, *book.SaleLine) *namedRule

// workings is what working a sale out needs. Who works out very many keeps one for all of them.
type workings struct {
	shares   []share
	paid     []money.Fen
	postings []book.Posting
	// like are postings that will probably come out: the texts of their accounts need not be made anew.
	like []book.Posting
}

// work gives the postings of a sale, until it is called again, and whether and at what the cap bit.
func (w *workings) work(policy *Policy, sale *book.Sale, find finder) (postings []book.Posting, capping bool, limit money.Fen) {
	w.fullShares(policy, sale, find)
	w.paid = w.paid[:0]
	total := money.Fen(0)
	for i := range w.shares {
		total += w.shares[i].amount
		w.paid = append(w.paid, w.shares[i].amount)
	}
	paid := w.paid
	if limit = policy.limit(sale); total > limit {
		capping, paid = true, capped(limit, paid)
	} else {
		limit = 0
	}
	w.expenses(paid)
	for i := range w.shares {
		if paid[i] == 0 {
			continue
		}
		s := &w.shares[i]
		p := book.Posting{Amount: paid[i], Line: s.line, Role: s.role, Rule: s.rule}
		if at := len(w.postings); at < len(w.like) && w.like[at].Account.Is(book.Pending, s.member) {
			p.Account = w.like[at].Account
		} else {
			p.Account = book.Pending.Of(s.member)
		}
		if paid[i] != s.amount {
			p.Full = s.amount
		}
		w.postings = append(w.postings, p)
	}
	if len(w.postings) == 0 {
		return nil, capping, limit
	}
	return w.postings, capping, limit
}

// expenses begins the postings with the brand's side.
func (w *workings) expenses(paid []money.Fen) {
	var spent expense
	for i := range w.shares {
		spent.add(w.shares[i].role, paid[i])
	}
	if w.postings = w.postings[:0]; cap(w.postings) == 0 {
		w.postings = make([]book.Posting, 0, len(w.shares)+2)
	}
	w.postings = spent.append(w.postings)
}

// expense is the brand's side: members' commission and staff's incentive are two.
type expense struct{ commission, incentive money.Fen }

func (x *expense) add(role book.Role, amount money.Fen) {
	if role == book.StaffRole {
		x.incentive -= amount
	} else {
		x.commission -= amount
	}
}

func (x *expense) append(postings []book.Posting) []book.Posting {
	if x.commission != 0 {
		postings = append(postings, book.Posting{Account: book.CommissionExpense, Amount: x.commission})
	}
	if x.incentive != 0 {
		postings = append(postings, book.Posting{Account: book.StaffIncentive, Amount: x.incentive})
	}
	return postings
}

// AtExpense puts the brand's side before the beneficiaries' postings.
func AtExpense(postings []book.Posting) []book.Posting {
	var spent expense
	for i := range postings {
		spent.add(postings[i].Role, postings[i].Amount)
	}
	all := spent.append(make([]book.Posting, 0, len(postings)+2))
	if len(all) == 0 {
		return nil
	}
	return append(all, postings...)
}

func (w *workings) fullShares(policy *Policy, sale *book.Sale, find finder) {
	if w.shares = w.shares[:0]; cap(w.shares) == 0 {
		w.shares = make([]share, 0, 4*len(sale.Lines))
	}
	for i := range sale.Lines {
		line := &sale.Lines[i]
		if line.Paid == 0 {
			continue
		}
		rule := find(sale, line)
		if rule == nil {
			continue
		}
		for _, pay := range rule.pays {
			member := beneficiary(sale, pay.Role, policy)
			amount := pay.full(line)
			if member != "" && amount > 0 {
				w.shares = append(w.shares, share{member, line.Line, pay.Role, rule.name, amount})
			}
		}
	}
}

// full is what a role gets for a line before the cap.
func (p Pay) full(l *book.SaleLine) money.Fen {
	if p.Fixed > 0 {
		return p.Fixed * money.Fen(l.Units)
	}
	return portion(l.Paid, p.Rate)
}

// portion is money.Fen.Portion without decimals: amounts and rates are bounded, so the product fits (10^10 × 10^4).
func portion(f money.Fen, bp money.BasisPoints) money.Fen {
	return (f*money.Fen(bp) + money.Fen(whole)/2) / money.Fen(whole)
}

// beneficiary is whom a policy pays in a role for this sale; "" is nobody.
func beneficiary(s *book.Sale, role book.Role, policy *Policy) string {
	buyer := s.Buyer
	if buyer == "" && s.Referral.Why == book.WhySelf { // an accrual older than the telling
		buyer = s.Referral.Direct
	}
	whole := policy.NoSelfPurchase && policy.Edition > 0
	member := stands(s, role, policy, policy.NoSelfPurchase && s.Referral.Why == book.WhySelf || whole && buyer != "" && s.Referral.Direct == buyer)
	if whole && member == buyer {
		return ""
	}
	return member
}

// stands is who stands in a role. Nobody is paid as upline of himself; own says that the credited member bought himself
// and that this pays nobody.
func stands(s *book.Sale, role book.Role, policy *Policy, own bool) string {
	switch role {
	case book.Direct:
		if !own {
			return s.Referral.Direct
		}
	case book.Upline:
		if policy.SecondLevel && !own && s.Referral.Direct != "" && s.Referral.Upline != s.Referral.Direct {
			return s.Referral.Upline
		}
	case book.Host:
		return s.Host
	case book.Pickup:
		return s.Pickup
	case book.HelpSell:
		if s.HelpSeller != s.Host {
			return s.HelpSeller
		}
	case book.StaffRole:
		if s.Staff != "" {
			return book.Staff(s.Staff)
		}
	}
	return ""
}

// limit is the most the sale may pay.
func (p *Policy) limit(s *book.Sale) money.Fen {
	base, cost := money.Fen(0), money.Fen(0)
	for _, l := range s.Lines {
		base += l.Paid
		cost += l.Cost * money.Fen(l.Units)
	}
	limit := base * money.Fen(p.Cap) / money.Fen(whole)
	if p.HasMarginFloor {
		keep := (base*money.Fen(p.MarginFloor) + money.Fen(whole) - 1) / money.Fen(whole)
		limit = min(limit, base-cost-keep)
	}
	return max(limit, 0)
}

func capped(limit money.Fen, full []money.Fen) []money.Fen {
	weights := make([]int64, len(full))
	for i, f := range full {
		weights[i] = int64(f)
	}
	parts, err := money.Split(limit, weights)
	if err != nil { // no weights: then there was nothing to cap
		return full
	}
	return parts
}
