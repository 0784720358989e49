package app_test

import (
	"testing"

	"guanxi/catalog"
)

func TestAHostCannotSellBelowTheBrandsFloor(t *testing.T) {
	t.Parallel()
	w, _, _ := watchedWorld(t, nil)
	e := newEstate(t, w)
	p, err := w.Catalog.AddProduct(t.Context(), catalog.ProductInput{
		Key: "p-tea", Name: "正山小种", Category: "茶", SKUs: []catalog.SKUInput{{Code: "a", Name: "100克", Price: 6800, Floor: 6000, Cost: 3000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tea := p.SKUs[0].ID
	draft := func(sku string, price int64) map[string]any {
		body := e.draftBody()
		body["items"] = []any{map[string]any{"sku": sku, "price_fen": price}}
		return body
	}
	path := "/v1/host/communities/" + e.community + "/campaigns"
	for _, c := range []struct {
		sku    string
		price  int64
		status int
	}{{e.sku, 1, 422}, {e.sku, 5989, 422}, {e.sku, 5990, 201}, {tea, 5999, 422}, {tea, 6000, 201}, {tea, 0, 201}} {
		status, out := e.host.do("POST", path, draft(c.sku, c.price))
		if status != c.status || status == 422 && out.text("code") != "GRP_PRICE_FLOOR" {
			t.Errorf("%d fen: %d %v", c.price, status, out)
		}
	}
	c := e.draft()
	if status, out := e.host.do("PUT", "/v1/host/campaigns/"+c, draft(e.sku, 100)); status != 422 || out.text("code") != "GRP_PRICE_FLOOR" {
		t.Errorf("edit: %d %v", status, out)
	}
	for _, one := range e.host.must("GET", "/v1/host/products", nil, 200).list("products") {
		sku := answer(one.(map[string]any)).list("skus")[0].(map[string]any)
		if want := map[string]float64{tea: 6000, e.sku: 5990}[sku["id"].(string)]; sku["floor_fen"].(float64) != want {
			t.Errorf("the host is shown %v, want the floor %v", sku, want)
		}
	}
}
