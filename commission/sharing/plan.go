package sharing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
)

// plan fixes the parts, once everything of the order has settled. While it has not, the sharing waits.
func (s *Service) plan(ctx context.Context, d *Sharing) (*Sharing, error) {
	out, err := s.deps.Ledger.ShareOut(ctx, d.ID)
	if err != nil {
		return d, fmt.Errorf("plan: %w", err)
	}
	sold, err := s.deps.Orders.Order(ctx, d.ID)
	if err != nil {
		return d, fmt.Errorf("plan: %w", err)
	}
	elsewhere := out.Known && out.Rail != policy.RailProfitSharing
	late := !s.clock.Now().Before(sold.PaidAt.Add(s.config.Last))
	if !out.Ready && !elsewhere && !late {
		return d, s.until(ctx, d, out.Due)
	}
	var parts []Part
	if out.Ready && !elsewhere {
		if parts, err = s.judge(ctx, d.ID, &out, &sold); err != nil {
			return d, fmt.Errorf("plan: %w", err)
		}
	}
	return s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		d.Policy, d.Parts, d.PlannedAt = out.Policy, parts, now
		d.TransactionID, d.Paid, d.Refunded, d.PaidAt = sold.TransactionID, sold.Paid, sold.Refunded, sold.PaidAt
		for i := range d.Parts {
			if d.Parts[i].State == PartLeft {
				d.Parts[i].EndedAt = now
			}
		}
		if d.any(PartPlanned) {
			return d.move(byPlanning)
		}
		return d.move(byNothing)
	})
}

// judge makes the parts; one that breaks a rule is left where it is.
func (s *Service) judge(ctx context.Context, order string, out *commission.Plan, sold *Order) ([]Part, error) {
	left := s.config.most(sold.Paid - sold.Refunded)
	parts := make([]Part, 0, len(out.Shares))
	for i, share := range out.Shares {
		if i >= maxParts { // far more than there are roles; without a part, the money simply stays in the purse
			break
		}
		p := Part{Number: PartNumber(order, i), Member: share.Member, Amount: share.Amount, State: PartPlanned}
		wallet, code, err := s.fit(ctx, &p)
		switch {
		case err != nil:
			return nil, err
		case code == "" && p.Amount > left:
			code = OverLimit
		}
		if p.Code = code; code != "" {
			p.State = PartLeft
		} else {
			p.OpenID, left = docstore.Encrypted(wallet), left-p.Amount
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// fit tells what keeps a member from being paid like this; "" is nothing.
func (s *Service) fit(ctx context.Context, p *Part) (wallet string, code Code, err error) {
	if p.Amount < s.config.Min {
		return "", TooSmall, nil
	}
	withheld, err := s.deps.Taxes.Withholds(ctx, p.Member, s.clock.Now())
	if err != nil {
		return "", "", fmt.Errorf("tax: %w", err)
	}
	if withheld {
		return "", Withheld, nil
	}
	wallet, err = s.deps.Payees.OpenID(ctx, p.Member)
	if f := fault.Of(err); f != nil && f.Kind != fault.Unavailable && f.Kind != fault.Internal || err == nil && wallet == "" {
		return "", NoWallet, nil
	}
	return wallet, "", wrap("wallet", err)
}

// reserve takes the parts out of their members' available pots. A purse that stays short leaves its part out: what it owes
// comes first.
func (s *Service) reserve(ctx context.Context, d *Sharing) (*Sharing, error) {
	short := map[string]bool{}
	patient := d.Tries+1 < s.config.ShortTries
	for i := range d.Parts {
		p := &d.Parts[i]
		if p.State != PartPlanned {
			continue
		}
		err := s.deps.Ledger.Reserve(ctx, commission.Hold{
			Member: p.Member, Number: p.Number, Amount: p.Amount, At: d.PlannedAt, Notes: d.notes(),
		})
		switch {
		case errors.Is(err, commission.ErrPurseShort):
			short[p.Number] = true
		case err != nil:
			return d, fmt.Errorf("reserve %s: %w", p.Number, err)
		}
	}
	if len(short) > 0 && patient {
		return d, nil // a purse follows the ledger a moment later
	}
	return s.advanceFrom(ctx, d, func(d *Sharing, now time.Time) error {
		for i := range d.Parts {
			p := &d.Parts[i]
			if p.State != PartPlanned {
				continue
			}
			if !short[p.Number] {
				p.State = PartReserved
			} else if err := p.end(PartLeft, PurseShort, now); err != nil {
				return err
			}
		}
		if d.any(PartReserved) {
			return d.move(byReserving)
		}
		return d.move(byNothing)
	})
}
