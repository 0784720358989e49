package groupbuy

import (
	"slices"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

// Wish is a number of units of a SKU.
type Wish struct {
	SKU   string `bson:"s"`
	Units int64  `bson:"u"`
}

// Quota is what one member has claimed of a campaign's limits (id <campaign>/<member>). A claim counts while its
// order may still be paid, and for ever once it was (kept), until the seat is left.
type Quota struct {
	docstore.Doc `bson:",inline"`
	Claims       []Claim `bson:"claims,omitempty"`
	Unpaid       *unpaid `bson:"unpaid,omitempty"`
}

// Claim is one order's part of a quota.
type Claim struct {
	Order string        `bson:"o"`
	Lines []Wish        `bson:"l"`
	Until time.Time     `bson:"t,omitempty"`
	Kept  bool          `bson:"k,omitempty"`
	By    claim.Holders `bson:"b,omitempty"`
}

// unpaid is the latest claim that is not kept, for the index that closing looks at.
type unpaid struct {
	In    string    `bson:"in"`
	Until time.Time `bson:"until"`
}

const maxClaims = 200 // orders of one member in one campaign

func quotaID(campaign, member string) string { return campaign + "/" + member }

// find is the position of an order's claim, or -1.
func (q *Quota) find(order string) int {
	return slices.IndexFunc(q.Claims, func(c Claim) bool { return c.Order == order })
}

// claims reports whether an attempt may go on from what an earlier one at the same order has claimed.
func (q *Quota) claims(want want, now time.Time) bool {
	at := q.find(want.Order)
	return at >= 0 && (q.Claims[at].Kept || slices.Equal(q.Claims[at].Lines, want.lines) && !q.Claims[at].Until.Before(now))
}

// admit claims lines for an attempt at an order, or says which limit forbids it. The living claim of another attempt at the
// order is joined; it must be for the same lines.
func (q *Quota) admit(c *Campaign, want want, now, deadline time.Time) error {
	if at := q.find(want.Order); at >= 0 {
		one := &q.Claims[at]
		switch {
		case one.Kept:
			return nil
		case one.Until.Before(now): // lapsed: claimed anew below
		case !slices.Equal(one.Lines, want.lines):
			return ErrKeyReused
		default:
			one.By = one.By.Join(want.Try)
			if one.Until.Before(want.until) {
				one.Until = want.until
			}
			q.settle(c.ID)
			return nil
		}
	}
	q.Claims = slices.DeleteFunc(q.Claims, func(one Claim) bool {
		return one.Order == want.Order || !one.Kept && one.Until.Before(deadline)
	})
	if len(q.Claims) >= maxClaims {
		return ErrTooMany
	}
	if err := q.fits(c, want.lines); err != nil {
		return err
	}
	q.Claims = append(q.Claims, Claim{Order: want.Order, Lines: want.lines, Until: want.until, By: claim.HeldBy(want.Try)})
	q.settle(c.ID)
	return nil
}

// leave takes an attempt off the holders of its order's claim, which goes with the last of them.
func (q *Quota) leave(campaign string, t claim.Try) {
	at := q.find(t.Order)
	if at < 0 || q.Claims[at].Kept {
		return
	}
	if q.Claims[at].By = q.Claims[at].By.Leave(t); q.Claims[at].By.Nobody() {
		q.drop(campaign, t.Order, false)
	}
}

func (q *Quota) fits(c *Campaign, lines []Wish) error {
	if c.PerPerson > 0 && q.units("")+total(lines) > c.PerPerson {
		return ErrPerPerson
	}
	for _, line := range lines {
		it := c.item(line.SKU)
		if it != nil && it.PerPerson > 0 && q.units(line.SKU)+line.Units > it.PerPerson {
			return ErrPerPerson
		}
	}
	return nil
}

// units counts what is claimed of a SKU; of everything when sku is empty.
func (q *Quota) units(sku string) (sum int64) {
	for i := range q.Claims {
		for _, line := range q.Claims[i].Lines {
			if sku == "" || line.SKU == sku {
				sum += line.Units
			}
		}
	}
	return sum
}

func total(lines []Wish) (sum int64) {
	for _, line := range lines {
		sum += line.Units
	}
	return sum
}

// keep makes a claim last: its order was paid. An order paid after its claim was forgotten is honoured, limit or not.
func (q *Quota) keep(campaign, order string, lines []Wish) {
	at := q.find(order)
	if at < 0 {
		q.Claims = append(q.Claims, Claim{Order: order, Lines: lines})
		at = len(q.Claims) - 1
	}
	q.Claims[at].Kept, q.Claims[at].Until, q.Claims[at].By = true, time.Time{}, ""
	q.settle(campaign)
}

// drop forgets an order's claim; one that is kept only if the seat was left.
func (q *Quota) drop(campaign, order string, left bool) {
	q.Claims = slices.DeleteFunc(q.Claims, func(c Claim) bool { return c.Order == order && (left || !c.Kept) })
	q.settle(campaign)
}

func (q *Quota) settle(campaign string) {
	if len(q.Claims) == 0 {
		q.Claims = nil
	}
	q.Unpaid = nil
	for i := range q.Claims {
		if c := &q.Claims[i]; !c.Kept && (q.Unpaid == nil || c.Until.After(q.Unpaid.Until)) {
			q.Unpaid = &unpaid{In: campaign, Until: c.Until}
		}
	}
}
