package order

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/internal/clock"
)

// Outcome is what a payment record did to an order.
type Outcome string

// The outcomes of Settle and Heal.
const (
	OutcomePaid     Outcome = "paid"     // the order is paid now
	OutcomeRepeated Outcome = "repeated" // it was paid already, by this transaction
	OutcomeLate     Outcome = "late"     // it was closed already: the money goes back by itself
	OutcomeDouble   Outcome = "double"   // another transaction had paid it: an incident
	OutcomeOpen     Outcome = "open"     // not paid yet
	OutcomeClosed   Outcome = "closed"   // not paid, and never will be
	OutcomeRefused  Outcome = "refused"  // does not match the order: an incident
)

// Settle takes the platform's verified record of a payment, from a notification or a query, as often and as late
// as it comes. Errors: ErrNotFound for a number that is none of ours; ErrPaymentMismatch when merchant, app,
// currency, amount or transaction do not fit: nothing changes but the order's list of incidents.
func (s *Service) Settle(ctx context.Context, p Payment) (Outcome, error) {
	var outcome Outcome
	_, err := s.change(ctx, p.Number, func(o *Order, now time.Time) error {
		var err error
		outcome, err = s.settle(o, p, now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("settle: %w", err)
	}
	if outcome == OutcomeRefused {
		return outcome, ErrPaymentMismatch
	}
	return outcome, nil
}

func (s *Service) settle(o *Order, p Payment, now time.Time) (Outcome, error) {
	switch p.State {
	case PaymentDone, PaymentRefund:
		return s.settlePaid(o, p, now)
	case PaymentClosed:
		return o.unpayable(now)
	}
	if o.Payment != nil {
		return OutcomeRepeated, errUnchanged
	}
	return OutcomeOpen, errUnchanged
}

func (s *Service) settlePaid(o *Order, p Payment, now time.Time) (Outcome, error) {
	if why := s.mismatch(o, p); why != "" {
		return OutcomeRefused, changedIf(o.record(IncidentMismatch, why, now))
	}
	if o.Payment != nil {
		if o.Payment.TransactionID != p.TransactionID {
			o.Payment.Double = true
			return OutcomeDouble, changedIf(o.record(IncidentDouble, p.TransactionID, now))
		}
		return OutcomeRepeated, errUnchanged
	}
	if p.State == PaymentRefund { // refunds of ours need a payment of ours: somebody used the merchant's desk
		o.record(IncidentForeignRefund, p.TransactionID, now)
	}
	if p.PaidAt.IsZero() {
		p.PaidAt = now
	}
	o.Payment = &Settlement{TransactionID: p.TransactionID, PaidAt: clock.Milli(p.PaidAt), SettledAt: now}
	o.Looks, o.LookAt = 0, time.Time{}
	if o.State == StateClosed {
		return OutcomeLate, o.settleLate(now)
	}
	if err := o.move(byPayment); err != nil {
		return "", err
	}
	o.CloseWhy = ""
	o.Emit(EventPaid, Paid{Sale: o.sale(), TransactionID: p.TransactionID, PaidAt: o.Payment.PaidAt})
	return OutcomePaid, o.confirm(now)
}

// settleLate sends the money of a closed order back: whole, under a number of its own, and nothing is sold.
func (o *Order) settleLate(now time.Time) error {
	o.Payment.Late = true
	o.record(IncidentLate, o.Payment.TransactionID, now)
	o.Emit(EventPaidLate, PaidLate{
		Order: o.ID, Member: o.Member, Campaign: o.Campaign, TransactionID: o.Payment.TransactionID,
		Amount: o.Amount, PaidAt: o.Payment.PaidAt,
	})
	parts, err := o.parts(nil)
	if err != nil {
		return err
	}
	return o.addRefund(Refund{
		Key: "late", By: BySystem, Stage: StageAsked, Lines: parts, Reason: "订单已关闭，款项自动退回",
	}, now)
}

// mismatch names what does not fit, in codes and numbers, or nothing.
func (s *Service) mismatch(o *Order, p Payment) string {
	switch {
	case p.Number != o.ID:
		return "number"
	case s.config.AppID != "" && p.AppID != s.config.AppID:
		return "app"
	case s.config.MchID != "" && p.MchID != s.config.MchID:
		return "merchant"
	case p.Currency != "CNY":
		return "currency"
	case p.Total != o.Amount:
		return "amount " + strconv.FormatInt(int64(p.Total), 10)
	case p.TransactionID == "" || len(p.TransactionID) > 64:
		return "transaction"
	}
	return ""
}

func changedIf(changed bool) error {
	if changed {
		return nil
	}
	return errUnchanged
}

// Heal asks the platform about an order that waits for its payment and settles what it says: the mini-program
// calls it when the person has paid and no notification has come. It checks nobody. Errors: ErrNotFound,
// ErrPaymentsAway, ErrPaymentMismatch.
func (s *Service) Heal(ctx context.Context, order string) (Outcome, error) {
	o, err := s.Get(ctx, order)
	switch {
	case err != nil:
		return "", err
	case o.Payment != nil:
		return OutcomeRepeated, nil
	case o.State == StateClosed:
		return OutcomeClosed, nil
	case o.PrepayID == "":
		return OutcomeOpen, nil // nobody has ever had the means to pay it
	}
	return s.ask(ctx, order)
}

// ask queries the platform and settles the answer.
func (s *Service) ask(ctx context.Context, order string) (Outcome, error) {
	p, err := s.deps.Payments.Query(ctx, order)
	if err != nil {
		return "", fmt.Errorf("query payment: %w", err)
	}
	if p.Number == "" {
		p.Number = order // the platform does not repeat a number it has never heard of
	}
	if p.Number != order {
		return "", ErrPaymentMismatch.Because(errors.New("the query answered about another number"))
	}
	return s.Settle(ctx, p)
}
