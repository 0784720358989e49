package distribution

import (
	"context"
	"time"

	"guanxi/internal/docstore"
)

type collections struct {
	shares   *docstore.Collection[Share]
	touches  *docstore.Collection[Touch]
	bonds    *docstore.Collection[Bond]
	rebinds  *docstore.Collection[rebind]
	policies *docstore.Collection[policyDoc]
}

// rebind is the audit document of one staff decision, written before the decision takes effect.
type rebind struct {
	docstore.Doc `bson:",inline"`
	Member       string    `bson:"member"`
	From         string    `bson:"from,omitempty"` // who held the bond when it was asked for
	To           string    `bson:"to,omitempty"`
	By           string    `bson:"by"`
	Reason       string    `bson:"reason"`
	At           time.Time `bson:"at"`
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.shares, err = docstore.Open[Share](ctx, store, docstore.Spec{
		Name: "shares", ShardKey: "_id",
		Indexes: []docstore.Index{{Name: "sharer", Fields: []string{"sharer", "at"}}},
	}); err != nil {
		return c, err
	}
	if c.touches, err = docstore.Open[Touch](ctx, store, docstore.Spec{
		Name: "touches", Emits: true, ShardKey: "_id",
		Indexes: []docstore.Index{
			{Name: "visitor", Fields: []string{"visitor", "at"}},
			{Name: "share", Fields: []string{"share", "at"}},
		},
	}); err != nil {
		return c, err
	}
	if c.bonds, err = docstore.Open[Bond](ctx, store, docstore.Spec{
		Name: "bonds", Emits: true, ShardKey: "_id",
		Indexes: []docstore.Index{{Name: "holder", Fields: []string{"current.by", "current.since"}, Sparse: true}},
	}); err != nil {
		return c, err
	}
	if c.rebinds, err = docstore.Open[rebind](ctx, store, docstore.Spec{
		Name: "rebinds", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{{Name: "member", Fields: []string{"member", "at"}}},
	}); err != nil {
		return c, err
	}
	c.policies, err = docstore.Open[policyDoc](ctx, store, docstore.Spec{
		Name:    "bond_policies",
		Chained: true,
		Indexes: []docstore.Index{{Name: "start", Fields: []string{"from"}, Unique: true}},
	})
	return c, err
}
