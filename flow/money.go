package flow

import (
	"context"

	"guanxi/commission"
	"guanxi/order"
)

func (d Deps) accrue(ctx context.Context, c order.Confirmed) error {
	sale := commission.Sale{
		Order: c.Order, At: c.ConfirmedAt, Campaign: c.Campaign, Host: c.Host,
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
	return d.Commission.StartWindow(ctx, r.Order, r.ReceivedAt)
}

func (d Deps) clawBack(ctx context.Context, r order.Refunded) error {
	refund := commission.Refund{Order: r.Order, Number: r.Refund, At: r.DoneAt}
	for _, l := range r.Lines {
		refund.Lines = append(refund.Lines, commission.RefundLine{Line: l.Line, Refunded: l.TotalAmount, Paid: l.Paid})
	}
	return d.Commission.ClawBack(ctx, refund)
}
