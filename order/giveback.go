package order

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/fault"
)

// SubmitRefund sends a refund that was asked for to the platform. One number stays with one refund until its outcome is
// known: after a doubtful try it asks first. A final no of the platform becomes an incident and is tried again
// later under the same number (the merchant's account may only have been empty). A refund that needs nothing
// any more is a success. Errors: ErrNotFound, ErrPaymentsAway: repeat.
func (s *Service) SubmitRefund(ctx context.Context, order, number string) error {
	o, err := s.Get(ctx, order)
	if err != nil {
		return fmt.Errorf("submit refund: %w", err)
	}
	r := o.refund(number)
	if r == nil || !r.Stage.open() || r.Stage == StageProcessing || o.Payment == nil {
		return nil
	}
	if r.Tries > 0 {
		known, err := s.askRefundState(ctx, r)
		if known || err != nil {
			return s.refundTried(ctx, o.ID, number, err)
		}
	}
	if mine, err := s.turn(ctx, o.ID, number); err != nil || !mine {
		return err
	}
	receipt, err := s.deps.Payments.Refund(ctx, RefundOrder{
		Number: r.Number, OrderNumber: o.ID, TransactionID: o.Payment.TransactionID,
		Reason: r.Reason, Refund: r.Amount, Total: o.Amount,
	})
	if err == nil {
		_, err = s.settleOwn(ctx, r, receipt)
	}
	return s.refundTried(ctx, o.ID, number, err)
}

// refundGap is what the platform wants between two refunds of one order.
const refundGap = time.Minute

// turn takes the refund's turn at the platform, or plans it: a refund that is not its turn yet is sent by the sweep.
func (s *Service) turn(ctx context.Context, order, number string) (mine bool, err error) {
	_, err = s.change(ctx, order, func(o *Order, now time.Time) error {
		r, free := o.refund(number), time.Time{}
		if mine = r != nil && r.Stage.open(); !mine {
			return errUnchanged
		}
		for i := range o.Refunds {
			if other := &o.Refunds[i]; other.Number != number && other.SentAt.Add(refundGap).After(free) {
				free = other.SentAt.Add(refundGap)
			}
		}
		if mine = !now.Before(free); !mine {
			r.NextAt = free
			return nil
		}
		r.SentAt = now
		return nil
	})
	return mine, err
}

// askRefundState queries one refund; known is false when the platform has never heard of the number.
func (s *Service) askRefundState(ctx context.Context, r *Refund) (known bool, err error) {
	receipt, err := s.deps.Payments.QueryRefund(ctx, r.Number)
	if err != nil {
		return false, fmt.Errorf("query refund: %w", err)
	}
	if receipt.State == RefundUnknown {
		return false, nil
	}
	_, err = s.settleOwn(ctx, r, receipt)
	return true, err
}

// settleOwn settles the answer to a question about r, whether or not the platform repeats the numbers.
func (s *Service) settleOwn(ctx context.Context, r *Refund, receipt RefundReceipt) (RefundStage, error) {
	if receipt.Number == "" {
		receipt.Number = r.Number
	}
	return s.SettleRefund(ctx, receipt)
}

// refundTried writes down what a try that settled nothing has taught: when to ask again, and the platform's no.
func (s *Service) refundTried(ctx context.Context, order, number string, tried error) error {
	refused, recorded := errors.Is(tried, ErrPaymentRefused), errors.Is(tried, ErrRefundMismatch)
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		r := o.refund(number)
		if r == nil || !r.Stage.open() {
			return errUnchanged
		}
		if tried == nil && r.Tries == 0 && now.Before(r.NextAt) {
			return errUnchanged
		}
		r.Tries++
		r.NextAt = now.Add(refundDelay(r.Tries))
		switch {
		case refused:
			r.step(StageAbnormal)
			if r.Problem == "" { // the first time only: the rest of the causes differ by request numbers
				o.record(IncidentRefundRefused, number+" "+reasonCode(tried), now)
			}
			r.Problem = ErrPaymentRefused.Code
		case tried != nil:
			r.step(StageSubmitted)
		}
		return nil
	})
	if refused || recorded { // an incident tells it; the next look is planned
		return err
	}
	return errors.Join(tried, err)
}

// reasonCode is the platform's code behind a refusal, as far as the adapter passed it on.
func reasonCode(err error) string {
	if f := fault.Of(err); f != nil && f.Unwrap() != nil {
		return cut(f.Unwrap().Error(), 80)
	}
	return ErrPaymentRefused.Code
}

