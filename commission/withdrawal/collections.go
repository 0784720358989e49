package withdrawal

import (
	"context"
	"errors"

	"guanxi/commission/withdrawal/taxyear"
	"guanxi/internal/docstore"
)

// The indexes withdrawals are found by.
const (
	indexMember   = "member"   // a member's, newest first
	indexState    = "state"    // staff's lists, oldest first
	indexNext     = "next"     // due for an automatic look
	indexIncident = "incident" // with something people should look at
	indexEnded    = "ended"    // by the moment of the final word: a day's bill
)

func openWithdrawals(ctx context.Context, store *docstore.Store) (*docstore.Collection[Withdrawal], error) {
	return docstore.Open[Withdrawal](ctx, store, docstore.Spec{
		Name: "withdrawals", Emits: true,
		Indexes: []docstore.Index{
			{Name: indexMember, Fields: []string{"member", "asked_at"}},
			{Name: indexState, Fields: []string{"state", "asked_at"}},
			{Name: indexNext, Fields: []string{"next_at"}, Sparse: true},
			{Name: indexIncident, Fields: []string{"incident_at"}, Sparse: true},
			{Name: indexEnded, Fields: []string{"ended_at"}, Sparse: true},
		},
		ShardKey: "_id",
		Chained:  true,
	})
}

func (s *Service) open(ctx context.Context, store *docstore.Store) error {
	var errs [5]error
	s.withdrawals, errs[0] = openWithdrawals(ctx, store)
	s.desks, errs[1] = docstore.Open[desk](ctx, store, docstore.Spec{Name: "withdrawal_desks", ShardKey: "_id"})
	s.payees, errs[2] = docstore.Open[Payee](ctx, store, docstore.Spec{Name: "payees", ShardKey: "_id", Chained: true})
	s.identities, errs[3] = docstore.Open[identity](ctx, store, docstore.Spec{Name: "payee_identities", ShardKey: "_id"})
	s.years, errs[4] = taxyear.Collection(ctx, store)
	return errors.Join(errs[:]...)
}
