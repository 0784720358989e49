package order

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	prepayLife = 2*time.Hour - 5*time.Minute // the platform's 2 h, less a margin
	// platformSlack: the platform wants an expiry at least a minute ahead; it is asked to close at ours anyway.
	platformSlack = time.Minute
	// quietAfterPrepay is how long after the prepay a repeated request is taken for a mere repetition.
	quietAfterPrepay = 5 * time.Second
	answerTime       = 5 * time.Second // for courtesies after the caller may have gone
)

// Prepay gives the parameters with which the mini-program pays: only to the owner, only while the order is
// payable. A prepay id the platform still knows is signed again instead of being asked for. Errors: ErrNotFound,
// ErrExpired, ErrAlreadyPaid, ErrNotPayable, ErrPaymentsAway, ErrPaymentRefused.
func (s *Service) Prepay(ctx context.Context, member, order string) (PayParams, error) {
	o, err := s.GetMine(ctx, member, order)
	if err != nil {
		return PayParams{}, err
	}
	now := s.clock.Now()
	if err := o.payable(now); err != nil {
		return PayParams{}, err
	}
	if o.PrepayID != "" && now.Before(o.PrepaidAt.Add(prepayLife)) {
		if err := s.perhapsPaid(ctx, o, now); err != nil {
			return PayParams{}, err
		}
		params, err := s.deps.Payments.Sign(ctx, o.PrepayID)
		if err != nil {
			return PayParams{}, fmt.Errorf("prepay: sign again: %w", err)
		}
		return params, nil
	}
	openID, err := s.deps.Members.OpenID(ctx, member)
	if err != nil {
		return PayParams{}, fmt.Errorf("prepay: %w", err)
	}
	params, err := s.deps.Payments.Prepay(ctx, Prepayment{
		Number: o.ID, Description: o.words(), OpenID: openID, Total: o.Amount,
		ExpiresAt: o.lapsesAt().Add(platformSlack),
	})
	if errors.Is(err, ErrPaymentRefused) {
		return PayParams{}, s.refusedPrepay(ctx, o.ID, err)
	}
	if err != nil {
		return PayParams{}, fmt.Errorf("prepay: %w", err)
	}
	return s.keepPrepay(ctx, o.ID, params)
}

// perhapsPaid asks the platform before somebody pays again what may be paid already, its notification lost or late. When
// the platform cannot be asked, the old parameters are harmless: a number is paid once.
func (s *Service) perhapsPaid(ctx context.Context, o *Order, now time.Time) error {
	if now.Before(o.PrepaidAt.Add(quietAfterPrepay)) {
		return nil
	}
	if outcome, err := s.ask(ctx, o.ID); err != nil || outcome == OutcomeOpen {
		return nil //nolint:nilerr // the platform is away: see above
	}
	fresh, err := s.Get(ctx, o.ID)
	if err != nil {
		return err
	}
	return fresh.payable(now)
}

// keepPrepay stores the prepay id before anybody can pay with it. If the order was given up meanwhile, nobody
// gets the parameters and the number is closed once more.
func (s *Service) keepPrepay(ctx context.Context, order string, params PayParams) (PayParams, error) {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if err := o.payable(now); err != nil {
			return err
		}
		o.PrepayID, o.PrepaidAt, o.Looks = params.PrepayID, now, 0
		o.LookAt = lookAfterPrepay(now, 0)
		return nil
	})
	if errors.Is(err, ErrNotPayable) || errors.Is(err, ErrExpired) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
		defer cancel()
		_ = s.deps.Payments.Close(ctx, order)
	}
	if err != nil {
		return PayParams{}, fmt.Errorf("prepay: %w", err)
	}
	return params, nil
}

// refusedPrepay asks why: the order may have been paid without our knowledge.
func (s *Service) refusedPrepay(ctx context.Context, order string, refusal error) error {
	if _, err := s.ask(ctx, order); err != nil {
		return fmt.Errorf("prepay: %w", refusal)
	}
	o, err := s.Get(ctx, order)
	if err != nil {
		return err
	}
	if err := o.payable(s.clock.Now()); err != nil {
		return err
	}
	return fmt.Errorf("prepay: %w", refusal)
}

// payable tells whether money may be asked for now. Errors: ErrExpired, ErrAlreadyPaid, ErrNotPayable.
func (o *Order) payable(now time.Time) error {
	switch {
	case o.Payment != nil:
		return ErrAlreadyPaid
	case o.State == StatePlaced && now.Before(o.lapsesAt()):
		return nil
	case o.State == StatePlaced, o.CloseWhy == WhyExpired:
		return ErrExpired
	}
	return ErrNotPayable
}

// words says what the order is, for the payment page and the parcel.
func (o *Order) words() string {
	first := cut(o.Lines[0].Name, 60)
	if len(o.Lines) == 1 {
		return first
	}
	return first + " 等" + strconv.Itoa(len(o.Lines)) + "种商品"
}
