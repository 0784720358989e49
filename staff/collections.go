package staff

import (
	"context"

	"guanxi/internal/docstore"
)

type collections struct {
	operators *docstore.Collection[Operator]
	sessions  *docstore.Collection[Session]
	attempts  *docstore.Collection[attempts]
	deeds     *docstore.Collection[Deed]
	drafts    *docstore.Collection[Draft]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.operators, err = docstore.Open[Operator](ctx, store, docstore.Spec{
		Name: "operators", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{{Name: "login", Fields: []string{"login"}}},
	}); err != nil {
		return c, err
	}
	if c.sessions, err = docstore.Open[Session](ctx, store, docstore.Spec{
		Name: "staff_sessions", ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: "operator", Fields: []string{"operator", "at"}},
			{Name: "expires", Fields: []string{"expires_at"}},
		},
	}); err != nil {
		return c, err
	}
	if c.attempts, err = docstore.Open[attempts](ctx, store, docstore.Spec{
		Name: "staff_attempts", ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: "operator", Fields: []string{"operator"}},
			{Name: "at", Fields: []string{"at"}},
		},
	}); err != nil {
		return c, err
	}
	if c.drafts, err = docstore.Open[Draft](ctx, store, docstore.Spec{
		Name: "staff_drafts", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{{Name: "state", Fields: []string{"kind", "state", "made_at"}}},
	}); err != nil {
		return c, err
	}
	c.deeds, err = docstore.Open[Deed](ctx, store, docstore.Spec{
		Name: "deeds", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{
			{Name: "at", Fields: []string{"at"}},
			{Name: "by", Fields: []string{"by", "at"}},
			{Name: "subject", Fields: []string{"subject", "at"}},
		},
	})
	return c, err
}
