package catalog

import (
	"context"

	"guanxi/internal/docstore"
)

type collections struct {
	products *docstore.Collection[Product]
	stocks   *docstore.Collection[Stock]
	buckets  *docstore.Collection[Bucket]
	moves    *docstore.Collection[Move]
	intakes  *docstore.Collection[Intake]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.products, err = docstore.Open[Product](ctx, store, docstore.Spec{
		Name: "products",
		Indexes: []docstore.Index{
			{Name: "category", Fields: []string{"category", "added_at"}},
			{Name: "added", Fields: []string{"added_at"}},
		},
		ShardKey: "_id",
	}); err != nil {
		return c, err
	}
	if c.stocks, err = docstore.Open[Stock](ctx, store, docstore.Spec{Name: "stocks", ShardKey: "_id"}); err != nil {
		return c, err
	}
	if c.buckets, err = docstore.Open[Bucket](ctx, store, docstore.Spec{
		Name:     "buckets",
		Indexes:  []docstore.Index{{Name: "due", Fields: []string{"due"}, Sparse: true}},
		ShardKey: "_id",
	}); err != nil {
		return c, err
	}
	if c.moves, err = docstore.Open[Move](ctx, store, docstore.Spec{Name: "stock_moves", ShardKey: "_id"}); err != nil {
		return c, err
	}
	c.intakes, err = docstore.Open[Intake](ctx, store, docstore.Spec{Name: "stock_intakes", ShardKey: "_id"})
	return c, err
}
