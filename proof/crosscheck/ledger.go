package crosscheck

import (
	"context"
	"errors"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/order"
)

// ledger walks the sealed entries and asks the domains for what they answer to. An entry is written after its cause, so what
// is read now has no excuse.
func (r *run) ledger(ctx context.Context) error {
	return r.Ledger.StreamEntries(ctx, 1, 0, func(_ *commission.Seal, entries []*commission.Entry) error {
		for len(entries) > 0 {
			n := min(len(entries), r.Config.Batch)
			if err := r.entryBatch(ctx, entries[:n]); err != nil {
				return err
			}
			entries = entries[n:]
			r.progress(Progress{"ledger", r.report.Entries})
		}
		return nil
	})
}

func (r *run) entryBatch(ctx context.Context, entries []*commission.Entry) error {
	ids, seen := make([]string, 0, len(entries)), map[string]bool{}
	for _, e := range entries {
		if e.Order != "" && !seen[e.Order] {
			seen[e.Order] = true
			ids = append(ids, e.Order)
		}
	}
	orders, err := r.Orders.Many(ctx, ids)
	if err != nil {
		return err
	}
	withdrawals := map[string]*withdrawal.Withdrawal{}
	for _, e := range entries {
		r.report.Entries++
		switch e.Kind {
		case commission.Accrue, commission.ClawBack, commission.Settle:
			r.tell(caused(e, orders[e.Order]))
		case commission.Withdraw, commission.Confirm, commission.Fail, commission.TaxWithheld, commission.Return:
			if r.Withdrawals == nil {
				continue
			}
			w, known := withdrawals[e.Number]
			if !known {
				if w, err = r.Withdrawals.Get(ctx, e.Number); err != nil && !errors.Is(err, withdrawal.ErrNotFound) {
					return err
				}
				withdrawals[e.Number] = w
			}
			if w == nil {
				ok, err := r.sharedFor(ctx, e)
				if err != nil {
					return err
				}
				if ok {
					continue
				}
			}
			r.tell(asked(e, w))
		}
	}
	return nil
}

// caused says what an entry about an order lacks.
func caused(e *commission.Entry, o *order.Order) []Difference {
	rule := map[commission.Kind]string{
		commission.Accrue: ruleAccrual, commission.ClawBack: ruleClawBack, commission.Settle: ruleSettle,
	}[e.Kind]
	if o == nil {
		return []Difference{differ(rule, e.ID, "there is no order %s", e.Order)}
	}
	switch e.Kind {
	case commission.Accrue:
		if o.ConfirmedAt.IsZero() {
			return []Difference{differ(rule, e.ID, "the order was never confirmed; it is %s", o.State)}
		}
	case commission.Settle:
		if o.ReceivedAt.IsZero() {
			return []Difference{differ(rule, e.ID, "the order was never received; it is %s", o.State)}
		}
	case commission.ClawBack:
		for i := range o.Refunds {
			if o.Refunds[i].Number != e.Refund {
				continue
			}
			if o.Refunds[i].Stage != order.StageDone {
				return []Difference{differ(rule, e.ID, "the refund is not done; it is %s", o.Refunds[i].Stage)}
			}
			return nil
		}
		return []Difference{differ(rule, e.ID, "the order has no refund %s", e.Refund)}
	}
	return nil
}

// asked says what an entry about a withdrawal lacks.
func asked(e *commission.Entry, w *withdrawal.Withdrawal) []Difference {
	if w == nil {
		return []Difference{differ(ruleWithdrawal, e.ID, "there is no withdrawal %s", e.Number)}
	}
	right := true
	switch e.Kind {
	case commission.Confirm, commission.TaxWithheld:
		right = w.State == withdrawal.Paid || w.State == withdrawal.Returned
	case commission.Fail:
		right = gaveBack(w.State) || w.State == withdrawal.Refused // reserved by a late hand, and given back
	case commission.Return:
		right = w.State == withdrawal.Returned
	}
	if !right {
		return []Difference{differ(ruleWithdrawal, e.ID, "%s, but the withdrawal is %s", e.Kind, w.State)}
	}
	return nil
}

func gaveBack(s withdrawal.State) bool {
	switch s {
	case withdrawal.Rejected, withdrawal.Failed, withdrawal.Expired, withdrawal.Cancelled:
		return true
	}
	return false
}
