package groupbuy

import (
	"errors"
	"testing"
	"time"

	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// A host who could ask any price would sell the brand's goods for a fen.
func TestNoPriceBelowTheBrandsFloorIsDraftedEditedPublishedOrCopied(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	floor := func(fen money.Fen) {
		good := m.goods["tea-1"]
		good.Floor = fen
		m.goods["tea-1"] = good
	}
	ask := func(price money.Fen) DraftInput {
		in := m.input()
		in.Items = []ItemInput{{SKU: "tea-1", Price: price}}
		return in
	}
	refused := func(what string, err error) {
		t.Helper()
		if f := fault.Of(err); !errors.Is(err, ErrPriceFloor) || len(f.Fields) != 1 || f.Fields[0].Name != "items[0].price" {
			t.Errorf("%s: %v", what, err)
		}
	}
	floor(6000)
	_, err := m.Draft(t.Context(), ask(1))
	refused("draft", err)
	c, err := m.Draft(t.Context(), ask(6000))
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Edit(t.Context(), "li", c.ID, func(in *DraftInput) { *in = ask(5999) })
	refused("edit", err)
	floor(6800) // the brand raises its floor before the host publishes
	_, err = m.Publish(t.Context(), "li", c.ID)
	refused("publish", err)
	_, err = m.Copy(t.Context(), CopyInput{
		Key: "again", Host: "li", Campaign: c.ID, StartsAt: m.clock.Now(), EndsAt: m.clock.Now().Add(time.Hour),
	})
	refused("copy", err)
	if stored, err := m.Get(t.Context(), c.ID); err != nil || stored.State != Draft || stored.Items[0].Price != 6000 {
		t.Errorf("changed by what was refused: %+v %v", stored, err)
	}
}
