package groupbuy

import (
	"context"

	"guanxi/internal/docstore"
)

type collections struct {
	campaigns  *docstore.Collection[Campaign]
	quotas     *docstore.Collection[Quota]
	allotments *docstore.Collection[Allotment]
	seats      *docstore.Collection[Seat]
	leaves     *docstore.Collection[Leaving]
	tallies    *docstore.Collection[Tally]
}

func openCollections(ctx context.Context, store *docstore.Store) (c collections, err error) {
	if c.campaigns, err = openCampaigns(ctx, store); err != nil {
		return c, err
	}
	if c.quotas, err = docstore.Open[Quota](ctx, store, docstore.Spec{
		Name: "quotas",
		// the claims nobody has paid for yet; closing a campaign waits for the latest of them
		Indexes:  []docstore.Index{{Name: "unpaid", Fields: []string{"unpaid.in", "unpaid.until"}, Sparse: true}},
		ShardKey: "_id",
	}); err != nil {
		return c, err
	}
	if c.allotments, err = docstore.Open[Allotment](ctx, store, docstore.Spec{Name: "allotments", ShardKey: "_id"}); err != nil {
		return c, err
	}
	if c.seats, err = docstore.Open[Seat](ctx, store, docstore.Spec{
		Name: "seats", Emits: true,
		Indexes: []docstore.Index{
			{Name: "order", Fields: []string{"campaign", "order"}, Unique: true},
			{Name: "number", Fields: []string{"campaign", "number"}},
		},
		ShardKey: "campaign",
	}); err != nil {
		return c, err
	}
	if c.leaves, err = docstore.Open[Leaving](ctx, store, docstore.Spec{Name: "seat_leaves", ShardKey: "_id"}); err != nil {
		return c, err
	}
	c.tallies, err = docstore.Open[Tally](ctx, store, docstore.Spec{Name: "tallies", ShardKey: "_id"})
	return c, err
}

func openCampaigns(ctx context.Context, store *docstore.Store) (*docstore.Collection[Campaign], error) {
	return docstore.Open[Campaign](ctx, store, docstore.Spec{
		Name: "campaigns", Emits: true,
		Indexes: []docstore.Index{
			{Name: "host", Fields: []string{"host", "drafted_at"}},
			{Name: "feed", Fields: []string{"feed.in", "feed.rank", "feed.at"}, Sparse: true},
			{Name: "next", Fields: []string{"next_at"}, Sparse: true},
		},
		ShardKey: "_id",
	})
}
