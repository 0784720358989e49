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

// Allotment counts one item of a campaign whose total is limited (id <campaign>/<sku>); items without a total
// have none.
type Allotment struct {
	docstore.Doc `bson:",inline"`
	Open         []opening `bson:"open,omitempty"` // claims of orders that are not paid yet
	Kept         int64     `bson:"kept"`           // units of seats
	Left         int64     `bson:"left"`           // units of seats that were left
	Seats        spans     `bson:"seats,omitempty"`
	Leavers      spans     `bson:"leavers,omitempty"`
}

type opening struct {
	Order string    `bson:"o"`
	Units int64     `bson:"u"`
	Until time.Time `bson:"t"`
}

func allotmentID(campaign, sku string) string { return campaign + "/" + sku }

func (a *Allotment) admit(want opening, limit int64, deadline time.Time) error {
	a.Open = slices.DeleteFunc(a.Open, func(o opening) bool {
		return o.Order == want.Order || o.Until.Before(deadline)
	})
	claimed := a.Kept - a.Left + want.Units
	for i := range a.Open {
		claimed += a.Open[i].Units
	}
	if claimed > limit {
		return ErrTotal
	}
	a.Open = append(a.Open, want)
	return nil
}

func (a *Allotment) drop(order string) {
	a.Open = slices.DeleteFunc(a.Open, func(o opening) bool { return o.Order == order })
	if len(a.Open) == 0 {
		a.Open = nil
	}
}

// keep counts a seat once, and its leaving once.
func (a *Allotment) keep(seat *Seat, sku string) {
	units := int64(0)
	for _, line := range seat.Lines {
		if line.SKU == sku {
			units += line.Units
		}
	}
	if a.Seats.add(seat.Number) {
		a.Kept += units
	}
	a.drop(seat.Order)
	if seat.Left && a.Leavers.add(seat.Number) {
		a.Left += units
	}
}

// spans is a set of numbers kept as ascending closed intervals [from, to, from, to …]. Seat numbers are
// dense, so that it stays short, and adding one twice is seen.
type spans []int64

// add reports whether n is new.
func (s *spans) add(n int64) bool {
	v := *s
	i := 0 // the first interval that ends at n-1 or later
	if size := len(v); size > 0 && v[size-1] < n-1 {
		i = size
	} else {
		for i < size && v[i+1] < n-1 {
			i += 2
		}
	}
	switch {
	case i == len(v) || n < v[i]-1:
		*s = slices.Insert(v, i, n, n)
	case n == v[i]-1:
		v[i] = n
	case n <= v[i+1]:
		return false
	default: // n == v[i+1]+1
		v[i+1] = n
		if i+2 < len(v) && v[i+2] == n+1 {
			*s = slices.Delete(v, i+1, i+3)
		}
	}
	return true
}

// has reports whether n is in the set.
func (s spans) has(n int64) bool {
	for i := 0; i < len(s); i += 2 {
		if s[i] <= n && n <= s[i+1] {
			return true
		}
	}
	return false
}

// upto is the largest n for which 1..n are all in the set.
func (s spans) upto() int64 {
	if len(s) == 0 || s[0] != 1 {
		return 0
	}
	return s[1]
}
