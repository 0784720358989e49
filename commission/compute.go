package commission

import (
	"guanxi/internal/money"
)

// share is one amount before the cap: who, for which line, by which rule.
type share struct {
	member string
	line   int
	role   Role
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
func Compute(policy *Policy, sale Sale) *Entry { return compute(policy, &sale, policy.find) }

func compute(policy *Policy, sale *Sale, find func(*Sale, *SaleLine) *namedRule) *Entry {
	e := &Entry{
		ID: accrueID(sale.Order), Kind: Accrue, Order: sale.Order, At: sale.At, Policy: policy.Version,
		Campaign: sale.Campaign, Host: sale.Host, Pickup: sale.Pickup, Referral: sale.Referral, Lines: sale.Lines,
		Community: sale.Community, Grade: sale.Grade, HelpSeller: sale.HelpSeller, Staff: sale.Staff,
	}
	shares := fullShares(policy, sale, find)
	total := money.Fen(0)
	for _, s := range shares {
		total += s.amount
	}
	limit := policy.limit(sale)
	paid := make([]money.Fen, len(shares))
	for i, s := range shares {
		paid[i] = s.amount
	}
	if total > limit {
		e.Capped, e.Cap = true, limit
		paid = capped(limit, paid)
	}
	taken := make([]Posting, 0, len(shares))
	for i, s := range shares {
		if paid[i] == 0 {
			continue
		}
		p := Posting{Account: Pending.Of(s.member), Amount: paid[i], Line: s.line, Role: s.role, Rule: s.rule}
		if paid[i] != s.amount {
			p.Full = s.amount
		}
		taken = append(taken, p)
	}
	e.Postings = atExpense(taken)
	return e
}

// atExpense puts the brand's side before the beneficiaries' postings: members' commission and staff's incentive are two
// expenses.
func atExpense(postings []Posting) []Posting {
	commission, incentive := money.Fen(0), money.Fen(0)
	for i := range postings {
		if postings[i].Role == StaffRole {
			incentive -= postings[i].Amount
		} else {
			commission -= postings[i].Amount
		}
	}
	all := make([]Posting, 0, len(postings)+2)
	if commission != 0 {
		all = append(all, Posting{Account: CommissionExpense, Amount: commission})
	}
	if incentive != 0 {
		all = append(all, Posting{Account: StaffIncentive, Amount: incentive})
	}
	if len(all) == 0 {
		return nil
	}
	return append(all, postings...)
}

func fullShares(policy *Policy, sale *Sale, find func(*Sale, *SaleLine) *namedRule) []share {
	shares := make([]share, 0, 4*len(sale.Lines))
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
			member := sale.beneficiary(pay.Role, policy)
			amount := pay.full(line)
			if member != "" && amount > 0 {
				shares = append(shares, share{member, line.Line, pay.Role, rule.name, amount})
			}
		}
	}
	return shares
}

// full is what a role gets for a line before the cap.
func (p Pay) full(l *SaleLine) money.Fen {
	if p.Fixed > 0 {
		return p.Fixed * money.Fen(l.Units)
	}
	return portion(l.Paid, p.Rate)
}

// portion is money.Fen.Portion without decimals: amounts and rates are bounded, so the product fits (10^10 × 10^4).
func portion(f money.Fen, bp money.BasisPoints) money.Fen {
	return (f*money.Fen(bp) + money.Fen(whole)/2) / money.Fen(whole)
}

// beneficiary is who stands in a role for this sale; "" is nobody. Nobody is paid as upline of himself.
func (s *Sale) beneficiary(role Role, policy *Policy) string {
	own := policy.NoSelfPurchase && s.Referral.Why == whySelf
	switch role {
	case Direct:
		if !own {
			return s.Referral.Direct
		}
	case Upline:
		if policy.SecondLevel && !own && s.Referral.Direct != "" && s.Referral.Upline != s.Referral.Direct {
			return s.Referral.Upline
		}
	case Host:
		return s.Host
	case Pickup:
		return s.Pickup
	case HelpSell:
		if s.HelpSeller != s.Host {
			return s.HelpSeller
		}
	case StaffRole:
		if s.Staff != "" {
			return Staff(s.Staff)
		}
	}
	return ""
}

// limit is the most the sale may pay.
func (p *Policy) limit(s *Sale) money.Fen {
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
