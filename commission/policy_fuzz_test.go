package commission

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/money"
)

var anyRole = rapid.SampledFrom([]Role{
	Direct, Upline, Host, Pickup, HelpSell, StaffRole, Direct, Host, "third", "recruit-bonus", "friend", "", "级", "\xff",
})

// anyAmount draws the edges more often than the middle.
func anyAmount(t *rapid.T, name string, edges ...int64) int64 {
	if rapid.Bool().Draw(t, name+" at an edge") {
		return rapid.SampledFrom(edges).Draw(t, name)
	}
	return rapid.Int64Range(edges[0], edges[len(edges)-1]).Draw(t, name)
}

// anyPolicy draws policies of which many, not all, may be published.
func anyPolicy(t *rapid.T) policy.Policy {
	wild := rapid.IntRange(0, 3).Draw(t, "wild") == 0
	bp := func(name string) money.BasisPoints {
		if wild {
			return money.BasisPoints(anyAmount(t, name, -1<<62, -1, 0, 1, 10_000, 10_001, 1<<62))
		}
		return money.BasisPoints(anyAmount(t, name, 0, 1, 333, 5_000, 10_000))
	}
	p := policy.Policy{
		Version: 1, SecondLevel: rapid.Bool().Draw(t, "second level"), Cap: bp("cap"), MarginFloor: bp("floor"),
		HasMarginFloor: rapid.Bool().Draw(t, "has floor"), NoSelfPurchase: rapid.Bool().Draw(t, "no self"), Edition: rapid.IntRange(0, 1).Draw(t, "edition"),
	}
	names := []string{"", "", "", "a", "b", "gold"}
	if wild {
		names = append(names, "金", "a b", "\x00", "\xff", "a\n", "x y%z")
	}
	name := rapid.SampledFrom(names)
	for range rapid.IntRange(0, 8).Draw(t, "rules") {
		var r policy.Rule
		for _, field := range []*string{&r.SKU, &r.Product, &r.Campaign, &r.Category, &r.Community, &r.Grade} {
			if rapid.IntRange(0, 4).Draw(t, "named") == 0 {
				*field = name.Draw(t, "subject")
			}
		}
		for range rapid.IntRange(0, 5).Draw(t, "pays") {
			pay := policy.Pay{Role: Direct}
			if wild {
				pay = policy.Pay{Role: anyRole.Draw(t, "role"), Rate: bp("rate"), Fixed: money.Fen(anyAmount(t, "fixed", -1<<62, -1, 0, 1, int64(policy.MaxFixed), 1<<62))}
			} else {
				pay.Role = rapid.SampledFrom([]Role{Direct, Upline, Host, Pickup, HelpSell, StaffRole}).Draw(t, "role")
				if pay.Rate = bp("rate"); pay.Rate == 0 || rapid.Bool().Draw(t, "is fixed") {
					pay.Rate, pay.Fixed = 0, money.Fen(anyAmount(t, "fixed", 0, 1, 50, 3_000, int64(policy.MaxFixed)))
				}
			}
			r.Pays = append(r.Pays, pay)
		}
		p.Rules = append(p.Rules, r)
	}
	if !wild { // what two draws have doubled would only be refused
		p.Rules = firsts(p.Rules, policy.Rule.Name)
		for i := range p.Rules {
			p.Rules[i].Pays = firsts(p.Rules[i].Pays, func(p policy.Pay) string { return string(p.Role) })
		}
	}
	return p
}

func firsts[T any](all []T, key func(T) string) (kept []T) {
	seen := map[string]bool{}
	for _, one := range all {
		if !seen[key(one)] {
			seen[key(one)], kept = true, append(kept, one)
		}
	}
	return kept
}

func anySale(t *rapid.T) Sale {
	person := rapid.SampledFrom([]string{"", "m1", "m2", "m3"})
	name := rapid.SampledFrom([]string{"", "a", "b", "gold", "c"})
	s := Sale{
		Order: "o1", At: start, Campaign: name.Draw(t, "campaign"), Community: name.Draw(t, "community"), Grade: name.Draw(t, "grade"),
		Buyer: person.Draw(t, "buyer"), Host: person.Draw(t, "host"), Pickup: person.Draw(t, "pickup"), HelpSeller: person.Draw(t, "help"), Staff: person.Draw(t, "staff"),
		Referral: Referral{
			Direct: person.Draw(t, "direct"), Upline: person.Draw(t, "upline"),
			Why: rapid.SampledFrom([]string{"self", "first-touch", "none"}).Draw(t, "why"),
		},
	}
	for n := range rapid.IntRange(1, 5).Draw(t, "lines") {
		l := SaleLine{
			Line: n + 1, SKU: name.Draw(t, "sku"), Product: name.Draw(t, "product"), Category: name.Draw(t, "category"),
			Units: anyAmount(t, "units", 1, 2, 7, MaxUnits), Paid: money.Fen(anyAmount(t, "paid", 0, 1, 2, 99, 12_345, int64(money.Max))),
		}
		l.Cost = money.Fen(anyAmount(t, "cost", 0, 1, 50, int64(money.Max)) / l.Units)
		s.Lines = append(s.Lines, l)
	}
	return s
}

