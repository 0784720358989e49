package groupbuy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
)

// Allotment counts one item of a campaign whose total is limited (id <campaign>/<sku>); items without a total
// have none.
type Allotment struct {
	docstore.Doc `bson:",inline"`
	Open         openings `bson:"open,omitempty"` // claims of orders that are not paid yet
	Kept         int64    `bson:"kept"`           // units of seats
	Left         int64    `bson:"left"`           // units of seats that were left
	Seats        spans    `bson:"seats,omitempty"`
	Leavers      spans    `bson:"leavers,omitempty"`
}

// openings are claims as one text, a line "order units until" each: in a flash hour one document carries a
// thousand of them and is read and written for every wave of shoppers, which as a list of documents costs
// twenty times as much.
type openings string

type opening struct {
	Order string
	Units int64
	Until time.Time
}

func (o openings) list() []opening {
	list := make([]opening, 0, strings.Count(string(o), "\n"))
	for line := range strings.Lines(string(o)) {
		order, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		units, until, _ := strings.Cut(rest, " ")
		u, _ := strconv.ParseInt(units, 10, 64)
		t, _ := strconv.ParseInt(until, 10, 64)
		list = append(list, opening{order, u, time.UnixMilli(t).UTC()})
	}
	return list
}

func write(list []opening) openings {
	out := make([]byte, 0, 48*len(list))
	for _, o := range list {
		out = append(append(out, o.Order...), ' ')
		out = append(strconv.AppendInt(out, o.Units, 10), ' ')
		out = append(strconv.AppendInt(out, o.Until.UnixMilli(), 10), '\n')
	}
	return openings(out)
}

func allotmentID(campaign, sku string) string { return campaign + "/" + sku }

func (a *Allotment) admit(want opening, limit int64, deadline time.Time) error {
	claimed := a.Kept - a.Left + want.Units
	list := slices.DeleteFunc(a.Open.list(), func(o opening) bool {
		gone := o.Order == want.Order || o.Until.Before(deadline)
		if !gone {
			claimed += o.Units
		}
		return gone
	})
	if claimed > limit {
		return ErrTotal
	}
	a.Open = write(append(list, want))
	return nil
}

func (a *Allotment) drop(order string) {
	if !strings.Contains(string(a.Open), order) {
		return
	}
	a.Open = write(slices.DeleteFunc(a.Open.list(), func(o opening) bool { return o.Order == order }))
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

// claimed is how many units are spoken for: of seats, and of orders that may still be paid.
func (a *Allotment) claimed(deadline time.Time) int64 {
	units := a.Kept - a.Left
	for _, o := range a.Open.list() {
		if !o.Until.Before(deadline) {
			units += o.Units
		}
	}
	return units
}
