package catalog

import (
	"testing"
)

func TestAHostMayNotGoBelowThePriceUnlessTheBrandSaysHowFar(t *testing.T) {
	t.Parallel()
	s := newShop(t, Config{})
	in := tea()
	in.SKUs[0].Floor = in.SKUs[0].Price - 100
	p, err := s.AddProduct(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.SKU(t.Context(), p.SKUs[0].ID)
	if err != nil || first.Floor != in.SKUs[0].Price-100 {
		t.Errorf("floor = %d, %v", first.Floor, err)
	}
	second, err := s.SKU(t.Context(), p.SKUs[1].ID)
	if err != nil || second.Floor != in.SKUs[1].Price {
		t.Errorf("default floor = %d, want the price %d; %v", second.Floor, in.SKUs[1].Price, err)
	}
	in.SKUs[0].Floor--
	_, err = s.AddProduct(t.Context(), in)
	expectFault(t, err, ErrKeyReused)
	edited, err := s.EditProduct(t.Context(), p.ID, in)
	if err != nil || edited.SKUs[0].Lowest() != in.SKUs[0].Floor {
		t.Errorf("after the edit: %+v, %v", edited, err)
	}
}
