package claim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(minute int) time.Time {
	return time.UnixMilli(1_800_000_000_000).UTC().Add(time.Duration(minute) * time.Minute)
}

func TestAClaimGoesWithItsLastHolder(t *testing.T) {
	t.Parallel()
	a, b := Try{"o", "a"}, Try{"o", "b"}
	h := HeldBy(a).Join(b).Join(a)
	if h != "a,b" || !h.Has(a) || !h.Has(b) || h.Has(Try{"o", "c"}) {
		t.Errorf("holders %q", h)
	}
	if h = h.Leave(a).Leave(a).Leave(Try{"o", "c"}); h != "b" || h.Nobody() {
		t.Errorf("after a has left, twice: %q", h)
	}
	if h = h.Leave(b); !h.Nobody() || h.Has(b) || h.Join(a) != h {
		t.Errorf("a claim nobody holds was joined: %q", h)
	}
}

func TestTooManyHoldersAreNotCountedAndDoNotLeave(t *testing.T) {
	t.Parallel()
	h := HeldBy(New("o"))
	for range MaxHolders {
		h = h.Join(New("o"))
	}
	one := New("o")
	if h != uncounted || !h.Has(one) || h.Leave(one) != h || h.Nobody() {
		t.Errorf("holders %q", h)
	}
}

func TestOldLinesAreRead(t *testing.T) {
	t.Parallel()
	open := Open("o1 2 1800000060000\no2 3 1800000120000 zz\n")
	want := []Claim{{"o1", 2, at(1), 0, ""}, {"o2", 3, at(2), 35*36 + 35, ""}}
	if got := open.List(); !slices.Equal(got, want) || open.Units() != 5 || !open.Due().Equal(at(1)) {
		t.Errorf("%+v", got)
	}
}

// The text behaves as a list of claims does.
func TestOpenIsAList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var open Open
		var list []Claim
		for range rapid.IntRange(0, 30).Draw(r, "deeds") {
			order := rapid.SampledFrom([]string{"a", "b", "ab", "ba", "a1"}).Draw(r, "order")
			switch rapid.IntRange(0, 3).Draw(r, "deed") {
			case 0, 1:
				c := Claim{order, rapid.Int64Range(1, 9).Draw(r, "units"), at(rapid.IntRange(0, 9).Draw(r, "until")), rapid.Int64().Draw(r, "mark"), HeldBy(New(order))}
				open, list = open.Add(c), append(list, c)
			case 2:
				keep := rapid.Bool().Draw(r, "keep")
				change := func(c *Claim) bool { c.Units++; return keep }
				open = open.Change(order, change)
				list = slices.DeleteFunc(list, func(c Claim) bool { return c.Order == order && !keep })
				for i := range list {
					if list[i].Order == order {
						list[i].Units++
					}
				}
			case 3:
				before := at(rapid.IntRange(0, 9).Draw(r, "before"))
				open = open.Lapse(before)
				list = slices.DeleteFunc(list, func(c Claim) bool { return c.Until.Before(before) })
			}
			units, own, due := int64(0), 0, time.Time{}
			for _, c := range list {
				if units += c.Units; c.Order == order {
					own++
				}
				if due.IsZero() || c.Until.Before(due) {
					due = c.Until
				}
			}
			if !slices.Equal(open.List(), list) && len(list) > 0 || open.Len() != len(list) || open.Units() != units ||
				open.Has(order) != (own > 0) || len(open.Of(order)) != own || !open.Due().Equal(due) {
				r.Fatalf("%q is not %+v", open, list)
			}
		}
	})
}

func TestTheBoundOfADocument(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range MaxOpen - 1 {
		fmt.Fprintf(&lines, "order%d 1 1800000060000 0 abcdefghijk\n", i)
	}
	open := Open(lines.String())
	if open.Full() {
		t.Error("full before the bound")
	}
	if open = open.Add(Claim{Order: "x", Units: 1, Until: at(1)}); !open.Full() {
		t.Error("not full at the bound")
	}
	if len(open) > 200_000 {
		t.Errorf("%d bytes", len(open))
	}
}

func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	for _, total := range []int64{0, 1, 7, 256, 257, 1_000_000} {
		for _, n := range []int{1, 2, 3, 512} {
			sum := int64(0)
			for k := range n {
				share := Share(total, k, n)
				if sum += share; share < total/int64(n) || share > total/int64(n)+1 {
					t.Errorf("share %d of %d in %d is %d", k, total, n, share)
				}
			}
			if sum != total {
				t.Errorf("%d in %d shares is %d", total, n, sum)
			}
		}
	}
}
