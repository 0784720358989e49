package docstoretest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type shared struct {
	docstore.Doc `bson:",inline"`
	Group        string `bson:"group"`
	Count        int64  `bson:"count"`
}

// TestTwoProcessesShareADriver: what one writes the other reads, and each learns why it was refused.
func TestTwoProcessesShareADriver(t *testing.T) {
	t.Parallel()
	address := docstoretest.Share(t, docstoretest.Embedded(t))
	spec := docstore.Spec{Name: "shared", Indexes: []docstore.Index{{Name: "group", Fields: []string{"group", "count"}, Unique: true}}}
	var both []*docstore.Collection[shared]
	for range 2 {
		driver, err := docstoretest.Dial(address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := docstore.Open[shared](t.Context(), docstoretest.StoreOn(t, driver, clock.System{}), spec)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, c)
	}
	one, two := both[0], both[1]
	if err := one.Insert(t.Context(), &shared{Doc: docstore.Doc{ID: "a"}, Group: "g", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := two.Insert(t.Context(), &shared{Doc: docstore.Doc{ID: "a"}, Group: "h", Count: 2}); !docstore.Exists(err) {
		t.Error(err)
	}
	if index, ok := docstore.ExistsIn(two.Insert(t.Context(), &shared{Doc: docstore.Doc{ID: "b"}, Group: "g", Count: 1})); !ok || index != "group" {
		t.Error(index, ok)
	}
	if _, err := two.Update(t.Context(), "c", func(*shared) error { return nil }); !errors.Is(err, docstore.ErrNotFound) {
		t.Error(err)
	}
	done := make(chan error, 40)
	for n := range 40 {
		go func() {
			_, err := both[n%2].Update(t.Context(), "a", func(s *shared) error { s.Count++; return nil })
			done <- err
		}()
	}
	for range 40 {
		if err := <-done; err != nil && !errors.Is(err, docstore.ErrContended) {
			t.Error(err)
		}
	}
	page, err := one.Find(t.Context(), docstore.By("group", "g").Between(int64(2), nil))
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	same, err := two.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page.Items[0].Count, same.Count); diff != "" {
		t.Error(diff)
	}
}
