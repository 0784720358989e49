package groupbuy

import (
	"slices"
	"time"

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
	Order string    `bson:"o"`
	Lines []Wish    `bson:"l"`
	Until time.Time `bson:"t,omitempty"`
	Kept  bool      `bson:"k,omitempty"`
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

// admit claims lines for an order, or says which limit forbids it.
func (q *Quota) admit(c *Campaign, want Claim, deadline time.Time) error {
	if at := q.find(want.Order); at >= 0 {
		if q.Claims[at].Kept {
			return nil
		}
		if slices.Equal(q.Claims[at].Lines, want.Lines) && q.Claims[at].Until.After(want.Until) {
			want.Until = q.Claims[at].Until
		}
	}
	q.Claims = slices.DeleteFunc(q.Claims, func(one Claim) bool {
		return one.Order == want.Order || !one.Kept && one.Until.Before(deadline)
	})
	if len(q.Claims) >= maxClaims {
		return ErrTooMany
	}
	if err := q.fits(c, want.Lines); err != nil {
		return err
	}
	q.Claims = append(q.Claims, want)
	q.settle(c.ID)
	return nil
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
	q.Claims[at].Kept, q.Claims[at].Until = true, time.Time{}
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
