package crosscheck

import (
	"context"

	"guanxi/commission"
	"guanxi/commission/withdrawal"
	"guanxi/internal/money"
)

// withdrawals walks the withdrawals and asks the ledger for each.
func (r *run) withdrawals(ctx context.Context) error {
	if r.Withdrawals == nil {
		return nil
	}
	batch := make([]*withdrawal.Withdrawal, 0, r.Config.Batch)
	flush := func() error {
		if err := r.withdrawalBatch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
		r.progress(Progress{"withdrawals", r.report.Withdrawals})
		return nil
	}
	err := r.Withdrawals.Each(ctx, func(w *withdrawal.Withdrawal) error {
		if r.moving(w) {
			r.report.Young++
			return nil
		}
		if batch = append(batch, w); len(batch) < r.Config.Batch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// moving tells whether the entries of a withdrawal may still be under way.
func (r *run) moving(w *withdrawal.Withdrawal) bool {
	if w.State == withdrawal.Asked {
		return r.young(w.AskedAt)
	}
	return w.State.Ended() && w.Posted != w.State && (r.young(w.EndedAt) || r.young(w.ReturnedAt))
}

// trail is what the ledger may have about a withdrawal.
type trail struct{ hold, outcome, tax, back *commission.Entry }

func trailIDs(number string) [4]string {
	return [4]string{
		string(commission.Withdraw) + "/" + number, "outcome/" + number,
		string(commission.TaxWithheld) + "/" + number, string(commission.Return) + "/" + number,
	}
}

func trailOf(number string, entries map[string]*commission.Entry) trail {
	ids := trailIDs(number)
	return trail{entries[ids[0]], entries[ids[1]], entries[ids[2]], entries[ids[3]]}
}

func (r *run) withdrawalBatch(ctx context.Context, batch []*withdrawal.Withdrawal) error {
	ids := make([]string, 0, 4*len(batch))
	for _, w := range batch {
		four := trailIDs(w.ID)
		ids = append(ids, four[:]...)
	}
	entries, err := r.entries(ctx, ids)
	if err != nil {
		return err
	}
	for _, w := range batch {
		r.report.Withdrawals++
		if len(posted(w, trailOf(w.ID, entries))) == 0 {
			continue
		}
		if err := r.withdrawalAgain(ctx, w.ID); err != nil {
			return err
		}
	}
	return r.taxesOf(ctx, batch)
}

// withdrawalAgain looks a second time, on fresh copies. The withdrawal is read last: it is written before its entries,
// so whatever entry was seen, the withdrawal knows of.
func (r *run) withdrawalAgain(ctx context.Context, number string) error {
	ids := trailIDs(number)
	entries, err := r.entries(ctx, ids[:])
	if err != nil {
		return err
	}
	w, err := r.Withdrawals.Get(ctx, number)
	if err != nil {
		return err
	}
	if r.moving(w) {
		r.report.Young++
		return nil
	}
	r.tell(posted(w, trailOf(number, entries)))
	return nil
}

// posted says what is wrong with the ledger's answer to a withdrawal, and with the platform's.
func posted(w *withdrawal.Withdrawal, t trail) []Difference {
	var all []Difference
	wrong := func(rule, format string, args ...any) { all = append(all, differ(rule, w.ID, format, args...)) }
	need := func(what string, e *commission.Entry, kind commission.Kind, account commission.Account, amount money.Fen) {
		switch {
		case e == nil:
			wrong(ruleWithdrawal, "it is %s, and the ledger has no %s", w.State, what)
		case e.Kind != kind:
			wrong(ruleWithdrawal, "it is %s, and the ledger's %s is a %s", w.State, what, e.Kind)
		case moved(e, account) != amount:
			wrong(ruleWithdrawal, "%s should move %s yuan on %s, and moves %s", what, amount.Yuan(), account, moved(e, account).Yuan())
		}
	}
	none := func(what string, e *commission.Entry) {
		if e != nil {
			wrong(ruleWithdrawal, "it is %s, and the ledger has a %s (%s)", w.State, what, e.Kind)
		}
	}
	available, taxed, back := commission.Available.Of(w.Member), false, false
	if t.hold != nil || w.State != withdrawal.Asked && w.State != withdrawal.Refused {
		need("reservation", t.hold, commission.Withdraw, available, -w.Gross)
	}
	switch {
	case w.State == withdrawal.Paid, w.State == withdrawal.Returned:
		need("outcome", t.outcome, commission.Confirm, commission.Withdrawn.Of(w.Member), w.Gross-w.Tax)
		taxed, back = w.Tax > 0, w.State == withdrawal.Returned
		if w.Net != w.Gross-w.Tax {
			wrong(ruleWithdrawal, "%s yuan less %s of tax are not %s", w.Gross.Yuan(), w.Tax.Yuan(), w.Net.Yuan())
		}
		if w.Platform != withdrawal.TransferSuccess {
			wrong(ruleTransfer, "it is %s, but the platform's last word was %q", w.State, w.Platform)
		}
	case gaveBack(w.State), w.State == withdrawal.Refused && t.hold != nil:
		need("outcome", t.outcome, commission.Fail, available, w.Gross)
	default:
		none("outcome", t.outcome)
	}
	if w.State != withdrawal.Paid && w.State != withdrawal.Returned && w.Platform == withdrawal.TransferSuccess {
		wrong(ruleTransfer, "the platform paid it, but it is %s", w.State)
	}
	for _, i := range w.Incidents {
		switch i.Kind {
		case withdrawal.LedgerRefused: // shows in the entries
		case withdrawal.SendRefused, withdrawal.Overdue: // slow, not wrong
		default:
			wrong(ruleTransfer, "the platform's word does not fit: %s (%s)", i.Kind, i.Detail)
		}
	}
	if taxed {
		need("tax", t.tax, commission.TaxWithheld, commission.TaxPayable, w.Tax)
	} else {
		none("tax", t.tax)
	}
	if back {
		need("return", t.back, commission.Return, available, w.Gross)
	} else {
		none("return", t.back)
	}
	return all
}
