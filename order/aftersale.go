package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/order/authority"
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
	// NotArrived: the buyer says that nothing came. Asking again while that is open answers the open one.
	NotArrived bool
}

// Refund asks for money back. It starts by itself for the buyer as long as nothing but the host's word says that the
// goods were handed over, and for a host as far as her word reaches (room authority). Otherwise it waits as
// StageRequested: for the host until Refund.DecideBy, or for the brand, with the reasons. A host's own order always waits
// for the brand. The same key with the same content answers the same refund, or the one that replaced it. Errors:
// ErrNotFound, ErrBadInput, ErrKeyReused, ErrNotPaid, ErrWrongState, ErrAfterSaleOver (the platform returns nothing after
// a year), ErrRefundLines, ErrRefundTooMuch, ErrRefundLimit.
func (s *Service) Refund(ctx context.Context, in RefundInput) (Refund, error) {
	if err := in.check(); err != nil {
		return Refund{}, err
	}
	key := id.Derive("refund", in.By, in.Key)
	o, err := s.Get(ctx, in.Order)
	if err != nil {
		return Refund{}, fmt.Errorf("refund: %w", err)
	}
	w, err := s.wordFor(ctx, o, in.By, key, in.Lines)
	if err != nil {
		return Refund{}, fmt.Errorf("refund: %w", err)
	}
	return s.askRefund(ctx, in.Order, func(o *Order, now time.Time) (Refund, error) {
		by, err := o.asker(in.By)
		if err != nil {
			return Refund{}, err
		}
		r := Refund{Key: key, Content: in.content(), By: by, Reason: in.Reason, NotArrived: in.NotArrived}
		if known := o.refundByKey(r.Key); known != nil {
			return r, nil
		}
		if in.NotArrived {
			if open := o.missing(); open != nil {
				r.Key, r.Content = open.Key, open.Content
				return r, nil
			}
			if err := o.mayMiss(by); err != nil {
				return Refund{}, err
			}
		}
		if err = o.refundable(now); err != nil {
			return Refund{}, err
		}
		if r.Lines, err = o.parts(in.Lines); err == nil {
			s.route(o, &r, w, now)
		}
		return r, err
	})
}

func (in *RefundInput) check() error {
	if !validKey(in.Key) {
		return ErrBadInput.With("key", "幂等键无效 / the idempotency key is not valid")
	}
	return checkRefund(&in.Reason, in.Lines)
}

func checkRefund(reason *string, lines []RefundLine) error {
	if !clean(reason, 1, MaxReason) {
		return ErrBadInput.With("reason", "请填写 80 字以内的原因 / a reason of at most 80 characters is needed")
	}
	if len(lines) > MaxLines {
		return ErrRefundLines
	}
	return nil
}

// RefundWhole sends everything back that has not gone back yet, as one refund, on nobody's word but the system's: the
// campaign failed, the goods cannot be had. What waits for a decision goes with it. Nothing left to refund is a success.
// No limit stands in its way: what the platform does not take is an incident, and stays owed. It checks nobody. Errors:
// ErrNotFound, ErrNotPaid.
func (s *Service) RefundWhole(ctx context.Context, order, key, reason string) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if o.Payment == nil {
			return ErrNotPaid
		}
		var waited []Refund
		for i := range o.Refunds {
			if r := &o.Refunds[i]; r.step(StageReplaced) {
				r.DecideBy = time.Time{}
				waited = append(waited, *r)
			}
		}
		parts, err := o.parts(nil)
		if errors.Is(err, ErrRefundTooMuch) {
			return errUnchanged // nothing waited either: what waits has units
		}
		if err != nil {
			return err
		}
		err = o.addRefund(Refund{
			Key: id.Derive("refund", "", key), By: BySystem, Stage: StageAsked, Lines: parts,
			Reason: cut(reason, MaxReason), Restock: o.Shipment == nil,
		}, now)
		for i := range waited {
			o.ended(&waited[i], AfterSaleReplaced, refundNumber(o.ID, len(o.Refunds)), now)
		}
		return err
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
	what := "refund"
	if in.NotArrived {
		what = "not-arrived"
	}
	return refundContent(what, in.Reason, in.Lines)
}

func refundContent(what, reason string, lines []RefundLine) string {
	parts := []string{what, reason}
	for _, l := range lines {
		parts = append(parts, strconv.Itoa(l.Line), strconv.FormatInt(l.Units, 10))
	}
	return id.Derive(parts...)
}

// ApproveRefund is the host's yes to a request. As far as her word reaches the money goes; beyond that the request waits
// for the brand, with her yes noted. Repeating is harmless. Errors: ErrNotFound, ErrOwnOrder, ErrRefundNotFound,
// ErrBrandDecides, ErrWrongState when it was refused, ErrRefundLimit.
func (s *Service) ApproveRefund(ctx context.Context, host, order, number string) (Refund, error) {
	o, err := s.GetHosted(ctx, host, order)
	if err != nil {
		return Refund{}, fmt.Errorf("decide on a refund: %w", err)
	}
	var w hostWord
	if r := o.refund(number); r != nil && r.Stage == StageRequested && r.Desk == DeskHost {
		if w, err = s.word(ctx, o, r.Key, r.Amount); err != nil {
			return Refund{}, fmt.Errorf("decide on a refund: %w", err)
		}
	}
	return s.decideRefund(ctx, host, order, number, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case r.Stage == StageRefused || r.Stage == StageReplaced:
			return ErrWrongState
		case r.Stage != StageRequested || r.Endorsed:
			return errUnchanged
		case r.Desk == DeskBrand:
			return ErrBrandDecides
		case len(w.why) > 0 || w.amount < r.Amount:
			r.Endorsed = true
			o.toBrand(r, now, w.why...)
			return nil
		}
		return o.release(r, host, true, now)
	})
}

