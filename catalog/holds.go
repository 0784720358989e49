package catalog

import (
	"strconv"
	"strings"
	"time"
)

// Hold is some units taken out of Free for an order. It leaves the bucket only after the order's Move has
// decided about its mark.
type Hold struct {
	Order string
	Units int64
	Until time.Time
	Mark  int64 // drawn when taken: one name for one taking
}

// holds are a bucket's holds as one text, a line "order units until mark" each (until in Unix milliseconds). A hot
// bucket carries a hundred of them and is read and written for every wave of shoppers; as a list of documents that
// costs ten times as much.
type holds string

func (o holds) add(h Hold) holds {
	line := make([]byte, 0, len(o)+80)
	line = append(append(append(line, o...), h.Order...), ' ')
	line = append(strconv.AppendInt(line, h.Units, 10), ' ')
	line = append(strconv.AppendInt(line, h.Until.UnixMilli(), 10), ' ')
	return holds(append(strconv.AppendInt(line, h.Mark, 36), '\n'))
}

func (o holds) count() int { return strings.Count(string(o), "\n") }

func (o holds) list() []Hold {
	list := make([]Hold, 0, o.count())
	for line := range strings.Lines(string(o)) {
		order, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		units, rest, _ := strings.Cut(rest, " ")
		until, mark, _ := strings.Cut(rest, " ")
		h := Hold{Order: order}
		h.Units, _ = strconv.ParseInt(units, 10, 64)
		ms, _ := strconv.ParseInt(until, 10, 64)
		h.Until = time.UnixMilli(ms).UTC()
		h.Mark, _ = strconv.ParseInt(mark, 36, 64)
		list = append(list, h)
	}
	return list
}

// of lists an order's holds; asking for one that has none is cheap.
func (o holds) of(order string) []Hold {
	if !o.has(order) {
		return nil
	}
	var own []Hold
	for _, h := range o.list() {
		if h.Order == order {
			own = append(own, h)
		}
	}
	return own
}

func (o holds) has(order string) bool {
	return strings.HasPrefix(string(o), order+" ") || strings.Contains(string(o), "\n"+order+" ")
}

func (o holds) units() (sum int64) {
	for line := range strings.Lines(string(o)) {
		_, rest, _ := strings.Cut(line, " ")
		units, _, _ := strings.Cut(rest, " ")
		n, _ := strconv.ParseInt(units, 10, 64)
		sum += n
	}
	return sum
}
