package withdrawal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/commission"
)

// post writes what follows from the end of a withdrawal: the ledger entry, the person's tax year, the desk; then the mark
// that it is done, with the event. Everything before the mark is repeatable and made of the document alone.
func (s *Service) post(ctx context.Context, w *Withdrawal) (*Withdrawal, error) {
	ended := w.State
	for _, do := range []func(context.Context, *Withdrawal) error{s.enter, s.account, s.leave} {
		if err := do(ctx, w); err != nil {
			return s.stumble(ctx, w, fmt.Errorf("post %s: %w", w.ID, err))
		}
	}
	return s.change(ctx, w.ID, func(w *Withdrawal, _ time.Time) error {
		if w.State != ended || w.Posted == ended {
			return errUnchanged
		}
		w.Posted, w.Tries = ended, 0
		w.tell()
		return nil
	})
}

// enter posts the ledger entry an end asks for.
func (s *Service) enter(ctx context.Context, w *Withdrawal) error {
	switch {
	case w.State == Refused: // nothing was reserved; if a late hand did all the same, it goes back
		err := s.giveBack(ctx, w)
		if errors.Is(err, commission.ErrPayoutUnknown) {
			return nil
		}
		return err
	case w.State.gaveBack():
		return s.giveBack(ctx, w)
	}
	if err := s.deps.Ledger.ConfirmPayout(ctx, w.confirmation()); err != nil || w.State == Paid {
		return err
	}
	p := w.confirmation()
	p.At, p.Notes = w.ReturnedAt, nil
	for _, o := range w.Returning {
		p.Notes = append(p.Notes, commission.Note{Key: "by", Value: o.By})
	}
	return s.deps.Ledger.ReturnPayout(ctx, p)
}

// giveBack returns the reserved money to the purse.
func (s *Service) giveBack(ctx context.Context, w *Withdrawal) error {
	p := commission.Payout{Member: w.Member, Number: w.ID, Amount: w.Gross, At: w.EndedAt, Notes: []commission.Note{{Key: "state", Value: string(w.State)}}}
	if w.Code != "" {
		p.Notes = append(p.Notes, commission.Note{Key: "reason", Value: w.Code})
	}
	if w.Objection != nil {
		p.Notes = append(p.Notes, commission.Note{Key: "by", Value: w.Objection.By})
	}
	return s.deps.Ledger.FailPayout(ctx, p)
}

func (w *Withdrawal) confirmation() commission.Payout {
	p := commission.Payout{Member: w.Member, Number: w.ID, Amount: w.Gross, Tax: w.Tax, At: w.EndedAt}
	if w.Bill != "" {
		p.Notes = append(p.Notes, commission.Note{Key: "bill", Value: w.Bill})
	}
	if w.TaxTable > 0 {
		p.Notes = append(p.Notes, commission.Note{Key: "tax-table", Value: strconv.Itoa(w.TaxTable)})
	}
	return p
}

// tell emits what others should know of an end.
func (w *Withdrawal) tell() {
	switch w.State {
	case Paid:
		w.Emit(EventPaid, PaidEvent{
			Number: w.ID, Member: w.Member, Gross: w.Gross, Tax: w.Tax, Net: w.Net, Bill: w.Bill, PaidAt: w.EndedAt,
		})
	case Rejected, Failed, Expired, Cancelled:
		w.Emit(EventReturned, ReturnedEvent{
			Number: w.ID, Member: w.Member, Gross: w.Gross, State: w.State, Code: w.Code, Why: w.Why, At: w.EndedAt,
		})
	case Returned:
		w.Emit(EventReturned, ReturnedEvent{
			Number: w.ID, Member: w.Member, Gross: w.Gross, State: w.State, Code: codeReturned, Why: w.Words(),
			At: w.ReturnedAt,
		})
	}
}

// stumble plans the next try of a posting. A ledger that says "another content under this number" is an incident: no
// repetition will help.
func (s *Service) stumble(ctx context.Context, w *Withdrawal, trouble error) (*Withdrawal, error) {
	if errors.Is(trouble, commission.ErrEntryConflict) {
		_, err := s.change(ctx, w.ID, func(w *Withdrawal, now time.Time) error {
			if !w.incident(LedgerRefused, commission.ErrEntryConflict.Code, now) {
				return errUnchanged
			}
			return nil
		})
		if err != nil {
			return w, err
		}
	}
	return s.later(ctx, w, trouble)
}