// release lets a request go. Errors: ErrRefundLimit.
func (o *Order) release(r *Refund, by string, onWord bool, now time.Time) error {
	if err := o.slot(r); err != nil {
		return err
	}
	r.step(StageAsked)
	r.DecideBy, r.DecidedBy, r.OnWord = time.Time{}, by, onWord
	return o.goRefund(r.Number, now)
}

// RefuseRefund ends a request the host has to answer; its units may be asked for again, and the brand answers then.
// Words, at most 80 characters, tell the member why. Repeating is harmless. Errors: ErrNotFound, ErrOwnOrder, ErrBadInput,
// ErrRefundNotFound, ErrHostPaused, ErrBrandDecides, ErrWrongState when it was let go.
func (s *Service) RefuseRefund(ctx context.Context, host, order, number, words string) (Refund, error) {
	if err := checkWords(&words); err != nil {
		return Refund{}, err
	}
	_, err := s.GetHosted(ctx, host, order)
	if err == nil {
		err = s.admits(ctx, host)
	}
	if err != nil {
		return Refund{}, fmt.Errorf("decide on a refund: %w", err)
	}
	return s.decideRefund(ctx, host, order, number, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case r.Stage == StageRefused:
			return errUnchanged
		case r.Stage == StageRequested && r.Desk == DeskBrand:
			return ErrBrandDecides
		}
		return o.refuse(r, host, words, now)
	})
}

func checkWords(words *string) error {
	if !clean(words, 1, MaxReason) {
		return ErrBadInput.With("words", "请填写 80 字以内的说明 / words of at most 80 characters are needed")
	}
	return nil
}

// refuse ends a request with words for the member. Errors: ErrWrongState.
func (o *Order) refuse(r *Refund, by, words string, now time.Time) error {
	if !r.step(StageRefused) {
		return ErrWrongState
	}
	r.Problem, r.DecidedBy, r.DecideBy = words, by, time.Time{}
	o.ended(r, AfterSaleRefused, "", now)
	return nil
}

func (s *Service) decideRefund(
	ctx context.Context, host, order, number string, decide func(*Order, *Refund, time.Time) error,
) (Refund, error) {
	return s.decide(ctx, order, number, func(o *Order, r *Refund, now time.Time) error {
		switch {
		case o.own():
			return ErrOwnOrder
		case r == nil:
			return ErrRefundNotFound
		}
		return decide(o, r, now)
	}, func(o *Order) error {
		if o.Host != host {
			return ErrNotFound
		}
		return nil
	})
}

// decide changes one refund of an order that may be seen.
func (s *Service) decide(
	ctx context.Context, order, number string, decide func(*Order, *Refund, time.Time) error, see func(*Order) error,
) (Refund, error) {
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if err := see(o); err != nil {
			return err
		}
		return decide(o, o.refund(number), now)
	})
	if err != nil {
		return Refund{}, fmt.Errorf("decide on a refund: %w", err)
	}
	return *o.refund(number), nil
}

// turnover sums what a host's orders placed since then have earned: paid, confirmed, net of what went back, her own left
// out. It reads newest first and stops as soon as it is enough, at the latest after maxTurnover orders.
func (s *Service) turnover(ctx context.Context, host string, since time.Time, enough money.Fen) (money.Fen, error) {
	sum, read := money.Fen(0), 0
	query := docstore.By(indexHost, host).Between(since, nil).Newest().First(turnoverPage)
	for {
		page, err := s.orders.Find(ctx, query)
		if err != nil {
			return 0, fmt.Errorf("turnover: %w", err)
		}
		for _, o := range page.Items {
			if !o.ConfirmedAt.IsZero() && !o.own() {
				sum += o.Amount - o.Returned()
			}
		}
		if read += len(page.Items); sum >= enough || page.Next == "" || read >= maxTurnover {
			return sum, nil
		}
		query = query.Continue(page.Next)
	}
}

const (
	turnoverPage = 200
	maxTurnover  = 5000
)

// own tells whether the buyer is the host: then the brand decides.
func (o *Order) own() bool { return o.Member == o.Host }

// onWord sums what went back of the order on the host's word, one refund left out.
func (o *Order) onWord(but string) (sum money.Fen) {
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.OnWord && r.Key != but && r.Stage.goes() {
			sum += r.Amount
		}
	}
	return sum
}

// toBrand lets a request wait for the brand.
func (o *Order) toBrand(r *Refund, now time.Time, why ...authority.Why) {
	for _, w := range why {
		if !slices.Contains(r.Why, w) {
			r.Why = append(r.Why, w)
		}
	}
	if r.Desk != DeskBrand {
		r.Desk, r.BrandAt, r.DecideBy = DeskBrand, now, time.Time{}
		o.Emit(EventBrandAsked, BrandAsked{Order: o.ID, Refund: r.Number, Why: r.Why, At: now})
	}
}
