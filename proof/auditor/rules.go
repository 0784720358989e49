package auditor

import (
	"math/big"
	"sort"
	"time"

	"guanxi/internal/docstore"
)

// policy is one published version.
type policy struct {
	docstore.Doc   `bson:",inline"`
	Rest           rest      `bson:",inline"`
	Number         int       `bson:"number"`
	From           time.Time `bson:"from"`
	SecondLevel    bool      `bson:"second_level"`
	Cap            int64     `bson:"cap"`
	MarginFloor    int64     `bson:"margin_floor"`
	HasMarginFloor bool      `bson:"has_margin_floor"`
	NoSelfPurchase bool      `bson:"no_self_purchase"`
	Edition        int       `bson:"edition"`
	rules          []rule
}

type rule struct {
	SKU       string `bson:"sku"`
	Product   string `bson:"product"`
	Campaign  string `bson:"campaign"`
	Category  string `bson:"category"`
	Community string `bson:"community"`
	Grade     string `bson:"grade"`
	Pays      []pay  `bson:"pays"`
}

type pay struct {
	Role  string `bson:"role"`
	Rate  int64  `bson:"rate"`
	Fixed int64  `bson:"fixed"`
}

// inForce picks the version that ruled at a moment: of those that had begun, the one that began last.
func inForce(all []*policy, at time.Time) *policy {
	begun := make([]*policy, 0, len(all))
	for _, p := range all {
		if _, recalled := p.Rest["recalled"]; !p.From.After(at) && !recalled {
			begun = append(begun, p)
		}
	}
	if len(begun) == 0 {
		return nil
	}
	sort.Slice(begun, func(i, j int) bool {
		if begun[i].From.Equal(begun[j].From) {
			return begun[i].Number > begun[j].Number
		}
		return begun[i].From.After(begun[j].From)
	})
	return begun[0]
}

// paysFor finds who is paid for a line: the rule of its SKU, else of its product, campaign, category, community, the
// host's grade, else the rule about nothing.
func (p *policy) paysFor(sale *confirmed, line *sold) []pay {
	about := map[string][]pay{}
	for _, r := range p.rules {
		subject := ""
		for kind, value := range map[string]string{
			"sku ": r.SKU, "product ": r.Product, "campaign ": r.Campaign, "category ": r.Category, "community ": r.Community, "grade ": r.Grade,
		} {
			if value != "" {
				subject = kind + value
			}
		}
		about[subject] = r.Pays
	}
	for _, subject := range []string{
		"sku " + line.SKU, "product " + line.Product, "campaign " + sale.Campaign, "category " + line.Category,
		"community " + sale.Community, "grade " + sale.Grade, "",
	} {
		if pays, found := about[subject]; found {
			return pays
		}
	}
	return nil
}

// gets tells who is paid in a role; "" is nobody. Since edition 1 a policy without self-purchase pays the buyer in none.
func (p *policy) gets(role string, sale *confirmed) string {
	who := p.stands(role, sale)
	if p.NoSelfPurchase && p.Edition >= 1 {
		creditedBought := sale.Referral.Direct == sale.Member && (role == "direct" || role == "upline")
		if who == sale.Member || creditedBought {
			return ""
		}
	}
	return who
}

// stands tells who stands in a role; "" is nobody.
func (p *policy) stands(role string, sale *confirmed) string {
	ownPurchase := p.NoSelfPurchase && sale.Referral.Why == "self"
	switch {
	case role == "host":
		return sale.Host
	case role == "pickup":
		return sale.Keeper
	case role == "direct" && !ownPurchase:
		return sale.Referral.Direct
	case role == "upline" && !ownPurchase && p.SecondLevel && sale.Referral.Direct != "" && sale.Referral.Direct != sale.Referral.Upline:
		return sale.Referral.Upline
	}
	return ""
}

// earned is what one member gets for one line.
type earned struct {
	member string
	line   int
	amount *big.Int // fen
}

// earnings computes what a sale pays, fen by fen.
func (p *policy) earnings(sale *confirmed) []earned {
	var all []earned
	base, cost, total := new(big.Int), new(big.Int), new(big.Int)
	for i := range sale.Lines {
		line := &sale.Lines[i]
		base.Add(base, big.NewInt(line.Paid))
		cost.Add(cost, new(big.Int).Mul(big.NewInt(line.Cost), big.NewInt(line.Units)))
		if line.Paid == 0 {
			continue
		}
		for _, pay := range p.paysFor(sale, line) {
			amount := new(big.Int).Mul(big.NewInt(pay.Fixed), big.NewInt(line.Units))
			if pay.Fixed == 0 {
				amount = nearest(fraction(line.Paid, pay.Rate, 10_000))
			}
			if who := p.gets(pay.Role, sale); who != "" && amount.Sign() > 0 {
				all = append(all, earned{who, line.Line, amount})
				total.Add(total, amount)
			}
		}
	}
	if limit := p.limit(base, cost); total.Cmp(limit) > 0 {
		divide(limit, total, all)
	}
	return all
}

// limit is the most a sale pays: the cap's part of the base, and no more than what the margin leaves.
func (p *policy) limit(base, cost *big.Int) *big.Int {
	share := new(big.Rat).SetFrac(new(big.Int).Mul(base, big.NewInt(p.Cap)), big.NewInt(10_000))
	limit := floor(share)
	if p.HasMarginFloor {
		kept := new(big.Rat).SetFrac(new(big.Int).Mul(base, big.NewInt(p.MarginFloor)), big.NewInt(10_000))
		left := new(big.Int).Sub(base, cost)
		left.Sub(left, ceiling(kept))
		if left.Cmp(limit) < 0 {
			limit = left
		}
	}
	if limit.Sign() < 0 {
		return new(big.Int)
	}
	return limit
}

// divide cuts the amounts down so that together they are the limit: everybody gets the whole fen of the exact part, and
// the fen that are left go, one each, to who lost the most by that; among equals to who stands earlier.
func divide(limit, total *big.Int, all []earned) {
	lost, left := make([]*big.Rat, len(all)), new(big.Int).Set(limit)
	for i := range all {
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(limit, all[i].amount), total)
		all[i].amount = floor(exact)
		lost[i] = exact.Sub(exact, new(big.Rat).SetInt(all[i].amount))
		left.Sub(left, all[i].amount)
	}
	for ; left.Sign() > 0; left.Sub(left, big.NewInt(1)) {
		most := 0
		for i := range lost {
			if lost[i].Cmp(lost[most]) > 0 {
				most = i
			}
		}
		all[most].amount = new(big.Int).Add(all[most].amount, big.NewInt(1))
		lost[most] = big.NewRat(-1, 1)
	}
}

// keeps is what remains of an amount when a part of what was paid has gone back.
func keeps(amount *big.Int, back, paid int64) *big.Int {
	if paid == 0 {
		return amount
	}
	taken := new(big.Rat).Mul(new(big.Rat).SetInt(amount), big.NewRat(back, paid))
	return new(big.Int).Sub(amount, floor(taken))
}

func fraction(a, b, c int64) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(c))
}

func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

func ceiling(r *big.Rat) *big.Int {
	up := floor(new(big.Rat).Neg(r))
	return up.Neg(up)
}

// nearest rounds halves up; amounts are never negative here.
func nearest(r *big.Rat) *big.Int { return floor(new(big.Rat).Add(r, big.NewRat(1, 2))) }
