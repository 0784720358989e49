package order

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ShipInput says how the goods travel. Express needs the company's code and a tracking number; for city delivery
// they are optional; pickup has none.
type ShipInput struct {
	Kind     ShipKind
	Company  string // at most 40 characters
	Tracking string // at most 40 characters, visible ASCII
}

func (in ShipInput) check() error {
	switch in.Kind {
	case ShipPickup:
		if in.Company != "" || in.Tracking != "" {
			return ErrBadInput.With("tracking", "自提没有运单 / a pickup has no tracking")
		}
		return nil
	case ShipExpress, ShipCity:
	default:
		return ErrBadInput.With("kind", "发货方式无效 / the way of shipping is not valid")
	}
	if in.Kind == ShipExpress && (in.Company == "" || in.Tracking == "") {
		return ErrBadInput.With("tracking", "快递需要公司和单号 / express needs a company and a tracking number")
	}
	if !clean(&in.Company, 0, 40) || strings.ContainsAny(in.Company, "\r\n\t") {
		return ErrBadInput.With("company", "快递公司无效 / the company is not valid")
	}
	if in.Tracking != "" && (!validKey(in.Tracking) || len(in.Tracking) > 40) {
		return ErrBadInput.With("tracking", "运单号无效 / the tracking number is not valid")
	}
	return nil
}

// Ship records that the host has sent a confirmed order, or that it waits at the pickup point. It never is the last word:
// until the buyer, the collection code, or a carrier with a number says otherwise the buyer's refund stays automatic, and
// an open case of a buyer stops the clock. Repeating it with the same content is harmless. Errors: ErrNotFound,
// ErrOwnOrder, ErrBadInput, ErrWrongState, ErrAlreadyShipped.
func (s *Service) Ship(ctx context.Context, host, order string, in ShipInput) (*Order, error) {
	return s.shipAs(ctx, order, in, func(o *Order) error {
		switch {
		case o.Host != host:
			return ErrNotFound
		case o.own():
			return ErrOwnOrder
		}
		return nil
	})
}

func (s *Service) shipAs(ctx context.Context, order string, in ShipInput, allow func(*Order) error) (*Order, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if err := allow(o); err != nil {
			return err
		}
		return s.ship(o, in, now)
	})
	if err != nil {
		return nil, fmt.Errorf("ship: %w", err)
	}
	return o, nil
}

// carried tells whether a carrier with a number has the goods: more than the host's word.
func (o *Order) carried() bool { return o.Shipment != nil && o.Shipment.Tracking != "" }

func (s *Service) ship(o *Order, in ShipInput, now time.Time) error {
	if known := o.Shipment; known != nil {
		if known.Kind != in.Kind || known.Company != in.Company || known.Tracking != in.Tracking {
			return ErrAlreadyShipped
		}
		return errUnchanged
	}
	if err := o.move(byShipping); err != nil {
		return err
	}
	wait := s.config.AutoReceiveOther
	if in.Kind == ShipExpress {
		wait = s.config.AutoReceiveExpress
	}
	o.Shipment = &Shipment{
		Kind: in.Kind, Company: in.Company, Tracking: in.Tracking, ShippedAt: now, ReceiveBy: now.Add(wait),
	}
	o.Emit(EventShipped, Shipped{
		Sale: o.sale(), TransactionID: o.Payment.TransactionID, Kind: in.Kind, Company: in.Company,
		Tracking: in.Tracking, Words: o.words(), ShippedAt: now,
	})
	return nil
}

// Receive records that the member has the goods. Repeating is harmless. Errors: ErrNotFound, ErrWrongState.
func (s *Service) Receive(ctx context.Context, member, order string) (*Order, error) {
	return s.receive(ctx, order, HowMember, func(o *Order, _ time.Time) error {
		if o.Member != member {
			return ErrNotFound
		}
		return nil
	})
}

func (s *Service) receive(ctx context.Context, order, how string, allow func(*Order, time.Time) error) (*Order, error) {
	o, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if err := allow(o, now); err != nil {
			return err
		}
		if o.State == StateReceived || o.State == StateCompleted {
			return errUnchanged
		}
		if err := o.move(byReceiving); err != nil {
			return err
		}
		o.ReceivedAt, o.ReceivedHow, o.WindowEnds = now, how, now.Add(s.config.AfterSale)
		o.Emit(EventReceived, Received{Sale: o.sale(), How: how, ReceivedAt: now, WindowEnds: o.WindowEnds})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	return o, nil
}

// complete ends the after-sale window.
func (s *Service) complete(ctx context.Context, order string) error {
	_, err := s.change(ctx, order, func(o *Order, now time.Time) error {
		if o.State != StateReceived || now.Before(o.WindowEnds) || o.refundPending() {
			return errUnchanged
		}
		if err := o.move(byWindowEnd); err != nil {
			return err
		}
		o.CompletedAt = now
		o.Emit(EventCompleted, Completed{Sale: o.sale(), CompletedAt: now})
		return nil
	})
	return err
}
