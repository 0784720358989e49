package commission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/money"
)

// Plan is what an order's commission comes to, for whoever pays it out.
type Plan struct {
	Order  string
	Known  bool   // the order is accrued; all below is empty otherwise
	Policy int    // the version that decided
	Rail   string // of that policy
	Ready  bool   // every line has settled, or its money is back with the buyer: nothing more moves by itself
	Due    time.Time
	Shares []PlanShare // while not Ready: of the lines that have settled
}

// PlanShare is what is left of an order for one member, in his available pot.
type PlanShare struct {
	Member string
	Amount money.Fen
}

// ShareOut tells what of an order's commission has settled and is left, member by member, in the order of the accrual's
// postings. People of the brand's staff are not among them: they are paid with their wages. Nor is who has nothing left.
// It reads only; an order nobody has accrued yet is not Known.
// Code: COM_SALE_INVALID.
func (s *Service) ShareOut(ctx context.Context, order string) (Plan, error) {
	plan := Plan{Order: order}
	if !book.Named(order) {
		return plan, ErrSaleInvalid
	}
	accrual, err := s.book.Entry(ctx, book.AccrueID(order))
	if err != nil || accrual == nil {
		return plan, wrap("share out", err)
	}
	_, settlement, policy, err := s.background(ctx, accrual)
	if err != nil {
		return plan, fmt.Errorf("share out: %w", err)
	}
	plan.Known, plan.Policy, plan.Rail, plan.Due = true, accrual.Policy, policy.Rail, settlement.Due
	plan.Ready = !slices.ContainsFunc(accrual.Lines, func(sold SaleLine) bool {
		l := settlement.line(sold.Line)
		return l == nil || !l.Settled && l.Refunded < l.Paid
	})
	for i := range accrual.Postings {
		p := &accrual.Postings[i]
		l := settlement.line(p.Line)
		if member, _, ok := p.Account.Member(); ok && !strings.HasPrefix(member, book.StaffPrefix) && l != nil && l.Settled {
			plan.add(member, book.Kept(p.Amount, l.Refunded, l.Paid))
		}
	}
	plan.Shares = slices.DeleteFunc(plan.Shares, func(s PlanShare) bool { return s.Amount <= 0 })
	return plan, nil
}

func (p *Plan) add(member string, amount money.Fen) {
	i := slices.IndexFunc(p.Shares, func(s PlanShare) bool { return s.Member == member })
	if i < 0 {
		i, p.Shares = len(p.Shares), append(p.Shares, PlanShare{Member: member})
	}
	p.Shares[i].Amount += amount
}
