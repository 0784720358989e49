package community

import (
	"context"

	"guanxi/internal/docstore"
)

type collections struct {
	communities *docstore.Collection[Community]
	memberships *docstore.Collection[Membership]
	picks       *docstore.Collection[Pick]
	gradings    *docstore.Collection[Grading]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.communities, err = docstore.Open[Community](ctx, store, docstore.Spec{
		Name: "communities", Emits: true, ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: "host", Fields: []string{"host", "created_at"}},
			{Name: "created", Fields: []string{"created_at"}},
		},
	}); err != nil {
		return c, err
	}
	if c.memberships, err = docstore.Open[Membership](ctx, store, docstore.Spec{
		Name: "memberships", Emits: true, ShardKey: "community",
		Indexes: []docstore.Index{
			{Name: "community", Fields: []string{"community", "state", "joined_at"}},
			{Name: "member", Fields: []string{"member", "state", "joined_at"}},
		},
	}); err != nil {
		return c, err
	}
	if c.gradings, err = docstore.Open[Grading](ctx, store, docstore.Spec{Name: "host_grades", Emits: true, ShardKey: "_id", Chained: true}); err != nil {
		return c, err
	}
	c.picks, err = docstore.Open[Pick](ctx, store, docstore.Spec{
		Name: "picks", ShardKey: "community",
		Indexes: []docstore.Index{{Name: "shelf", Fields: []string{"community", "shelved", "rank"}}},
	})
	return c, err
}
