package crosscheck

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/internal/money"
	"guanxi/order"
)

// The rules.
const (
	ruleOrder      = "order"
	ruleAccrual    = "accrual"
	ruleClawBack   = "claw-back"
	ruleSettle     = "settle"
	ruleWithdrawal = "withdrawal"
	ruleSharing    = "sharing"
	ruleTransfer   = "transfer"
)

func accrueID(o string) string           { return string(commission.Accrue) + "/" + o }
func clawBackID(o, refund string) string { return string(commission.ClawBack) + "/" + o + "/" + refund }

// soundOrder proves what an order says of itself: its amount is what its lines were sold for.
func soundOrder(o *order.Order) []Difference {
	sum := money.Fen(0)
	for i := range o.Lines {
		sum += o.Lines[i].Paid
	}
	if sum != o.Amount {
		return []Difference{differ(ruleOrder, o.ID, "its amount is %s yuan, its lines make %s", o.Amount.Yuan(), sum.Yuan())}
	}
	return nil
}

// orders walks the confirmed orders and asks the ledger for each.
func (r *run) orders(ctx context.Context) error {
	batch := make([]*order.Order, 0, r.Config.Batch)
	flush := func() error {
		if err := r.orderBatch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
		r.progress(Progress{"orders", r.report.Orders})
		return nil
	}
	debts := make([]*order.Order, 0, r.Config.Batch)
	err := r.Orders.Each(ctx, func(o *order.Order) error {
		if mayOwe(o) {
			if debts = append(debts, o); len(debts) == r.Config.Batch {
				if err := r.owed(ctx, debts); err != nil {
					return err
				}
				debts = debts[:0]
			}
		}
		if o.ConfirmedAt.IsZero() {
			r.tell(soundOrder(o))
			return nil
		}
		if batch = append(batch, o); len(batch) < r.Config.Batch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = r.owed(ctx, debts)
	}
	if err != nil {
		return err
	}
	return flush()
}

func (r *run) orderBatch(ctx context.Context, batch []*order.Order) error {
	if len(batch) == 0 {
		return nil
	}
	entries, err := r.entries(ctx, entriesOf(batch...))
	if err != nil {
		return err
	}
	for _, o := range batch {
		if entries[accrueID(o.ID)] == nil && r.young(o.ConfirmedAt) {
			r.report.Young++
			continue
		}
		r.report.Orders++
		for i := range o.Refunds {
			if o.Refunds[i].Stage == order.StageDone {
				r.report.Refunds++
			}
		}
		if len(r.answered(o, entries)) == 0 {
			continue
		}
		if err := r.orderAgain(ctx, o.ID); err != nil {
			return err
		}
	}
	return nil
}

// orderAgain looks at an order a second time, on fresh copies, before it tells anybody.
func (r *run) orderAgain(ctx context.Context, id string) error {
	fresh, err := r.Orders.Many(ctx, []string{id})
	if err != nil || fresh[id] == nil {
		return err
	}
	entries, err := r.entries(ctx, entriesOf(fresh[id]))
	if err != nil {
		return err
	}
	r.tell(r.answered(fresh[id], entries))
	return nil
}

// entriesOf names the entries that may answer to orders.
func entriesOf(orders ...*order.Order) []string {
	ids := make([]string, 0, len(orders))
	for _, o := range orders {
		ids = append(ids, accrueID(o.ID))
		for i := range o.Refunds {
			if o.Refunds[i].Stage == order.StageDone {
				ids = append(ids, clawBackID(o.ID, o.Refunds[i].Number))
			}
		}
	}
	return ids
}

// answered says what is wrong with the ledger's answer to an order.
func (r *run) answered(o *order.Order, entries map[string]*commission.Entry) []Difference {
	accrual := entries[accrueID(o.ID)]
	if accrual == nil {
		return []Difference{differ(ruleAccrual, o.ID, "confirmed at %s, and the ledger has no accrual",
			o.ConfirmedAt.Format(time.RFC3339))}
	}
	all := r.sameSale(o, accrual)
	latest := time.Time{}
	for i := range o.Refunds {
		if o.Refunds[i].Stage == order.StageDone && o.Refunds[i].DoneAt.After(latest) {
			latest = o.Refunds[i].DoneAt
		}
	}
	if latest.IsZero() {
		return all
	}
	if r.young(latest) {
		r.report.Young++
		return all
	}
	return append(all, takenBack(o, accrual, entries)...)
}

// sameSale compares an order with its accrual.
func (r *run) sameSale(o *order.Order, e *commission.Entry) []Difference {
	var all []Difference
	for _, c := range []struct{ what, order, entry string }{
		{"campaign", o.Campaign, e.Campaign},
		{"host", o.Host, e.Host},
		{"referrer", o.Referral.Direct, e.Referral.Direct},
		{"referrer's referrer", o.Referral.Upline, e.Referral.Upline},
	} {
		if c.order != c.entry {
			all = append(all, differ(ruleAccrual, o.ID, "%s is %q in the order and %q in the accrual", c.what, c.order, c.entry))
		}
	}
	if !o.ConfirmedAt.Equal(e.At) {
		all = append(all, differ(ruleAccrual, o.ID, "confirmed at %s, accrued as of %s",
			o.ConfirmedAt.Format(time.RFC3339Nano), e.At.Format(time.RFC3339Nano)))
	}
	if len(o.Lines) != len(e.Lines) {
		return append(all, differ(ruleAccrual, o.ID, "%d lines in the order, %d in the accrual", len(o.Lines), len(e.Lines)))
	}
	for i, l := range o.Lines {
		sold := commission.SaleLine{
			Line: i + 1, SKU: l.SKU, Product: l.Product, Category: l.Category, Units: l.Units, Paid: l.Paid, Cost: l.Cost,
		}
		if sold != e.Lines[i] {
			all = append(all, differ(ruleAccrual, o.ID,
				"line %d is %s × %d for %s yuan in the order and %s × %d for %s yuan in the accrual (or category, product or cost differ)",
				i+1, l.SKU, l.Units, l.Paid.Yuan(), e.Lines[i].SKU, e.Lines[i].Units, e.Lines[i].Paid.Yuan()))
		}
	}
	if len(all) > 0 {
		return all
	}
	return r.sameFacts(o, e)
}

// sameFacts compares what neither the lines nor the people of the sale tell.
func (r *run) sameFacts(o *order.Order, e *commission.Entry) []Difference {
	if all := soundOrder(o); len(all) > 0 {
		return all
	}
	switch e.Note(commission.NoteDigest) {
	case "":
		r.report.Before++
	case o.Digest():
	default:
		return []Difference{differ(ruleOrder, o.ID,
			"is not the order that was confirmed: its buyer, a price, its payment or another fixed fact was changed")}
	}
	return nil
}

// claim is one posting of an accrual that refunds take back.
type claim struct {
	member string
	line   int
	role   commission.Role
}

// takenBack compares what was refunded of every line with what the claw-backs took: cumulative shares, so that the number and
// the order of the refunds do not matter. A claw-back that would take nothing need not exist.
func takenBack(o *order.Order, accrual *commission.Entry, entries map[string]*commission.Entry) []Difference {
	refunded, taken := map[int]money.Fen{}, map[claim]money.Fen{}
	absent := ""
	for i := range o.Refunds {
		if o.Refunds[i].Stage != order.StageDone {
			continue
		}
		for _, part := range o.Refunds[i].Lines {
			refunded[part.Line] += part.Amount
		}
		e := entries[clawBackID(o.ID, o.Refunds[i].Number)]
		if e == nil {
			absent += " " + o.Refunds[i].Number
			continue
		}
		for _, p := range e.Postings {
			if member, _, ok := p.Account.Member(); ok {
				taken[claim{member, p.Line, p.Role}] -= p.Amount
			}
		}
	}
	if absent != "" {
		absent = "; without a claw-back:" + absent
	}
	var all []Difference
	for _, p := range accrual.Postings {
		member, _, ok := p.Account.Member()
		if !ok {
			continue
		}
		paid := money.Fen(0)
		if p.Line >= 1 && p.Line <= len(o.Lines) {
			paid = o.Lines[p.Line-1].Paid
		}
		key := claim{member, p.Line, p.Role}
		if want := p.Amount.Share(refunded[p.Line], paid); want != taken[key] {
			all = append(all, differ(ruleClawBack, o.ID,
				"line %d: %s of %s yuan refunded, so %s of %s's %s yuan (%s) go back; taken: %s%s", p.Line,
				refunded[p.Line].Yuan(), paid.Yuan(), want.Yuan(), member, p.Amount.Yuan(), p.Role, taken[key].Yuan(), absent))
		}
		delete(taken, key)
	}
	for key, amount := range taken {
		all = append(all, differ(ruleClawBack, o.ID, "line %d: %s yuan taken from %s (%s), who was never paid for it",
			key.line, amount.Yuan(), key.member, key.role))
	}
	return all
}
