package order

import (
	"errors"
	"testing"
)

// Open campaigns of a host whose approval was taken back admit no new orders at once, and hold nothing for them.
func TestARevokedHostTakesNoOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.place("before")
	w.hosts.revoke()
	in := PlaceInput{Key: "after", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 1}}}
	if _, err := w.orders.Place(t.Context(), in); !errors.Is(err, ErrHostPaused) {
		t.Errorf("place: %v", err)
	}
	if _, err := w.orders.Quote(t.Context(), QuoteInput{Member: "mia", Campaign: "spring", Lines: in.Lines}); !errors.Is(err, ErrHostPaused) {
		t.Errorf("quote: %v", err)
	}
	if len(w.campaign.claims) != 1 || len(w.stock.holds) != 1 {
		t.Errorf("held: %v %v", w.campaign.claims, w.stock.holds)
	}
	in = PlaceInput{Key: "before", Member: "mia", Campaign: "spring", Lines: []Wish{{"tea", 3}, {"nuts", 1}}}
	if again, err := w.orders.Place(t.Context(), in); err != nil || again.ID != before.ID {
		t.Errorf("a repeated key answers its order: %v %v", again, err)
	}
}
