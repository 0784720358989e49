package withdrawal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/tax"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/id"
)

// The same with the real ledger on the real store: after every kind of end the purses prove themselves and every entry a
// statement names is in the books.
func TestTheRealLedgerAgreesWithEveryEnd(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newWorld(t, nil, Config{AutoLimit: NoLimit, MaxCount: 20, VelocityCount: 100})
	w.join("mia", 0)
	store := docstoretest.NewStore(t, w.clock)
	ledger := must(commission.New(ctx, commission.Deps{Store: store, Clock: w.clock, IDs: id.Random{}}))(t)
	book := must(tax.OpenBook(ctx, store, w.clock))(t)
	must(book.Publish(ctx, tax.CumulativeTable()))(t)
	rail := mortalRail{&process{world: w}}
	s := must(New(ctx, Deps{Store: store, Clock: w.clock, Ledger: ledger, Rail: rail, Payees: w, Taxes: book, Config: w.config}))(t)
	must(s.SetPayee(ctx, PayeeInput{Member: "mia", RealName: "米亚", By: "mia"}))(t)
	earn(t, ledger, w, 90) // 90 × 800 yuan × 20 % = 14,400 yuan

	play := func(key string, end TransferState) *Withdrawal {
		t.Helper()
		got := must(s.Ask(ctx, AskInput{Key: key, Member: "mia", Amount: 4000_00}))(t)
		if !w.platform.turn(got.ID, end, "") {
			t.Fatalf("%s is %s", key, got.State)
		}
		got = must(s.Settle(ctx, must(w.platform.query(got.ID))(t)))(t)
		if err := ledger.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(24 * time.Hour)
		return got
	}
	paid := play("a", TransferSuccess) // 4000 - 800 - 5000 < 0
	play("b", TransferFailed)
	play("c", TransferCancelled)
	taxed := play("d", TransferSuccess) // 8000 - 1600 - 5000 = 1400; × 3 % = 42
	if paid.Tax != 0 || taxed.Tax != 42_00 || taxed.Net != 3958_00 {
		t.Errorf("tax %d and %d", paid.Tax, taxed.Tax)
	}
	for _, by := range []string{"sue", "tom"} {
		must(s.Return(ctx, ReviewInput{Number: taxed.ID, By: by, Why: "银行退回"}))(t)
	}
	held := must(s.Ask(ctx, AskInput{Key: "e", Member: "mia", Amount: 400_00}))(t)
	if err := ledger.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	purse := must(ledger.Purse(ctx, "mia"))(t)
	want := commission.Balance{Available: 14400_00 - 4000_00 - 400_00, Withdrawing: 400_00, Withdrawn: 4000_00}
	if diff := cmp.Diff(want, purse.Balance); diff != "" {
		t.Error(diff)
	}
	must(s.Cancel(ctx, "mia", held.ID))(t)
	prove(t, ledger, s)
}

func earn(t *testing.T, ledger *commission.Service, w *world, sales int) {
	t.Helper()
	ctx := t.Context()
	must(ledger.Policies.Publish(ctx, policy.Policy{
		From: start.Add(-time.Hour), Cap: 5000, Rules: []policy.Rule{{Pays: []policy.Pay{{Role: commission.Host, Rate: 2000}}}},
	}))(t)
	for n := range sales {
		order := fmt.Sprintf("o%d", n)
		sale := commission.Sale{Order: order, At: start, Host: "mia", Lines: []commission.SaleLine{
			{Line: 1, SKU: "tea", Product: "tea", Category: "茶", Units: 1, Paid: 800_00},
		}}
		if err := ledger.Accrue(ctx, sale); err != nil {
			t.Fatal(err)
		}
		if err := ledger.StartWindow(ctx, order, start, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(8 * 24 * time.Hour)
	for {
		if n := must(ledger.SettleDue(ctx))(t); n == 0 {
			break
		}
	}
	if err := ledger.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
}

// prove verifies the books and looks up every entry a statement names.
func prove(t *testing.T, ledger *commission.Service, s *Service) {
	t.Helper()
	ctx := t.Context()
	if err := ledger.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	report := must(ledger.Verify(ctx, nil))(t)
	for _, d := range report.Differences {
		t.Errorf("%s %s: %s", d.Rule, d.Subject, d.Text)
	}
	posted := map[string]bool{}
	err := ledger.StreamEntries(ctx, 1, 0, func(_ *commission.Seal, entries []*commission.Entry) error {
		for _, e := range entries {
			posted[e.ID] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	err = s.Filing(context.Background(), 2026, 3, func(row tax.FilingRow) error {
		if row.Income != 4000_00 || row.Tax != 0 || row.RealName.Reveal() != "米亚" {
			t.Errorf("%+v", row)
		}
		named += len(row.Entries)
		for _, e := range row.Entries {
			if !posted[e] {
				t.Errorf("the statement names %s, which is not in the books", e)
			}
		}
		if !slices.ContainsFunc(row.Entries, func(e string) bool { return e[:4] == "tax/" }) {
			t.Error("the withheld tax is not named")
		}
		return nil
	})
	if err != nil || named != 6 {
		t.Errorf("%d entries named, %v", named, err)
	}
}

// must gives a value or ends the test.
func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
