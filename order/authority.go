package order

import (
	"context"
	"time"

	"guanxi/internal/money"
	"guanxi/order/authority"
)

// hostWord is what a host may return of one order: amount on her own word, or the reasons why the brand decides.
type hostWord struct {
	amount money.Fen
	paused bool
	why    []authority.Why
}

// wordFor judges a wish before it is written: what only reads is read here, outside the change.
func (s *Service) wordFor(ctx context.Context, o *Order, by, key string, lines []RefundLine) (hostWord, error) {
	asker, err := o.asker(by)
	if err != nil || o.Payment == nil {
		return hostWord{}, err
	}
	paused := s.admits(ctx, o.Host)
	if paused != nil && !refused(paused) {
		return hostWord{}, paused
	}
	if asker != ByHost || o.refundByKey(key) != nil {
		return hostWord{paused: paused != nil}, nil
	}
	parts, err := o.parts(lines)
	if err != nil {
		return hostWord{}, err
	}
	return s.word(ctx, o, key, worth(parts))
}

// word judges how far the host's word reaches for one refund, and keeps it on her desk.
func (s *Service) word(ctx context.Context, o *Order, key string, amount money.Fen) (hostWord, error) {
	paused := s.admits(ctx, o.Host)
	if paused != nil && !refused(paused) {
		return hostWord{}, paused
	}
	w := hostWord{amount: amount, paused: paused != nil}
	now := s.clock.Now()
	if w.why = s.reasons(o, key, amount, w.paused, now); len(w.why) > 0 || amount == 0 {
		return w, nil
	}
	granted, err := s.desks.Give(ctx, o.Host, o.ID+"/"+key, amount)
	if err == nil && !granted {
		w.why = append(w.why, authority.WhyShare)
	}
	return w, err
}

// reasons lists why the brand decides about so much of an order, as far as the order tells.
func (s *Service) reasons(o *Order, key string, amount money.Fen, paused bool, now time.Time) []authority.Why {
	return s.config.Refunds.Reasons(authority.Case{
		Own: o.own(), Paused: paused, Amount: amount + o.onWord(key), PaidAt: o.Payment.PaidAt, Settled: o.windowOver(now),
	}, now)
}

// windowOver tells whether the after-sale window is over: from here commission may be settled and paid out.
func (o *Order) windowOver(now time.Time) bool {
	return o.State == StateCompleted || !o.WindowEnds.IsZero() && !now.Before(o.WindowEnds)
}

// route says where a new refund starts, and who answers it.
func (s *Service) route(o *Order, r *Refund, w hostWord, now time.Time) {
	amount := worth(r.Lines)
	r.Stage = StageRequested
	brand := func(why ...authority.Why) {
		r.Desk, r.Why, r.BrandAt = DeskBrand, why, now
	}
	switch {
	case o.own():
		brand(authority.WhyOwn)
	case r.By == ByHost && len(w.why) > 0:
		brand(w.why...)
	case r.By == ByHost && w.amount < amount:
		brand(authority.WhyAmount)
	case r.By == ByHost:
		r.Stage, r.OnWord = StageAsked, true
	case !o.carried() && o.ReceivedAt.IsZero():
		r.Stage = StageAsked
	default:
		why := s.reasons(o, r.Key, amount, w.paused, now)
		if o.refusedByHost() {
			why = append(why, authority.WhyRefused)
		}
		if len(why) > 0 {
			brand(why...)
			return
		}
		r.DecideBy = now.Add(s.config.Refunds.Silence)
	}
}

// refusedByHost tells whether the host has said no before: the next word is the brand's.
func (o *Order) refusedByHost() bool {
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.Stage == StageRefused && (r.DecidedBy == o.Host || r.DecidedBy == "") {
			return true
		}
	}
	return false
}

// asker tells in which role a person asks. Errors: ErrNotFound for strangers.
func (o *Order) asker(person string) (Asker, error) {
	switch person {
	case "":
		return "", ErrNotFound
	case o.Member: // first: who bought from themselves asks as the buyer, and the brand answers
		return ByMember, nil
	case o.Host:
		return ByHost, nil
	}
	return "", ErrNotFound
}

// refundableDays is how long the platform returns money.
const refundableFor = 365 * day

// refundable tells whether money of the order may be asked back. Errors: ErrNotPaid, ErrWrongState, ErrAfterSaleOver.
func (o *Order) refundable(now time.Time) error {
	switch o.State {
	case StatePlaced, StateClosing, StateClosed:
		return ErrNotPaid
	case StateRefunding, StateRefunded:
		return ErrWrongState
	}
	if now.After(o.Payment.PaidAt.Add(refundableFor)) {
		return ErrAfterSaleOver
	}
	return nil
}

// missing is the open case of a buyer to whom nothing came, or nil.
func (o *Order) missing() *Refund {
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.NotArrived && r.Stage.claims() {
			return r
		}
	}
	return nil
}

// mayMiss tells whether the buyer may say that nothing came: as long as neither they nor the code have said it did.
// Errors: ErrWrongState.
func (o *Order) mayMiss(by Asker) error {
	if by == ByMember && (o.State == StateShipped || o.State == StateReceived && o.ReceivedHow == HowAutomatic) {
		return nil
	}
	return ErrWrongState
}

// silent moves the requests whose host has not answered in time to the brand.
func (s *Service) silent(ctx context.Context, order string) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		moved := false
		for i := range o.Refunds {
			if r := &o.Refunds[i]; r.waitsForHost() && !now.Before(r.deadline(s.config.Refunds.Silence)) {
				o.toBrand(r, now, authority.WhySilence)
				moved = true
			}
		}
		return changedIf(moved)
	})
	return err
}

func (r *Refund) waitsForHost() bool { return r.Stage == StageRequested && r.Desk == DeskHost }

// deadline is when the host's time is over; requests from before there was one get it counted from their beginning.
func (r *Refund) deadline(silence time.Duration) time.Time {
	if r.DecideBy.IsZero() {
		return r.AskedAt.Add(silence)
	}
	return r.DecideBy
}
