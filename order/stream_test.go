package order

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEachGivesEveryOrderOnceAndManyFindsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t).trust()
	var want, got []string
	for i := range 7 {
		want = append(want, w.place("k"+strconv.Itoa(i), Wish{"tea", 1}).ID)
	}
	slices.Sort(want)
	w.must(struct{}{}, w.orders.Archive().Each(t.Context(), func(o *Order) error { got = append(got, o.ID); return nil }))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	found, err := w.orders.Archive().Many(t.Context(), append(want[:3:3], "nobody"))
	if err != nil || len(found) != 3 || found[want[0]].ID != want[0] {
		t.Fatal(found, err)
	}
	enough := errors.New("enough")
	if err := w.orders.Archive().Each(t.Context(), func(*Order) error { return enough }); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if _, err := w.orders.Archive().Many(t.Context(), make([]string, 5001)); !errors.Is(err, ErrBadInput) {
		t.Fatal(err)
	}
}