// SettleRefund takes the platform's verified record of a refund, from a notification or a query, as often and as
// late as it comes, and answers where the refund stands then. A number the platform has closed is replaced by a new
// one by itself. Errors: ErrNotFound for an order that is none of ours; ErrRefundMismatch when number, order or
// amount do not fit: nothing changes but the order's list of incidents.
func (s *Service) SettleRefund(ctx context.Context, receipt RefundReceipt) (RefundStage, error) {
	order := orderOf(receipt.Number)
	if order == "" {
		order = receipt.OrderNumber // made at the merchant's desk, under a number of its own
	}
	if receipt.DoneAt.IsZero() {
		receipt.DoneAt = s.clock.Now()
	}
	receipt.DoneAt = clock.Milli(receipt.DoneAt)
	if err := s.noteRefundDay(ctx, order, receipt); err != nil {
		return "", fmt.Errorf("settle refund: %w", err)
	}
	mismatch := false
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		mismatch = false
		r := o.refund(receipt.Number)
		if r == nil {
			mismatch = true
			detail := cut(receipt.Number, 64) + " " + strconv.FormatInt(int64(receipt.Refund), 10)
			return changedIf(o.record(IncidentForeignRefund, detail, now))
		}
		if why := receipt.mismatch(o, r); why != "" {
			mismatch = true
			return changedIf(o.record(IncidentRefundMismatch, receipt.Number+" "+why, now))
		}
		return o.settleRefund(r, receipt, now)
	})
	if err != nil {
		return "", fmt.Errorf("settle refund: %w", err)
	}
	if mismatch {
		return "", ErrRefundMismatch
	}
	return o.refund(receipt.Number).Stage, nil
}

// mismatch names what does not fit, or nothing.
func (p *RefundReceipt) mismatch(o *Order, r *Refund) string {
	switch {
	case p.State == RefundUnknown:
		return "" // it says nothing
	case p.OrderNumber != "" && p.OrderNumber != o.ID:
		return "order"
	case p.Refund != r.Amount:
		return "amount " + strconv.FormatInt(int64(p.Refund), 10)
	case r.Stage == StageRequested || r.Stage == StageRefused || r.Stage == StageReplaced:
		return "never sent"
	}
	return ""
}

func (o *Order) settleRefund(r *Refund, p RefundReceipt, now time.Time) error {
	switch p.State {
	case RefundDone:
		return o.refundDone(r, p, now)
	case RefundProcessing:
		if !r.step(StageProcessing) {
			return errUnchanged
		}
		r.RefundID, r.NextAt, r.Problem = p.RefundID, now.Add(refundDelay(r.Tries)), ""
		return nil
	case RefundAbnormal:
		if !r.step(StageAbnormal) {
			return errUnchanged
		}
		r.RefundID, r.NextAt = p.RefundID, now.Add(refundDelay(max(r.Tries, 6)))
		o.record(IncidentRefundAbnormal, r.Number, now)
		return nil
	case RefundClosed:
		return o.refundClosed(r, now)
	}
	return errUnchanged
}

func (o *Order) refundDone(r *Refund, p RefundReceipt, now time.Time) error {
	if !r.step(StageDone) {
		if r.Stage == StageClosed { // a number the platform had given up: its replacement pays twice
			return changedIf(o.record(IncidentRefundStuck, r.Number+" done after closed", now))
		}
		return errUnchanged
	}
	r.RefundID, r.Problem = p.RefundID, ""
	at := p.DoneAt
	if at.IsZero() {
		at = now
	}
	return o.finishRefund(r, at)
}

// refundClosed replaces a number the platform has closed.
func (o *Order) refundClosed(r *Refund, now time.Time) error {
	if !r.step(StageClosed) {
		return errUnchanged
	}
	r.NextAt = time.Time{}
	if len(o.Refunds) >= 4*MaxCases { // its case stays open: people must end it, and it stays owed
		o.record(IncidentRefundStuck, r.Number+" closed again and again", now)
		return nil
	}
	closed := *r // the pointer does not survive the append
	next := Refund{
		Key: r.Key, Content: r.Content, By: r.By, Stage: StageAsked, Lines: r.Lines, Reason: r.Reason,
		Restock: r.Restock, Replaces: r.Number, OnWord: r.OnWord, Voices: r.Voices, DecidedBy: r.DecidedBy, NotArrived: r.NotArrived,
	}
	if err := o.addRefund(next, now); err != nil {
		return err
	}
	o.ended(&closed, AfterSaleReplaced, refundNumber(o.ID, len(o.Refunds)), now)
	return nil
}

// HealRefund asks the platform about a refund and settles what it says; a refund the platform has never heard of
// is sent again under its number. It checks nobody. Errors: ErrNotFound, ErrRefundNotFound, ErrPaymentsAway,
// ErrRefundMismatch.
func (s *Service) HealRefund(ctx context.Context, order, number string) (RefundStage, error) {
	o, err := s.Get(ctx, order)
	if err != nil {
		return "", err
	}
	r := o.refund(number)
	if r == nil {
		return "", ErrRefundNotFound
	}
	if !r.Stage.open() {
		return r.Stage, nil
	}
	if r.Stage == StageAsked || r.Stage == StageSubmitted || r.Problem != "" {
		err = s.SubmitRefund(ctx, order, number)
	} else {
		_, err = s.askRefundState(ctx, r)
		err = s.refundTried(ctx, order, number, err)
	}
	if err != nil {
		return "", err
	}
	if o, err = s.Get(ctx, order); err != nil {
		return "", err
	}
	return o.refund(number).Stage, nil
}
