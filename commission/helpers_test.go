package commission

import (
	"context"
	"fmt"
	"testing"
	"time"

	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// start is where every test's clock stands at first.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

type world struct {
	*Service
	clock *clock.Manual
	store *docstore.Store
}

func newWorld(t testing.TB, config Config) *world {
	t.Helper()
	c := clock.NewManual(start)
	w := &world{clock: c, store: docstoretest.NewStore(t, c)}
	w.Service = open(t, w.store, c, config)
	return w
}

func open(t testing.TB, store *docstore.Store, c clock.Clock, config Config) *Service {
	t.Helper()
	if config.Carried == nil { // the ledger knows roles that no order carries yet
		config.Carried = everyRole
	}
	s, err := New(t.Context(), Deps{Store: store, Clock: c, IDs: id.Random{}, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publish publishes the policy most tests run under.
func (w *world) publish(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := w.Policies.Publish(t.Context(), testPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testPolicy() policy.Policy {
	return policy.Policy{
		From: start.Add(-24 * time.Hour), SecondLevel: true, Cap: 2000,
		Rules: []policy.Rule{
			{Pays: []policy.Pay{{Role: Direct, Rate: 800}, {Role: Upline, Rate: 200}, {Role: Host, Rate: 300}}},
			{Product: "p-gift", Pays: []policy.Pay{{Role: Host, Fixed: 150}}},
		},
	}
}

// sale is order n with the given amounts paid per line.
func sale(order string, paid ...money.Fen) Sale {
	s := Sale{
		Order: order, At: start, Campaign: "c1", Host: "host1",
		Referral: Referral{Policy: "2", Direct: "alice", Upline: "bob", Why: "first-touch", Share: "sh1", Touch: "to1"},
	}
	for i, p := range paid {
		s.Lines = append(s.Lines, SaleLine{
			Line: i + 1, SKU: fmt.Sprintf("sku%d", i+1), Product: fmt.Sprintf("p%d", i+1), Category: "水果", Units: 2, Paid: p, Cost: p / 4,
		})
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func balance(t testing.TB, s *Service, member string) Balance {
	t.Helper()
	must(t, s.CatchUp(t.Context()))
	p, err := s.Purse(t.Context(), member)
	must(t, err)
	return p.Balance
}

func everyRole(context.Context, time.Time) ([]Role, error) {
	return []Role{Direct, Upline, Host, Pickup, HelpSell, StaffRole}, nil
}
