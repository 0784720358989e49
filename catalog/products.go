package catalog

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Paging asks for one page of a list.
type Paging struct {
	After string // Next of the page before; "" for the first
	Limit int    // 1–100; 0 = 20
}

func (p Paging) on(q docstore.Query) (docstore.Query, error) {
	if p.Limit == 0 {
		p.Limit = 20
	}
	if p.Limit < 0 || p.Limit > 100 || len(p.After) > 1000 {
		return q, ErrPageInvalid
	}
	return q.First(p.Limit).Continue(p.After), nil
}

// AddProduct makes a product; the same key with the same content answers the product made before.
// Codes: CAT_PRODUCT_INVALID, CAT_KEY_REUSED.
func (s *Service) AddProduct(ctx context.Context, in ProductInput) (*Product, error) {
	if !id.ValidKey(in.Key) {
		return nil, ErrProductInvalid.With("key", "缺少幂等编号 (an idempotency key is required)")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	product := &Product{AddedAt: s.clock.Now(), MadeFrom: in.hash()}
	product.ID = id.Derive("product", in.Key)
	if err := product.fill(&in); err != nil {
		return nil, err
	}
	err := s.products.Insert(ctx, product)
	if err == nil {
		return product, nil
	}
	if !docstore.Exists(err) {
		return nil, fmt.Errorf("add product: %w", err)
	}
	stored, err := s.products.Get(ctx, product.ID)
	if err != nil {
		return nil, fmt.Errorf("add product: %w", err)
	}
	if stored.MadeFrom != product.MadeFrom {
		return nil, ErrKeyReused
	}
	return stored, nil
}

// EditProduct replaces what a product says and its variants. Repeating it changes nothing more.
// Codes: CAT_PRODUCT_NOT_FOUND, CAT_PRODUCT_INVALID.
func (s *Service) EditProduct(ctx context.Context, product string, in ProductInput) (*Product, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := s.products.Update(ctx, product, func(p *Product) error { return p.fill(&in) })
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrProductNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("edit product: %w", err)
	}
	return p, nil
}

// Offer puts a product on sale, or takes it off: nothing new can be started with it, what was started is finished.
// Codes: CAT_PRODUCT_NOT_FOUND.
func (s *Service) Offer(ctx context.Context, product string, state State) (*Product, error) {
	if state != OnSale && state != OffSale {
		return nil, ErrProductInvalid.With("state", "须为 on 或 off (on or off)")
	}
	p, err := s.products.Update(ctx, product, func(p *Product) error {
		p.State = state
		return nil
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrProductNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("offer product: %w", err)
	}
	return p, nil
}

// Product gives one product. Codes: CAT_PRODUCT_NOT_FOUND.
func (s *Service) Product(ctx context.Context, product string) (*Product, error) {
	p, err := s.products.Get(ctx, product)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, ErrProductNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("product: %w", err)
	}
	return p, nil
}

// Products gives those of the products that exist, by id; at most 1,000 are looked up.
func (s *Service) Products(ctx context.Context, ids []string) (map[string]*Product, error) {
	found, err := s.products.GetMany(ctx, storable(ids))
	if err != nil {
		return nil, fmt.Errorf("products: %w", err)
	}
	return found, nil
}

// storable leaves out what can be no document's id, and everything beyond 1,000.
func storable(ids []string) []string {
	good := make([]string, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	for _, one := range ids {
		if id.Valid(one) && !seen[one] && len(good) < 1000 {
			good, seen[one] = append(good, one), true
		}
	}
	return good
}

// List gives a page of a category's products, or of all when category is empty, newest first.
// Codes: CAT_PAGE_INVALID.
func (s *Service) List(ctx context.Context, category string, page Paging) (docstore.Page[Product], error) {
	query := docstore.By("added")
	if category != "" {
		if !plain(category) {
			return docstore.Page[Product]{}, ErrPageInvalid
		}
		query = docstore.By("category", category)
	}
	query, err := page.on(query.Newest())
	if err != nil {
		return docstore.Page[Product]{}, err
	}
	found, err := s.products.Find(ctx, query)
	if errors.Is(err, docstore.ErrInvalid) {
		return docstore.Page[Product]{}, ErrPageInvalid.Because(err)
	}
	if err != nil {
		return docstore.Page[Product]{}, fmt.Errorf("list products: %w", err)
	}
	return found, nil
}

// SKU gives one variant. Codes: CAT_SKU_NOT_FOUND.
func (s *Service) SKU(ctx context.Context, sku string) (SKUInfo, error) {
	found, err := s.SKUs(ctx, []string{sku})
	if err != nil {
		return SKUInfo{}, err
	}
	info, ok := found[sku]
	if !ok {
		return SKUInfo{}, ErrSKUNotFound
	}
	return info, nil
}

// SKUs gives those of the variants that exist, by id, gone ones too (see SKUInfo.OnSale); at most 1,000.
func (s *Service) SKUs(ctx context.Context, skus []string) (map[string]SKUInfo, error) {
	owners := make([]string, 0, len(skus))
	wanted := make(map[string]bool, len(skus))
	for _, sku := range skus {
		owners, wanted[sku] = append(owners, productOf(sku)), true
	}
	products, err := s.Products(ctx, owners)
	if err != nil {
		return nil, err
	}
	found := make(map[string]SKUInfo, len(wanted))
	for _, product := range products {
		for _, sku := range product.SKUs {
			if wanted[sku.ID] {
				found[sku.ID] = product.info(sku)
			}
		}
	}
	return found, nil
}
