package sharing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/commission"
)

// send checks once more what was checked at the planning, makes the receivers known, and writes down that the parts are
// being sent. The calls follow from there: whoever dies in between leaves a document that says so.
func (s *Service) send(ctx context.Context, d *Sharing) (*Sharing, error) {
	closed, err := s.recheck(ctx, d)
	if err != nil {
		return d, fmt.Errorf("send: %w", err)
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.State != PartReserved || closed[p.Number] != "" {
			continue
		}
		err := s.deps.Shares.AddReceiver(ctx, p.OpenID.Reveal())
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			closed[p.Number] = Code(refusal.Code)
		case err != nil:
			return d, fmt.Errorf("add receiver for %s: %w", p.Number, err)
		}
	}
	return s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		for i := range d.Parts {
			p := &d.Parts[i]
			if p.State != PartReserved {
				continue
			}
			if code := closed[p.Number]; code != "" {
				if err := p.end(PartClosed, code, now); err != nil {
					return err
				}
				continue
			}
			p.State, p.SentAt = PartSent, now
		}
		if d.any(PartSent) {
			return d.move(bySending)
		}
		return d.move(byNothing)
	})
}

// recheck finds the reserved parts that must not be sent any more, because the buyer got money back since the planning.
func (s *Service) recheck(ctx context.Context, d *Sharing) (map[string]Code, error) {
	out, err := s.deps.Ledger.ShareOut(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	sold, err := s.deps.Orders.Order(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	closed, left := map[string]Code{}, s.config.most(sold.Paid-sold.Refunded)
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.State != PartReserved {
			continue
		}
		mine := slices.IndexFunc(out.Shares, func(o commission.PlanShare) bool { return o.Member == p.Member })
		switch {
		case mine < 0 || out.Shares[mine].Amount < p.Amount:
			closed[p.Number] = Changed
		case p.Amount > left:
			closed[p.Number] = OverLimit
		default:
			left -= p.Amount
		}
	}
	return closed, nil
}

// verdict is what the platform has said of a part.
type verdict struct {
	state PartState // "" while it is open
	code  Code
	at    time.Time
	odd   string // what cannot be; nothing follows from it but a look by people
}

// pursue asks about every part that is sent, and sends what never arrived, until all have their final word.
func (s *Service) pursue(ctx context.Context, d *Sharing) (*Sharing, error) {
	heard := map[string]verdict{}
	var troubles []error
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.State != PartSent {
			continue
		}
		v, err := s.ask(ctx, d, i)
		if err != nil {
			troubles = append(troubles, fmt.Errorf("share %s: %w", p.Number, err))
			continue
		}
		heard[p.Number] = v
	}
	d, err := s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		news := false
		for i := range d.Parts {
			p := &d.Parts[i]
			v, known := heard[p.Number]
			switch {
			case !known || p.State != PartSent:
			case v.odd != "":
				news = d.worry(p.Number+": "+v.odd, now) || news
			case v.state != "":
				news = true
				if err := p.end(v.state, v.code, p.sane(v.at, now)); err != nil {
					return err
				}
			}
		}
		switch {
		case !d.any(PartSent):
			return d.move(byEnding)
		case !news:
			return errUnchanged
		}
		return nil
	})
	return d, errors.Join(err, errors.Join(troubles...))
}

// ask finds out about one part; what the platform never heard of is sent, always the same.
func (s *Service) ask(ctx context.Context, d *Sharing, n int) (verdict, error) {
	p := &d.Parts[n]
	a, err := s.deps.Shares.QueryShare(ctx, p.Number, d.TransactionID)
	if !errors.Is(err, ErrUnknownNumber) {
		return p.hear(&a), err
	}
	if now := s.clock.Now(); !now.Before(d.PaidAt.Add(s.config.Last)) && now.After(p.SentAt.Add(24*time.Hour)) {
		return verdict{state: PartClosed, code: TooLate}, nil // nothing is on the wire for a day
	}
	a, err = s.deps.Shares.Share(ctx, Request{
		Number: p.Number, TransactionID: d.TransactionID, Total: d.Paid - d.Refunded, Shared: d.before(n), PaidAt: d.PaidAt,
		AfterSaleOver: d.CompletedAt, OpenID: p.OpenID.Reveal(), Amount: p.Amount, Note: s.config.Note,
	})
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return p.hear(&a), err
	}
	// The no is to this request. One that was sent earlier may have arrived all the same.
	a, err = s.deps.Shares.QueryShare(ctx, p.Number, d.TransactionID)
	if errors.Is(err, ErrUnknownNumber) {
		return verdict{state: PartClosed, code: Code(refusal.Code)}, nil
	}
	return p.hear(&a), err
}

// hear reads an answer about a part.
func (p *Part) hear(a *Answer) verdict {
	switch {
	case a.Amount != p.Amount || a.OpenID != p.OpenID.Reveal():
		return verdict{odd: "the platform names another amount or receiver: " + a.Amount.Yuan()}
	case !a.Finished:
		return verdict{}
	case a.Closed:
		return verdict{state: PartClosed, code: Code(a.Reason), at: a.At}
	}
	return verdict{state: PartPaid, at: a.At}
}

// sane is the platform's time when it can be true, otherwise ours: a statement's month depends on it.
func (p *Part) sane(at, now time.Time) time.Time {
	if at.Before(p.SentAt.Add(-time.Hour)) || at.After(now.Add(time.Hour)) {
		return now
	}
	return at
}

// worry notes what people must look at; false when it stands there already.
func (d *Sharing) worry(what string, now time.Time) bool {
	if d.Trouble == what {
		return false
	}
	d.Trouble, d.TroubleAt = what, now
	d.Emit(EventTrouble, TroubleEvent{Order: d.ID, What: what, State: d.State, At: now})
	return true
}
