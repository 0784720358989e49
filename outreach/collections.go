package outreach

import (
	"context"
	"errors"

	"guanxi/internal/docstore"
)

// The indexes notices are found by.
const (
	indexMember = "member" // a member's, newest first
	indexNext   = "next"   // due for a look
)

func (s *Service) open(ctx context.Context, store *docstore.Store) error {
	var errs [2]error
	s.credits, errs[0] = docstore.Open[Credit](ctx, store, docstore.Spec{Name: "message_credits", ShardKey: "_id"})
	s.notices, errs[1] = docstore.Open[Notice](ctx, store, docstore.Spec{
		Name: "notices",
		Indexes: []docstore.Index{
			{Name: indexMember, Fields: []string{"member", "at"}},
			{Name: indexNext, Fields: []string{"next_at"}, Sparse: true},
		},
		ShardKey: "_id",
	})
	return errors.Join(errs[:]...)
}
