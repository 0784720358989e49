package groupbuy

import (
	"strconv"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

// Allotment counts a part of one item of a campaign whose total is limited (id <campaign>/<sku>/<bucket>; without the
// bucket when there is only one); items without a total have none. Every bucket gives away its share of the total and no
// more, so that what it holds is bounded by units, and thousands who come at once do not all write one document.
type Allotment struct {
	docstore.Doc `bson:",inline"`
	Open         claim.Open `bson:"open,omitempty"` // claims of orders that are not paid yet
	Due          time.Time  `bson:"due,omitempty"`  // the earliest Until among Open
	Paid         claim.Open `bson:"paid,omitempty"` // units of seats, by order; Until is not looked at

	// Counted before there were buckets: units of seats, of seats that were left, and which seats those were.
	Kept    int64 `bson:"kept"`
	Left    int64 `bson:"left"`
	Seats   spans `bson:"seats,omitempty"`
	Leavers spans `bson:"leavers,omitempty"`
}

const (
	bucketUnits = 256 // of a total that one allotment gives away
	maxBuckets  = 512 // of one item; a share of the largest total is below claim.MaxOpen
)

// bucketsOf is how many allotments a total is split into.
func bucketsOf(total int64) int { return int(min((total+bucketUnits-1)/bucketUnits, maxBuckets)) }

// buckets is how many allotments the item has; those published before there were buckets have one.
func (it *Item) buckets() int { return max(it.Buckets, 1) }

func allotmentID(campaign string, it *Item, bucket int) string {
	docID := campaign + "/" + it.SKU
	if it.buckets() == 1 {
		return docID
	}
	return docID + "/" + strconv.Itoa(bucket)
}

// want is what one attempt at an order wants of the limits.
type want struct {
	claim.Try
	lines []Wish
	until time.Time
}

// forget takes out claims that nobody can pay any more.
func (a *Allotment) forget(deadline time.Time) {
	if !a.Due.IsZero() && a.Due.Before(deadline) {
		a.Open = a.Open.Lapse(deadline)
		a.Due = a.Open.Due()
	}
}

// join makes an attempt a holder of what its order has claimed here, and tells how much that is. What has lapsed goes.
func (a *Allotment) join(w want, now time.Time) (units int64) {
	for _, one := range a.Paid.Of(w.Order) {
		units += one.Units
	}
	if !a.Open.Has(w.Order) {
		return units
	}
	a.Open = a.Open.Change(w.Order, func(c *claim.Claim) bool {
		if c.Until.Before(now) {
			return false
		}
		c.By = c.By.Join(w.Try)
		if c.Until.Before(w.until) {
			c.Until = w.until
		}
		units += c.Units
		return true
	})
	a.Due = a.Open.Due()
	return units
}

// take claims at most units more out of what the share has left, and tells how many.
func (a *Allotment) take(w want, units, share int64) int64 {
	units = min(units, a.room(share))
	if units <= 0 || a.Open.Full() {
		return 0
	}
	a.Open = a.Open.Add(claim.Claim{Order: w.Order, Units: units, Until: w.until, By: claim.HeldBy(w.Try)})
	if a.Due.IsZero() || w.until.Before(a.Due) {
		a.Due = w.until
	}
	return units
}

// leave takes an attempt off the holders of its order's claims, which go with the last of them.
func (a *Allotment) leave(t claim.Try) {
	a.Open = a.Open.Change(t.Order, func(c *claim.Claim) bool {
		c.By = c.By.Leave(t)
		return !c.By.Nobody()
	})
	a.Due = a.Open.Due()
}

// drop forgets what an order has claimed, and its seat too when that was left. units is what is forgotten.
func (a *Allotment) drop(order string, seat bool) (units int64) {
	out := func(c *claim.Claim) bool {
		units += c.Units
		return false
	}
	if a.Open = a.Open.Change(order, out); units > 0 {
		a.Due = a.Open.Due()
	}
	if seat {
		a.Paid = a.Paid.Change(order, out)
	}
	return units
}

// pay turns up to units of an order's claims into units of its seat, forgets the rest, and tells how many units the seat
// has here now. A seat is counted once.
func (a *Allotment) pay(order string, units int64) (has int64) {
	for _, one := range a.Paid.Of(order) {
		has += one.Units
	}
	claimed := a.drop(order, false)
	if more := min(claimed, units-has); more > 0 {
		a.seat(order, has+more)
		has += more
	}
	return has
}

// seat says how many units an order's seat has here.
func (a *Allotment) seat(order string, units int64) {
	a.Paid = a.Paid.Change(order, func(*claim.Claim) bool { return false })
	if units > 0 {
		a.Paid = a.Paid.Add(claim.Claim{Order: order, Units: units, Until: time.UnixMilli(0)})
	}
}

// used is how many units are spoken for: of seats, and of claims that may still be paid.
func (a *Allotment) used() int64 { return a.Kept - a.Left + a.Paid.Units() + a.Open.Units() }

func (a *Allotment) room(share int64) int64 { return max(share-a.used(), 0) }

// counted tells whether the seat was counted before there were buckets, and counts its leaving.
func (a *Allotment) counted(seat *Seat, units int64) bool {
	if !a.Seats.has(seat.Number) {
		return false
	}
	if seat.Left && a.Leavers.add(seat.Number) {
		a.Left += units
	}
	return true
}
