package commission

import (
	"context"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/commission/voucher"
	"guanxi/internal/docstore"
)

// open opens what the ledger keeps.
func (s *Service) open(ctx context.Context, store *docstore.Store) (err error) {
	s.Policies, err = policy.New(ctx, store, s.clock, policy.Config{Lead: s.config.PolicyLead, Horizon: s.config.PolicyHorizon, Carried: s.config.Carried})
	if err != nil {
		return err
	}
	if s.book, err = book.Open(ctx, store, s.config.Book); err != nil {
		return err
	}
	s.settlements, err = docstore.Open[Settlement](ctx, store, docstore.Spec{
		Name: "settlements", ShardKey: "_id",
		Indexes: []docstore.Index{{Name: "due", Fields: []string{"due"}, Sparse: true}},
	})
	if err != nil {
		return err
	}
	if s.rounds, err = docstore.Open[settleRound](ctx, store, docstore.Spec{Name: "settle_rounds"}); err != nil {
		return err
	}
	return s.openOffice(ctx, store)
}

// openOffice opens what people work with.
func (s *Service) openOffice(ctx context.Context, store *docstore.Store) (err error) {
	s.vouchers, err = docstore.Open[Voucher](ctx, store, docstore.Spec{
		Name: "vouchers", Chained: true,
		Indexes: []docstore.Index{
			{Name: "state", Fields: []string{"state", "made_at"}},
			{Name: "unposted", Fields: []string{"unposted"}, Sparse: true},
		},
	})
	if err != nil {
		return err
	}
	if s.desk, err = voucher.Open(ctx, store, s.clock, s.config.Vouchers); err != nil {
		return err
	}
	s.disputes, err = docstore.Open[Dispute](ctx, store, docstore.Spec{
		Name: "disputes", Emits: true, Chained: true,
		Indexes: []docstore.Index{
			{Name: "state", Fields: []string{"state", "opened_at"}}, {Name: "member", Fields: []string{"member", "opened_at"}},
		},
	})
	if err != nil {
		return err
	}
	s.periods, err = docstore.Open[Period](ctx, store, docstore.Spec{
		Name: "periods", Emits: true, Chained: true, Indexes: []docstore.Index{{Name: "closing", Fields: []string{"closing"}, Sparse: true}},
	})
	if err != nil {
		return err
	}
	s.statements, err = docstore.Open[PeriodStatement](ctx, store, docstore.Spec{
		Name: "period_statements", ShardKey: "_id", Chained: true,
		Indexes: []docstore.Index{{Name: "member", Fields: []string{"member", "month"}}},
	})
	return err
}
