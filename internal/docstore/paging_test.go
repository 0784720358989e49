package docstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type leaf struct {
	docstore.Doc `bson:",inline"`
}

func TestAPageFromOutsideIsChecked(t *testing.T) {
	t.Parallel()
	store := docstoretest.NewStore(t, clock.NewManual(time.UnixMilli(1_800_000_000_000)))
	leaves, err := docstore.Open[leaf](t.Context(), store, docstore.Spec{Name: "leaves"})
	if err != nil {
		t.Fatal(err)
	}
	for _, docID := range []string{"a", "b", "c"} {
		doc := &leaf{}
		doc.ID = docID
		if err := leaves.Insert(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	first, err := leaves.List(t.Context(), docstore.All(), docstore.Paging{First: 2})
	if err != nil || len(first.Items) != 2 || first.Next == "" {
		t.Fatalf("first page = %+v, %v", first, err)
	}
	rest, err := leaves.List(t.Context(), docstore.All(), docstore.Paging{After: first.Next})
	if err != nil || len(rest.Items) != 1 || rest.Items[0].ID != "c" || rest.Next != "" {
		t.Errorf("second page = %+v, %v", rest, err)
	}
	for name, bad := range map[string]docstore.Paging{
		"negative": {First: -1}, "too large": {First: docstore.MaxPage + 1}, "no cursor of ours": {After: "x!"},
		"endless cursor": {After: strings.Repeat("a", 5000)},
	} {
		if _, err := leaves.List(t.Context(), docstore.All(), bad); !errors.Is(err, docstore.ErrPage) {
			t.Errorf("%s: %v, want ErrPage", name, err)
		}
	}
}
