package order

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"time"

	"guanxi/internal/docstore"
)

// A collection code is eight random digits; after codeTries wrong ones nothing is looked at until codePause is over.
const (
	codeDigits = 8
	codeTries  = 5
	codePause  = time.Hour
)

// giveCode gives a paid order with a pickup point its collection code, once.
func (o *Order) giveCode() {
	if o.Pickup == nil || o.Payment == nil || o.Code != "" {
		return
	}
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic(err) // never fails since Go 1.24: the program is aborted instead
	}
	o.Code = docstore.Encrypted(fmt.Sprintf("%0*d", codeDigits, n.Int64()))
}

// CollectInput proves that an order was handed over at its pickup point.
type CollectInput struct {
	By    string // the host, or the keeper of the point when the order was placed
	Order string
	Code  string // what the buyer shows
}

// Collect records that a pickup order was handed over to whoever showed its code; one that was not yet made ready is made
// ready and handed over at once. Nobody collects their own order. Repeating is harmless. Errors: ErrNotFound, ErrNoPickup,
// ErrOwnOrder, ErrCodeWrong, ErrCodeLocked, ErrWrongState.
func (s *Service) Collect(ctx context.Context, in CollectInput) (*Order, error) {
	if err := s.tryCode(ctx, in); err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	return s.receive(ctx, in.Order, HowCode, func(o *Order, now time.Time) error {
		switch {
		case o.over():
			return errUnchanged
		case !o.shows(in.Code):
			return ErrCodeWrong
		}
		o.CodeTries = 0
		if o.Shipment == nil {
			return s.ship(o, ShipInput{Kind: ShipPickup}, now)
		}
		return nil
	})
}

// tryCode spends one of the tries before the code is looked at, so that guessing many at once gains nothing. Errors:
// those of Collect.
func (s *Service) tryCode(ctx context.Context, in CollectInput) error {
	_, err := s.change(ctx, in.Order, func(o *Order, now time.Time) error {
		if err := o.collects(in.By); err != nil {
			return err
		}
		switch {
		case o.over():
			return errUnchanged
		case o.State != StateConfirmed && o.State != StateShipped, o.Shipment != nil && o.Shipment.Kind != ShipPickup:
			return ErrWrongState
		case !now.Before(o.CodeSince.Add(codePause)):
			o.CodeTries, o.CodeSince = 0, now
		case o.CodeTries >= codeTries:
			return ErrCodeLocked
		}
		o.CodeTries++
		return nil
	})
	return err
}

// over tells whether the goods are with the buyer.
func (o *Order) over() bool { return o.State == StateReceived || o.State == StateCompleted }

// shows tells whether this is the order's code.
func (o *Order) shows(code string) bool {
	want := o.Code.Reveal()
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1
}

// collects tells whether somebody may hand the order over. Errors: ErrNotFound, ErrNoPickup, ErrOwnOrder.
func (o *Order) collects(by string) error {
	keeper := o.Pickup != nil && o.Pickup.Keeper == by
	switch {
	case by == "" || by != o.Host && !keeper:
		return ErrNotFound
	case o.Pickup == nil:
		return ErrNoPickup
	case by == o.Member:
		return ErrOwnOrder
	}
	return nil
}
