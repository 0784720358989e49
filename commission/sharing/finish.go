package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/commission"
)

// finish writes what follows from the ends of the parts, and then gives the merchant the rest of the payment.
func (s *Service) finish(ctx context.Context, d *Sharing) (*Sharing, error) {
	for i := range d.Parts {
		if d.Parts[i].Posted {
			continue
		}
		if err := s.post(ctx, d, &d.Parts[i]); err != nil {
			return d, fmt.Errorf("post %s: %w", d.Parts[i].Number, err)
		}
	}
	d, err := s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		if !d.FreeingAt.IsZero() {
			return errUnchanged
		}
		for i := range d.Parts {
			if p := &d.Parts[i]; !p.Posted {
				p.Posted = true
				d.tell(p)
			}
		}
		d.FreeingAt = now
		return nil
	})
	if err != nil || d.State != Finished {
		return d, err
	}
	return s.free(ctx, d)
}

// post is the ledger entry a part's end asks for.
func (s *Service) post(ctx context.Context, d *Sharing, p *Part) error {
	payout := commission.Payout{Member: p.Member, Number: p.Number, Amount: p.Amount, At: p.EndedAt, Notes: d.notes()}
	if p.State == PartPaid {
		return s.deps.Ledger.ConfirmPayout(ctx, payout)
	}
	payout.Notes = d.notes(commission.Note{Key: "reason", Value: string(p.Code)})
	err := s.deps.Ledger.FailPayout(ctx, payout)
	if p.State == PartLeft && errors.Is(err, commission.ErrPayoutUnknown) {
		return nil // nothing was reserved; had a late hand done it all the same, it would go back
	}
	return err
}

func (d *Sharing) tell(p *Part) {
	if p.State == PartPaid {
		d.Emit(EventDone, Done{Order: d.ID, Number: p.Number, Member: p.Member, Amount: p.Amount, At: p.EndedAt})
		return
	}
	d.Emit(EventLeft, Left{
		Order: d.ID, Number: p.Number, Member: p.Member, Amount: p.Amount, Code: p.Code, Why: p.Code.Words(), At: p.EndedAt,
	})
}

// free gives the merchant what is left. A refusal is tried again for a while, and then it is the last word: an order that
// was not frozen, or of which nothing is left, cannot be set free.
func (s *Service) free(ctx context.Context, d *Sharing) (*Sharing, error) {
	number, code := freeNumber(d.ID), ""
	a, err := Answer{Finished: true}, error(nil)
	thawed := s.clock.Now().After(d.PaidAt.AddDate(0, 0, freezeDays+1))
	if d.TransactionID != "" && !thawed { // somebody has paid something, and it has not become the merchant's by itself
		a, err = s.deps.Shares.Unfreeze(ctx, number, d.TransactionID)
	}
	var refusal *Refusal
	if errors.As(err, &refusal) { // an earlier one may have arrived all the same
		a, err = s.deps.Shares.QueryShare(ctx, number, d.TransactionID)
		if errors.Is(err, ErrUnknownNumber) && d.Tries+1 >= s.config.FreeTries {
			code, err, a.Finished = refusal.Code, nil, true
		}
	}
	if err != nil {
		return d, errors.Join(fmt.Errorf("free: %w", err), refusedWith(refusal))
	}
	if !a.Finished {
		return d, nil
	}
	return s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		d.FreeCode, d.EndedAt = code, now
		return d.move(byFreeing)
	})
}

func refusedWith(r *Refusal) error {
	if r == nil {
		return nil
	}
	return r
}
