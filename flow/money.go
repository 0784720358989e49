package flow

import (
	"context"

	"guanxi/commission"
	"guanxi/order"
)

func (d Deps) accrue(ctx context.Context, c order.Confirmed) error {
	sale := commission.Sale{
		Order: c.Order, At: c.ConfirmedAt, Buyer: c.Member, Campaign: c.Campaign, Host: c.Host, Pickup: c.Keeper,
		Community: c.Community, Grade: c.Grade, Digest: c.Digest,
		Referral: commission.Referral{
			Policy: c.Referral.Policy, Direct: c.Referral.Direct, Upline: c.Referral.Upline, Why: c.Referral.Why,
			Share: c.Referral.Share, Touch: c.Referral.Touch,
		},
	}
	for _, l := range c.Lines {
		sale.Lines = append(sale.Lines, commission.SaleLine{
			Line: l.Line, SKU: l.SKU, Product: l.Product, Category: l.Category, Units: l.Units, Paid: l.Paid, Cost: l.Cost,
		})
	}
	return d.Commission.Accrue(ctx, sale)
}

func (d Deps) startWindow(ctx context.Context, r order.Received) error {
	return d.Commission.StartWindow(ctx, r.Order, r.ReceivedAt, r.WindowEnds)
}

// holdLines keeps what is paid on the lines of an open after-sale case from settling.
func (d Deps) holdLines(ctx context.Context, o order.AfterSaleOpened) error {
	return d.Commission.HoldLines(ctx, o.Order, o.Refund, o.Lines)
}

// releaseLines lets them settle when the case is over. A refund that was done ends its case with its claw-back; the one
// that takes another's place holds the lines before the other lets them go.
func (d Deps) releaseLines(ctx context.Context, e order.AfterSaleEnded) error {
	switch e.Why {
	case order.AfterSaleDone:
		return nil
	case order.AfterSaleReplaced:
		if err := d.Commission.HoldLines(ctx, e.Order, e.Next, e.Lines); err != nil {
			return err
		}
	}
	return d.Commission.ReleaseLines(ctx, e.Order, e.Refund)
}

// clawBack takes commission back for money that went back. Pieces of nothing (a gift, less than a fen) take nothing
// back, but they end the after-sale case all the same.
func (d Deps) clawBack(ctx context.Context, r order.Refunded) error {
	refund := commission.Refund{Order: r.Order, Number: r.Refund, At: r.DoneAt}
	for _, l := range r.Lines {
		if l.TotalAmount > 0 {
			refund.Lines = append(refund.Lines, commission.RefundLine{Line: l.Line, Refunded: l.TotalAmount, Paid: l.Paid})
		}
	}
	if len(refund.Lines) == 0 {
		return d.Commission.ReleaseLines(ctx, r.Order, r.Refund)
	}
	return d.Commission.ClawBack(ctx, refund)
}
