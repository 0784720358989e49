package member

import (
	"context"

	"guanxi/internal/docstore"
)

type collections struct {
	members  *docstore.Collection[Member]
	sessions *docstore.Collection[Session]
	consents *docstore.Collection[Consent]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.members, err = docstore.Open[Member](ctx, store, docstore.Spec{
		Name: "members", Emits: true, // whole on one shard: a phone is one member's, whichever shard the member would be on
		Indexes: []docstore.Index{
			{Name: "phone", Fields: []string{"phone_key"}, Unique: true, Sparse: true},
			{Name: "union", Fields: []string{"union_key"}, Sparse: true},
		},
		Lookups: []docstore.Lookup{
			{Field: "phone_key", Of: "phone", Purpose: "phone"},
			{Field: "union_key", Of: "union_id", Purpose: "unionid"},
		},
	}); err != nil {
		return c, err
	}
	if c.sessions, err = docstore.Open[Session](ctx, store, docstore.Spec{
		Name: "sessions", ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: "member", Fields: []string{"member", "at"}},
			{Name: "expires", Fields: []string{"expires_at"}},
		},
	}); err != nil {
		return c, err
	}
	c.consents, err = docstore.Open[Consent](ctx, store, docstore.Spec{Name: "consents", Emits: true, ShardKey: "_id", Chained: true})
	return c, err
}
