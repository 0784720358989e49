package order

import (
	"context"

	"guanxi/internal/docstore"
)

// The indexes an order is found by.
const (
	indexMember   = "member"   // my orders, newest first
	indexCampaign = "campaign" // a campaign's orders in one state, newest first
	indexNext     = "next"     // due for an automatic look
	indexIncident = "incident" // with something people should look at
	indexPaid     = "paid"     // by the moment of the payment: a day's bill
	indexHost     = "host"     // a host's orders by the day they were placed
	indexBrand    = "brand"    // with a request the brand has to answer
)

func openOrders(ctx context.Context, store *docstore.Store) (*docstore.Collection[Order], error) {
	return docstore.Open[Order](ctx, store, docstore.Spec{
		Name: "orders", Emits: true,
		Indexes: []docstore.Index{
			{Name: indexMember, Fields: []string{"member", "placed_at"}},
			{Name: indexCampaign, Fields: []string{"campaign", "state", "placed_at"}},
			{Name: indexNext, Fields: []string{"next_at"}, Sparse: true},
			{Name: indexIncident, Fields: []string{"incident_at"}, Sparse: true},
			{Name: indexPaid, Fields: []string{"payment.paid_at"}, Sparse: true},
			{Name: indexHost, Fields: []string{"host", "placed_at"}},
			{Name: indexBrand, Fields: []string{"brand_at"}, Sparse: true},
		},
		ShardKey: "_id",
	})
}