// policyKeepsItsWord is everything a published policy promises, for any policy and any sale.
func policyKeepsItsWord(t *rapid.T) {
	p, s := anyPolicy(t), anySale(t)
	if p.Check() != nil { // refused, and it did not panic
		return
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	e := policy.Compute(&p, s)
	if diff := cmp.Diff(e, policy.Compute(&p, s), cmpopts.IgnoreUnexported(Entry{})); diff != "" {
		t.Fatal("computed twice, computed differently", diff)
	}
	if diff := cmp.Diff(e, policy.NewRulebook(&p).Compute(&s), cmpopts.IgnoreUnexported(Entry{})); diff != "" {
		t.Fatal("the rulebook finds other rules", diff)
	}
	turned := p
	turned.Rules = slices.Clone(p.Rules)
	slices.Reverse(turned.Rules)
	if at := rapid.IntRange(0, len(p.Rules)).Draw(t, "turn"); at > 0 {
		turned.Rules = append(turned.Rules[at:], turned.Rules[:at]...)
	}
	if diff := cmp.Diff(e, policy.Compute(&turned, s), cmpopts.IgnoreUnexported(Entry{})); diff != "" {
		t.Fatal("the order of the rules matters", diff)
	}
	checkBounds(t, &p, &s, e)
	checkRoles(t, &p, &s, e)
	checkRefunds(t, &s, e)
	e.Book = "main"
	back := &Entry{ID: e.ID}
	if err := back.Parse(e.Text()); err != nil || back.Text() != e.Text() {
		t.Fatal("the text of the entry does not read back", err)
	}
}

// checkBounds: balanced, never above the cap, never below the margin floor.
func checkBounds(t *rapid.T, p *policy.Policy, s *Sale, e *Entry) {
	base, cost, paid := money.Fen(0), money.Fen(0), money.Fen(0)
	for _, l := range s.Lines {
		base, cost = base+l.Paid, cost+l.Cost*money.Fen(l.Units)
	}
	for i := range e.Postings {
		if _, _, ok := e.Postings[i].Account.Member(); ok {
			if e.Postings[i].Amount <= 0 {
				t.Fatal("somebody is paid nothing or less")
			}
			paid += e.Postings[i].Amount
		}
	}
	switch {
	case !e.Balanced():
		t.Fatal("not balanced")
	case paid*10_000 > base*money.Fen(p.Cap):
		t.Fatal("above the cap")
	case p.HasMarginFloor && paid > 0 && (base-cost-paid)*10_000 < base*money.Fen(p.MarginFloor):
		t.Fatal("below the margin floor")
	}
}

// checkRoles: each role is paid once per line at most, to whom it belongs, and nobody where the law or a switch says no.
func checkRoles(t *rapid.T, p *policy.Policy, s *Sale, e *Entry) {
	type seat struct {
		line int
		role Role
	}
	seen := map[seat]bool{}
	who := map[Role]string{
		Direct: s.Referral.Direct, Upline: s.Referral.Upline, Host: s.Host, Pickup: s.Pickup, HelpSell: s.HelpSeller, StaffRole: Staff(s.Staff),
	}
	levels := map[string]bool{}
	for i := range e.Postings {
		posting := &e.Postings[i]
		member, pot, ok := posting.Account.Member()
		if !ok {
			continue
		}
		at := seat{posting.Line, posting.Role}
		if seen[at] || who[posting.Role] != member || pot != Pending {
			t.Fatal("paid twice, or not to whom the role belongs", posting)
		}
		seen[at] = true
		own := p.NoSelfPurchase && s.Referral.Why == book.WhySelf
		if p.NoSelfPurchase && p.Edition > 0 && s.Buyer != "" && member == s.Buyer {
			t.Fatal("the buyer is paid for an own purchase", posting)
		}
		switch posting.Role {
		case Direct, Upline:
			levels[member] = true
			if own || posting.Role == Upline && (!p.SecondLevel || s.Referral.Direct == "") {
				t.Fatal("paid although it is switched off", posting)
			}
		case HelpSell:
			if member == s.Host {
				t.Fatal("paid for helping himself")
			}
		}
	}
	if len(levels) > 2 {
		t.Fatal("a third level was paid")
	}
}

// checkRefunds: any two steps to a full refund take back exactly what was paid, each never more than there is.
func checkRefunds(t *rapid.T, s *Sale, e *Entry) {
	d, left := &Settlement{}, map[Posting]money.Fen{}
	for _, p := range e.Postings {
		if _, _, ok := p.Account.Member(); ok {
			left[Posting{Account: p.Account, Line: p.Line, Role: p.Role}] += p.Amount
		}
	}
	var first, second Refund
	first.Number, second.Number = "r1", "r2"
	for _, l := range s.Lines {
		if l.Paid == 0 {
			continue
		}
		first.Lines = append(first.Lines, RefundLine{l.Line, money.Fen(rapid.Int64Range(1, int64(l.Paid)).Draw(t, "refunded")), l.Paid})
		second.Lines = append(second.Lines, RefundLine{l.Line, l.Paid, l.Paid})
	}
	for _, r := range []Refund{first, second} {
		if err := d.refund(r, e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range d.Refunds {
		back := clawBackEntry(e, &d.Refunds[i])
		if !back.Balanced() {
			t.Fatal("a claw-back is not balanced")
		}
		for _, p := range back.Postings {
			if _, _, ok := p.Account.Member(); !ok {
				continue
			}
			of := Posting{Account: p.Account, Line: p.Line, Role: p.Role}
			if left[of] += p.Amount; p.Amount > 0 || left[of] < 0 {
				t.Fatal("a claw-back gives, or takes more than there is")
			}
		}
	}
	for of, rest := range left {
		if rest != 0 {
			t.Fatal("after a full refund something is left", of, rest)
		}
	}
}

func TestWhateverPolicyIsAcceptedKeepsItsWord(t *testing.T) {
	t.Parallel()
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			p := anyPolicy(t)
			if p.Check() == nil {
				accepted++
			}
			policyKeepsItsWord(t)
		}
	})
	if accepted == 0 {
		t.Error("no policy was accepted: nothing was shown")
	}
	t.Log(accepted, "accepted")
}

func FuzzPolicies(f *testing.F) { f.Fuzz(rapid.MakeFuzz(policyKeepsItsWord)) }
