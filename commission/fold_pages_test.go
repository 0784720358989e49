package commission

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"guanxi/commission/internal/book"
)

func (w *world) sold(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		must(t, w.Accrue(t.Context(), sale(fmt.Sprintf("o%03d", i), 10_000)))
	}
}

func TestABusyPurseCarriesLessThanAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	w.sold(t, 100)
	must(t, w.CatchUp(t.Context()))
	for range 2 {
		for _, member := range []string{"alice", "bob", "host1"} {
			p, err := w.book.Purses.Get(t.Context(), member)
			must(t, err)
			if tail := strings.Count(p.Tail, "\n"); tail != 100%book.PageLines || p.Lines != 100 {
				t.Errorf("%s: %d of %d lines in the tail", member, tail, p.Lines)
			}
			page, err := w.Statement(t.Context(), member, Page{Size: 100})
			must(t, err)
			for i, line := range page.Lines {
				if line.No != int64(100-i) {
					t.Fatalf("%s: line %d is number %d", member, i, line.No)
				}
			}
			if len(page.Lines) != 100 || page.Next != "" {
				t.Errorf("%s: %d lines, then %q", member, len(page.Lines), page.Next)
			}
		}
		must(t, w.Rebuild(t.Context()))
	}
	verified(t, w.Service)
}

func TestARebuildKilledBetweenPursesAndPagesLosesNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 10})
	w.publish(t)
	w.sold(t, 100)
	must(t, w.CatchUp(t.Context()))
	for _, page := range []string{"alice/0", "alice/2", "host1/1"} {
		must(t, w.book.Pages.Delete(t.Context(), page, nil))
	}
	die(w.Service, "half folded")
	if err := w.Rebuild(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	w.hook = nil
	must(t, w.CatchUp(t.Context()))
	verified(t, w.Service)
}
