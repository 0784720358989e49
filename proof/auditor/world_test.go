package auditor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/flow"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/event"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order"
	"guanxi/proof/auditor"
)

// world is the real ledger and the real withdrawals, fed by real events through the real flow; only the orders are
// documents of the test's own.
type world struct {
	t       testing.TB
	clock   *clock.Manual
	store   *docstore.Store
	ledger  *commission.Service
	desk    *withdrawal.Service
	rail    *rail
	relay   *event.Relay
	orders  *docstore.Collection[orderDoc]
	refunds map[string]int
}

type orderDoc struct {
	docstore.Doc `bson:",inline"`
	Member       string    `bson:"member"`
	Campaign     string    `bson:"campaign"`
	State        string    `bson:"state"`
	PlacedAt     time.Time `bson:"placed_at"`
	Host         string    `bson:"host"`
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 10, 8, 2, 0, 0, 0, time.UTC))
	w := &world{t: t, clock: c, store: docstoretest.NewStore(t, c), rail: &rail{}, refunds: map[string]int{}}
	var err error
	w.orders, err = docstore.Open[orderDoc](t.Context(), w.store, docstore.Spec{Name: "orders", Emits: true})
	must(t, err)
	w.ledger, err = commission.New(t.Context(), commission.Deps{Store: w.store, Clock: c, IDs: id.Random{}, Config: commission.Config{
		Categories: map[string]commission.Window{"生鲜": {}},
	}})
	must(t, err)
	taxes, err := tax.OpenBook(t.Context(), w.store, c)
	must(t, err)
	_, err = taxes.Publish(t.Context(), tax.PerPaymentTable())
	must(t, err)
	w.desk, err = withdrawal.New(t.Context(), withdrawal.Deps{
		Store: w.store, Clock: c, Ledger: w.ledger, Rail: w.rail, Payees: payees{}, Taxes: taxes,
		Config: withdrawal.Config{
			Several: true, AutoLimit: withdrawal.NoLimit, TwoPersonLimit: withdrawal.NoLimit, VelocityCount: 1000, MaxCount: 20,
			MaxPerTime: withdrawal.NoLimit, MaxPerDay: withdrawal.NoLimit, MaxMonthly: withdrawal.NoLimit, RealNameFrom: withdrawal.NoLimit,
		},
	})
	must(t, err)
	var rows []event.Consumer
	for _, row := range flow.Table(flow.Deps{Commission: w.ledger}) {
		if strings.HasPrefix(row.Name, "commission.") {
			rows = append(rows, row)
		}
	}
	w.relay, err = event.NewRelay(t.Context(), event.RelayConfig{Store: w.store, Clock: c, Consumers: rows})
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tell stores an event with an order.
func (w *world) tell(number, name string, body any) {
	w.t.Helper()
	_, err := w.orders.Upsert(w.t.Context(), number, func(d *orderDoc) error {
		d.Member, d.Campaign, d.State, d.PlacedAt = "buyer", "c1", "paid", w.clock.Now()
		d.Emit(name, body)
		return nil
	})
	must(w.t, err)
}

func (w *world) drain() {
	w.t.Helper()
	must(w.t, w.relay.Drain(w.t.Context()))
	must(w.t, w.ledger.CatchUp(w.t.Context()))
}

func (w *world) sale(number string, paid ...money.Fen) order.Sale {
	s := order.Sale{
		Order: number, Member: "buyer", Campaign: "c1", Community: "com1", Host: "host1", Grade: "gold", Keeper: "keeper",
		Referral: order.Referral{Direct: "alice", Upline: "bob", Why: "first-touch"}, PlacedAt: w.clock.Now(),
	}
	for i, p := range paid {
		s.Lines = append(s.Lines, order.SaleLine{Line: i + 1, SKU: fmt.Sprint("sku", i+1), Product: fmt.Sprint("p", i+1), Category: "水果", Units: 2, Paid: p, Cost: p / 4})
		s.Amount += p
	}
	return s
}

func (w *world) confirm(s order.Sale) {
	w.t.Helper()
	w.tell(s.Order, order.EventConfirmed, order.Confirmed{Sale: s, ConfirmedAt: w.clock.Now()})
}

func (w *world) receive(s order.Sale) {
	w.t.Helper()
	now := w.clock.Now()
	w.tell(s.Order, order.EventReceived, order.Received{Sale: s, ReceivedAt: now, WindowEnds: now.Add(2 * 24 * time.Hour)})
}

// refund tells that so much of a line has gone back in all.
func (w *world) refund(s order.Sale, line int, total money.Fen) {
	w.t.Helper()
	w.refunds[s.Order]++
	w.tell(s.Order, order.EventRefunded, order.Refunded{
		Order: s.Order, Refund: fmt.Sprint(s.Order, "R", w.refunds[s.Order]), DoneAt: w.clock.Now(),
		Lines: []order.RefundedLine{{Line: line, TotalAmount: total, Paid: s.Lines[line-1].Paid}},
	})
}

func (w *world) settle() {
	w.t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = w.ledger.SettleDue(w.t.Context())
		must(w.t, err)
	}
	must(w.t, w.ledger.CatchUp(w.t.Context()))
}

// withdraw asks for money and, when outcome is not "", tells how it ended.
func (w *world) withdraw(member, key string, amount money.Fen, outcome withdrawal.TransferState) *withdrawal.Withdrawal {
	w.t.Helper()
	d, err := w.desk.Ask(w.t.Context(), withdrawal.AskInput{Key: key, Member: member, Amount: amount})
	must(w.t, err)
	if outcome != "" {
		d, err = w.desk.Settle(w.t.Context(), withdrawal.Outcome{Number: d.ID, State: outcome, At: w.clock.Now()})
		must(w.t, err)
	}
	must(w.t, w.ledger.CatchUp(w.t.Context()))
	return d
}

func (w *world) voucher(key string, kind commission.Kind, from, to commission.Account, amount money.Fen) {
	w.t.Helper()
	v, err := w.ledger.ProposeVoucher(w.t.Context(), commission.VoucherInput{
		Key: key, Maker: "clerk", Kind: kind, From: from, To: to, Amount: amount, Reason: "补记",
	})
	must(w.t, err)
	_, err = w.ledger.ApproveVoucher(w.t.Context(), v.ID, "chief", "")
	must(w.t, err)
	must(w.t, w.ledger.CatchUp(w.t.Context()))
}

func (w *world) audit() *auditor.Report {
	w.t.Helper()
	r, err := auditor.Audit(w.t.Context(), w.store, nil)
	must(w.t, err)
	return r
}

func (w *world) publish(p policy.Policy) {
	w.t.Helper()
	_, err := w.ledger.Policies.Publish(w.t.Context(), p)
	must(w.t, err)
}

// rail is a platform that always asks the member to confirm.
type rail struct{}

func (*rail) Send(_ context.Context, t withdrawal.Transfer) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{Number: t.Number, State: withdrawal.TransferWaiting, Amount: t.Amount}, nil
}

func (*rail) Query(context.Context, string) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{}, withdrawal.ErrUnknownNumber
}

func (*rail) Cancel(_ context.Context, number string) (withdrawal.Outcome, error) {
	return withdrawal.Outcome{Number: number, State: withdrawal.TransferCanceling}, nil
}

type payees struct{}

func (payees) OpenID(context.Context, string) (string, error) { return "openid", nil }
func (payees) MemberSince(context.Context, string) (time.Time, error) {
	return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), nil
}
