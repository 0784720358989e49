package claim

import (
	"strconv"
	"strings"
	"time"
)

// Claim is some units reserved for an order.
type Claim struct {
	Order string
	Units int64
	Until time.Time
	Mark  int64 // tells several claims of one order in one document apart, where there may be several; else 0
	By    Holders
}

// Open is a document's claims as one text, a line "order units until mark holders" each (until in Unix milliseconds). A
// hot document carries hundreds of them and is read and written for every wave of shoppers; as a list of documents that
// costs ten times as much.
type Open string

// MaxOpen bounds the claims of one document: about 160 kB. Whoever meets the bound says "busy", never "none left".
const MaxOpen = 2048

// Write makes the text of a list.
func Write(list []Claim) Open {
	out := make([]byte, 0, 80*len(list))
	for i := range list {
		out = list[i].line(out)
	}
	return Open(out)
}

func (c *Claim) line(out []byte) []byte {
	out = append(append(out, c.Order...), ' ')
	out = append(strconv.AppendInt(out, c.Units, 10), ' ')
	out = append(strconv.AppendInt(out, c.Until.UnixMilli(), 10), ' ')
	out = append(strconv.AppendInt(out, c.Mark, 36), ' ')
	return append(append(out, c.By...), '\n')
}

// parse reads one line; older ones end earlier.
func parse(line string) (c Claim) {
	var units, until, mark, by string
	c.Order, units, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	units, until, _ = strings.Cut(units, " ")
	until, mark, _ = strings.Cut(until, " ")
	mark, by, _ = strings.Cut(mark, " ")
	c.Units, _ = strconv.ParseInt(units, 10, 64)
	ms, _ := strconv.ParseInt(until, 10, 64)
	c.Until = time.UnixMilli(ms).UTC()
	c.Mark, _ = strconv.ParseInt(mark, 36, 64)
	c.By = Holders(by)
	return c
}

// Add puts a claim at the end.
func (o Open) Add(c Claim) Open {
	return Open(c.line(append(make([]byte, 0, len(o)+100), o...)))
}

// Len is the number of claims.
func (o Open) Len() int { return strings.Count(string(o), "\n") }

// Full reports whether no more claims go in.
func (o Open) Full() bool { return len(o) > 20*MaxOpen && o.Len() >= MaxOpen }

// List gives all claims.
func (o Open) List() []Claim {
	list := make([]Claim, 0, o.Len())
	for line := range strings.Lines(string(o)) {
		list = append(list, parse(line))
	}
	return list
}

// Has reports whether an order has claims; it is cheap.
func (o Open) Has(order string) bool { return o.find(order) >= 0 }

// find is where the first line of an order begins, or -1.
func (o Open) find(order string) int {
	if strings.HasPrefix(string(o), order+" ") {
		return 0
	}
	if at := strings.Index(string(o), "\n"+order+" "); at >= 0 {
		return at + 1
	}
	return -1
}

// Of lists an order's claims; asking for one that has none is cheap.
func (o Open) Of(order string) (own []Claim) {
	for at := o.find(order); at >= 0; {
		line, rest, _ := strings.Cut(string(o[at:]), "\n")
		own = append(own, parse(line))
		o = Open(rest)
		at = o.find(order)
	}
	return own
}

// Change lets fn look at every claim of an order and change it; those it does not keep are taken out.
func (o Open) Change(order string, fn func(c *Claim) (keep bool)) Open {
	var out []byte
	for at := o.find(order); at >= 0; at = o.find(order) {
		line, rest, _ := strings.Cut(string(o[at:]), "\n")
		out = append(out, o[:at]...)
		if c := parse(line); fn(&c) {
			out = c.line(out)
		}
		o = Open(rest)
	}
	if out == nil {
		return o
	}
	return Open(append(out, o...))
}

// Units is the sum of all claims.
func (o Open) Units() (sum int64) {
	for line := range strings.Lines(string(o)) {
		_, rest, _ := strings.Cut(line, " ")
		units, _, _ := strings.Cut(rest, " ")
		n, _ := strconv.ParseInt(units, 10, 64)
		sum += n
	}
	return sum
}

// Due is the earliest Until; zero when there is no claim.
func (o Open) Due() (due time.Time) {
	for line := range strings.Lines(string(o)) {
		if c := parse(line); due.IsZero() || c.Until.Before(due) {
			due = c.Until
		}
	}
	return due
}

// Lapse takes out the claims whose Until lies before the given time.
func (o Open) Lapse(before time.Time) Open {
	list, kept := o.List(), []Claim(nil)
	for _, c := range list {
		if !c.Until.Before(before) {
			kept = append(kept, c)
		}
	}
	if len(kept) == len(list) {
		return o
	}
	return Write(kept)
}

// Home is which of n buckets an order's claims are tried in first: a jump consistent hash, so that adding buckets moves
// few orders.
func Home(order string, n int) int {
	key, at, next := uint64(14695981039346656037), int64(-1), int64(0)
	for i := range len(order) {
		key = (key ^ uint64(order[i])) * 1099511628211
	}
	for next < int64(n) {
		at = next
		key = key*2862933555777941757 + 1
		// (at+1) * 2^31 / ((key>>33)+1), in integers: the published algorithm divides floats
		next = (at + 1) << 31 / (int64(key>>33) + 1)
	}
	return int(at)
}

// Share is the part of a total that bucket k of n may give away; the shares add up to the total.
func Share(total int64, k, n int) int64 {
	return total*int64(k+1)/int64(n) - total*int64(k)/int64(n)
}
