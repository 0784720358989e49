// Package lane numbers what processes post, so that who reads it knows where something can still be missing.
//
// Every process posts in a lane of its own, under numbers it counts itself; no clock takes part. A reader remembers which
// numbers it has read and that are still there, as a few spans. All else is a gap, and a gap is what it reads: between spans
// for what is on its way or came late, behind the last for what is new. How much has been read before costs nothing, and a
// posting is found however late its process was.
package lane

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const digits = 15

// Key is the place of number n in a lane of a book: keys of one lane sort by number.
func Key(book, lane string, n int64) string {
	text := strconv.FormatInt(n, 10)
	return start(book, lane) + strings.Repeat("0", max(0, digits-len(text))) + text
}

func start(book, lane string) string { return First(book) + lane + "/" }

// First is the place before all lanes of a book. What stands before it was posted by a version that had none.
func First(book string) string { return book + "/p" }

// Behind is the place behind all numbers of a lane.
func Behind(book, lane string) string { return First(book) + lane + "0" } // "0" follows "/"

// Parse takes a key apart; ok is false when it is of no lane.
func Parse(book, key string) (lane string, n int64, ok bool) {
	rest, ok := strings.CutPrefix(key, First(book))
	if !ok {
		return "", 0, false
	}
	lane, number, ok := strings.Cut(rest, "/")
	if !ok {
		return "", 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return lane, n, err == nil
}

// maxFree bounds the numbers kept for another use; more of them become gaps that cost their readers a look.
const maxFree = 4096

// Poster gives the numbers of one process. The zero value is not ready; use NewPoster.
type Poster struct {
	name string

	mu   sync.Mutex
	next int64
	free []int64
}

// NewPoster begins a lane that nobody else has.
func NewPoster() *Poster { return &Poster{name: strings.ToLower(rand.Text()[:12])} }

// Name is the lane's.
func (p *Poster) Name() string { return p.name }

// Take gives n numbers, those that came back first.
func (p *Poster) Take(n int) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	reused := min(n, len(p.free))
	numbers := slices.Clone(p.free[:reused])
	p.free = p.free[reused:]
	for len(numbers) < n {
		p.next++
		numbers = append(numbers, p.next)
	}
	return numbers
}

// Return takes a number back under which certainly nothing was stored.
func (p *Poster) Return(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < maxFree {
		p.free = append(p.free, n)
	}
}

// Span is a stretch of numbers, both ends included.
type Span struct{ From, To int64 }

// Last is the end of the gap behind everything.
const Last = int64(999_999_999_999_999)

// Track is what a reader has read of one lane and will be there until the batch it belongs to is dropped.
type Track struct {
	batches map[int64][]Span
	gaps    []Span // nil: to be worked out
}

// Add notes that number n was read and belongs to a batch.
func (t *Track) Add(batch, n int64) {
	if t.batches == nil {
		t.batches = map[int64][]Span{}
	}
	t.gaps = nil
	spans := t.batches[batch]
	if last := len(spans) - 1; last >= 0 && spans[last].To+1 == n {
		spans[last].To = n
		return
	}
	t.batches[batch] = append(spans, Span{n, n})
}

// Drop forgets all batches up to this one: their numbers are gone. It reports whether anything is left.
func (t *Track) Drop(upTo int64) (left bool) {
	for batch := range t.batches {
		if batch <= upTo {
			delete(t.batches, batch)
			t.gaps = nil
		}
	}
	return len(t.batches) > 0
}

// Gaps lists the stretches in which something unread can be, in order. The last one has no end.
func (t *Track) Gaps() []Span {
	if t.gaps != nil {
		return t.gaps
	}
	var spans []Span
	for _, more := range t.batches {
		spans = append(spans, more...)
	}
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	from := int64(0)
	for _, s := range spans {
		if s.From > from {
			t.gaps = append(t.gaps, Span{from, s.From - 1})
		}
		from = max(from, s.To+1)
	}
	t.gaps = append(t.gaps, Span{from, Last})
	return t.gaps
}
