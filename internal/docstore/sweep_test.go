package docstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type chore struct {
	docstore.Doc `bson:",inline"`
	Due          int `bson:"due"`
}

func TestASweepTakesAtMostSoManyInOrderAndOneThatFailsStopsNobody(t *testing.T) {
	t.Parallel()
	store := docstoretest.NewStore(t, clock.System{})
	chores, err := docstore.Open[chore](t.Context(), store, docstore.Spec{
		Name: "chores", Indexes: []docstore.Index{{Name: "due", Fields: []string{"due"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		if err := chores.Insert(t.Context(), &chore{Doc: docstore.Doc{ID: fmt.Sprintf("c%02d", n)}, Due: n}); err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("broken")
	var mu sync.Mutex
	var seen []string
	atOnce, most := 0, 0
	enter := func(step int) {
		mu.Lock()
		defer mu.Unlock()
		atOnce += step
		most = max(most, atOnce)
	}
	moved, err := chores.Sweep(t.Context(), docstore.By("due"), docstore.Sweep{Most: 25, Page: 7, Workers: 3}, func(c *chore) (bool, error) {
		enter(1)
		defer enter(-1)
		mu.Lock()
		seen = append(seen, c.ID)
		mu.Unlock()
		if c.Due%3 == 0 {
			return false, broken
		}
		return c.Due%3 == 1, nil
	})
	slices.Sort(seen)
	if moved != 8 || len(seen) != 25 || len(slices.Compact(seen)) != 25 || seen[24] != "c24" || most > 3 {
		t.Errorf("moved %d, saw %v, %d at once", moved, seen, most)
	}
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "9 of chores failed") || strings.Count(err.Error(), "broken") != 5 {
		t.Errorf("told %v", err)
	}
}
