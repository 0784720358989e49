package app

import (
	"context"
	"log/slog"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/console"
	"guanxi/flow"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/transfer"
	"guanxi/member"
	miniprogramapi "guanxi/miniprogram-api"
	"guanxi/order"
	"guanxi/outreach"
	"guanxi/reconcile"
)

// Specs are the declarations of all collections, by name. The program is joined on a store that keeps nothing; nobody uses it.
func Specs(ctx context.Context) (map[string]docstore.Spec, error) {
	told := &transfer.Specs{}
	store, err := docstore.New(docstore.Config{Driver: told, Clock: clock.System{}, Keys: docstore.BlindKeyRing()})
	if err != nil {
		return nil, err
	}
	_, err = New(ctx, Config{
		Store: store, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Platform: struct{ member.Platform }{}, Payments: struct{ order.Payments }{}, Rail: struct{ withdrawal.Rail }{},
		Shares: struct{ sharing.Shares }{}, Bills: struct{ reconcile.Bills }{}, Notifications: struct{ miniprogramapi.Notifications }{},
		Shipping: struct{ flow.Shipping }{}, Messages: struct{ outreach.Sender }{}, Codes: struct{ miniprogramapi.CodeImages }{},
		Passwords: console.Cost{MemoryKiB: 64, Passes: 1},
	})
	return told.All(), err
}
