package order

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"guanxi/internal/id"
)

// MaxReason is how many characters the reason of a refund may have: the platform's limit.
const MaxReason = 80

// RefundInput asks for a refund. By is the member who bought or the host of the campaign; anybody else is told
// that there is no such order.
type RefundInput struct {
	Key    string // idempotency key, unique per asker
	Order  string
	By     string
	Lines  []RefundLine // empty = everything that is left
	Reason string       // 1 to 80 characters; the person who paid reads it
}

// Refund asks for money back. Before the goods are sent, and always for the host, it starts by itself; afterwards,
// until the after-sale window ends, a member's wish waits as StageRequested for the host. The same key with the
// same content answers the same refund, or the one that replaced it. Errors: ErrNotFound, ErrBadInput,
// ErrKeyReused, ErrNotPaid, ErrWrongState, ErrAfterSaleOver, ErrRefundLines, ErrRefundTooMuch, ErrRefundLimit.
func (s *Service) Refund(ctx context.Context, in RefundInput) (Refund, error) {
	if !validKey(in.Key) {
		return Refund{}, ErrBadInput.With("key", "幂等键无效 / the idempotency key is not valid")
	}
	if in.Reason == "" || !validText(in.Reason, MaxReason) {
		return Refund{}, ErrBadInput.With("reason", "请填写 80 字以内的原因 / a reason of at most 80 characters is needed")
	}
	if len(in.Lines) > MaxLines {
		return Refund{}, ErrRefundLines
	}
	return s.askRefund(ctx, in.Order, func(o *Order, now time.Time) (Refund, error) {
		by, err := o.asker(in.By)
		if err != nil {
			return Refund{}, err
		}
		r := Refund{Key: id.Derive("refund", in.By, in.Key), Content: in.content(), By: by, Reason: in.Reason}
		if known := o.refundByKey(r.Key); known != nil {
			return r, nil
		}
		if r.Stage, err = o.refundStage(by, now); err != nil {
			return Refund{}, err
		}
		r.Lines, err = o.parts(in.Lines)
		return r, err
	})
}

// RefundWhole sends everything back that has not gone back yet, wishes that wait for the host included, on nobody's
// word but the system's: the campaign failed, the goods cannot be had. Nothing left to refund is a success. It
// checks nobody. Errors: ErrNotFound, ErrNotPaid, ErrRefundLimit.
func (s *Service) RefundWhole(ctx context.Context, order, key, reason string) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if o.Payment == nil {
			return ErrNotPaid
		}
		let := false
		for i := range o.Refunds {
			if o.Refunds[i].Stage == StageRequested && o.Refunds[i].step(StageAsked) {
				if err := o.goRefund(o.Refunds[i].Number, now); err != nil {
					return err
				}
				let = true
			}
		}
		parts, err := o.parts(nil)
		if errors.Is(err, ErrRefundTooMuch) {
			return changedIf(let)
		}
		if err != nil {
			return err
		}
		return o.addRefund(Refund{
			Key: id.Derive("refund", "", key), By: BySystem, Stage: StageAsked, Lines: parts,
			Reason: cut(reason, MaxReason), Restock: o.Shipment == nil,
		}, now)
	})
	if err != nil {
		return fmt.Errorf("refund whole: %w", err)
	}
	return nil
}

// askRefund adds what draft describes, or answers what is there under its key.
func (s *Service) askRefund(ctx context.Context, order string, draft func(*Order, time.Time) (Refund, error)) (Refund, error) {
	var key string
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		r, err := draft(o, now)
		if err != nil {
			return err
		}
		key = r.Key
		if known := o.refundByKey(key); known != nil {
			if known.Content != r.Content {
				return ErrKeyReused
			}
			return errUnchanged
		}
		r.Restock = o.Shipment == nil
		return o.addRefund(r, now)
	})
	if err != nil {
		return Refund{}, fmt.Errorf("refund: %w", err)
	}
	return *o.refundByKey(key), nil
}

func (in *RefundInput) content() string {
	parts := []string{"refund", in.Reason}
	for _, l := range in.Lines {
		parts = append(parts, strconv.Itoa(l.Line), strconv.FormatInt(l.Units, 10))
	}
	return id.Derive(parts...)
}

// asker tells in which role a person asks. Errors: ErrNotFound for strangers.
func (o *Order) asker(person string) (Asker, error) {
	switch person {
	case "":
		return "", ErrNotFound
	case o.Host: // first: a host who bought from themselves need not ask themselves
		return ByHost, nil
	case o.Member:
		return ByMember, nil
	}
	return "", ErrNotFound
}

// refundStage tells where a new refund starts. Errors: ErrNotPaid, ErrWrongState, ErrAfterSaleOver.
func (o *Order) refundStage(by Asker, now time.Time) (RefundStage, error) {
	switch o.State {
	case StatePlaced, StateClosing, StateClosed:
		return "", ErrNotPaid
	case StateRefunding, StateRefunded:
		return "", ErrWrongState
	case StatePaid, StateConfirmed:
		return StageAsked, nil
	}
	if by == ByHost {
		return StageAsked, nil
	}
	if o.State == StateCompleted || (!o.WindowEnds.IsZero() && !now.Before(o.WindowEnds)) {
		return "", ErrAfterSaleOver
	}
	return StageRequested, nil
}

// ApproveRefund lets a requested refund go. Repeating is harmless. Errors: ErrNotFound, ErrRefundNotFound,
// ErrWrongState when it was refused.
func (s *Service) ApproveRefund(ctx context.Context, host, order, number string) (Refund, error) {
	return s.decideRefund(ctx, host, order, number, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case r.Stage == StageRefused:
			return ErrWrongState
		case r.Stage != StageRequested:
			return errUnchanged
		}
		r.step(StageAsked)
		return o.goRefund(number, now)
	})
}

// RefuseRefund ends a requested refund; its units may be asked for again. Words, at most 80 characters, tell the
// member why. Repeating is harmless. Errors: ErrNotFound, ErrBadInput, ErrRefundNotFound, ErrWrongState when it
// was let go.
func (s *Service) RefuseRefund(ctx context.Context, host, order, number, words string) (Refund, error) {
	if words == "" || !validText(words, MaxReason) {
		return Refund{}, ErrBadInput.With("words", "请填写 80 字以内的说明 / words of at most 80 characters are needed")
	}
	return s.decideRefund(ctx, host, order, number, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case r.Stage == StageRefused:
			return errUnchanged
		case !r.step(StageRefused):
			return ErrWrongState
		}
		r.Problem = words
		o.ended(r, AfterSaleRefused, "", now)
		return nil
	})
}

func (s *Service) decideRefund(
	ctx context.Context, host, order, number string, decide func(*Order, *Refund, time.Time) error,
) (Refund, error) {
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if o.Host != host {
			return ErrNotFound
		}
		r := o.refund(number)
		if r == nil {
			return ErrRefundNotFound
		}
		return decide(o, r, now)
	})
	if err != nil {
		return Refund{}, fmt.Errorf("decide on a refund: %w", err)
	}
	return *o.refund(number), nil
}
