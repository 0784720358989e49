package order

import (
	"context"
	"slices"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order/authority"
)

// What the brand's staff does with orders. By is the operator; who may, and that nobody decides about what is their own
// as a member, is the console's to check.

// BrandDecision answers a request.
type BrandDecision struct {
	Order, Refund, By string
	Release           bool
	Words             string // for the member, at most 80 characters; needed to refuse
}

// WaitingForBrand lists the orders with a request the brand has to answer, those that have waited longest first. It checks
// nobody. Errors: ErrBadInput for a damaged cursor.
func (s *Service) WaitingForBrand(ctx context.Context, page Page) (docstore.Page[Order], error) {
	if page.Limit <= 0 {
		page.Limit = 20
	}
	return s.list(ctx, docstore.By(indexBrand).First(min(page.Limit, 100)).Continue(page.After))
}

// DecideForBrand answers a request, whoever it waits for. Above Policy.BrandSingle of one order a second operator must
// agree: the first one's yes is kept meanwhile. Repeating is harmless. Errors: ErrNotFound, ErrBadInput,
// ErrRefundNotFound, ErrSameOperator, ErrWrongState, ErrRefundLimit.
func (s *Service) DecideForBrand(ctx context.Context, d BrandDecision) (Refund, error) {
	if d.By == "" {
		return Refund{}, ErrBadInput.With("by", "须说明由谁决定 / who decided is missing")
	}
	if !d.Release {
		if err := checkWords(&d.Words); err != nil {
			return Refund{}, err
		}
	}
	return s.decide(ctx, d.Order, d.Refund, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case r == nil:
			return ErrRefundNotFound
		case r.Stage == StageRefused && !d.Release, r.Stage.goes() && d.Release:
			return errUnchanged
		case r.Stage != StageRequested:
			return ErrWrongState
		case !d.Release:
			return o.refuse(r, d.By, d.Words, now)
		}
		return s.voice(o, r, d.By, now)
	}, func(*Order) error { return nil })
}

// voice adds one operator's yes, and lets the refund go when that is enough.
func (s *Service) voice(o *Order, r *Refund, by string, now time.Time) error {
	if slices.Contains(r.Voices, by) {
		return ErrSameOperator
	}
	r.Voices = append(r.Voices, by)
	if len(r.Voices) < s.voices(o, r) {
		o.toBrand(r, now, authority.WhyLarge)
		return nil
	}
	return o.release(r, by, false, now)
}

// voices is how many operators must agree: what the brand returned of the order before counts.
func (s *Service) voices(o *Order, r *Refund) int {
	sum := r.Amount
	for i := range o.Refunds {
		if other := &o.Refunds[i]; other.Number != r.Number && len(other.Voices) > 0 && other.Stage.goes() {
			sum += other.Amount
		}
	}
	if sum > s.config.Refunds.BrandSingle {
		return 2
	}
	return 1
}

// BrandRefund is a refund the brand itself makes, of any paid order; above Policy.BrandSingle it waits for a second
// operator. The same key with the same content answers the same refund. Errors: ErrNotFound, ErrBadInput, ErrKeyReused,
// ErrNotPaid, ErrWrongState, ErrAfterSaleOver, ErrRefundLines, ErrRefundTooMuch, ErrRefundLimit.
func (s *Service) BrandRefund(ctx context.Context, in RefundInput) (Refund, error) {
	if err := in.check(); err != nil {
		return Refund{}, err
	}
	return s.askRefund(ctx, in.Order, func(o *Order, now time.Time) (Refund, error) {
		r := Refund{
			Key: id.Derive("refund", "brand", in.By, in.Key), Content: in.content(), By: ByBrand, Reason: in.Reason,
			Stage: StageAsked, Voices: []string{in.By}, DecidedBy: in.By,
		}
		if known := o.refundByKey(r.Key); known != nil {
			return r, nil
		}
		err := o.refundable(now)
		if err == nil {
			r.Lines, err = o.parts(in.Lines)
		}
		if r.Amount = worth(r.Lines); err == nil && s.voices(o, &r) > 1 {
			r.Stage, r.Desk, r.Why, r.BrandAt, r.DecidedBy = StageRequested, DeskBrand, []authority.Why{authority.WhyLarge}, now, ""
		}
		return r, err
	})
}

// BrandShip is Ship by the brand's staff, of any order: a host's own, or one whose host cannot. Errors: ErrNotFound,
// ErrBadInput, ErrWrongState, ErrAlreadyShipped.
func (s *Service) BrandShip(ctx context.Context, order string, in ShipInput) (*Order, error) {
	return s.shipAs(ctx, order, in, func(*Order) error { return nil })
}

// Owed is what should be on its way back to the buyer and is not: everything, when the order is going back or came after
// the close, less what is returned and what the platform is returning. Stuck refunds, which people must look at, are owed.
func (o *Order) Owed(doomed bool) money.Fen {
	if o.Payment == nil || o.State == StateRefunded {
		return 0
	}
	all := doomed || o.Payment.Late || o.State == StateRefunding
	due := money.Fen(0)
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Stage == StageAbnormal {
			due += r.Amount
		}
	}
	if !all {
		return due
	}
	due = o.Amount
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Stage.goes() && r.Stage != StageAbnormal {
			due -= r.Amount
		}
	}
	return due
}
