package order

import (
	"context"
	"errors"
	"fmt"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

// QuoteInput asks what a purchase would cost.
type QuoteInput struct {
	Member, Campaign string
	Lines            []Wish
	Pickup           string // optional
}

// Quote is the answer: nothing is held by it.
type Quote struct {
	Host, Community string
	Lines           []Line
	Amount          money.Fen
	Pickup          *Pickup
}

// Quote prices a purchase with the same checks as Place, claiming nothing. Errors: ErrBadInput, ErrBadLines,
// ErrBadAmount, ErrUnknownPickup, ErrHostPaused and what Campaigns refuses.
func (s *Service) Quote(ctx context.Context, in QuoteInput) (Quote, error) {
	place := PlaceInput{Key: "quote", Member: in.Member, Campaign: in.Campaign, Lines: in.Lines, Pickup: in.Pickup}
	if err := place.check(); err != nil {
		return Quote{}, err
	}
	offer, err := s.deps.Campaigns.Quote(ctx, Admission{
		Order: orderID(in.Member, ""), Campaign: in.Campaign, Member: in.Member, Lines: in.Lines,
		Until: s.clock.Now().Add(s.config.Hold),
	})
	if err != nil {
		return Quote{}, fmt.Errorf("quote: %w", err)
	}
	if err := s.admits(ctx, offer.Host); err != nil {
		return Quote{}, err
	}
	lines, amount, err := price(in.Lines, offer)
	if err != nil {
		return Quote{}, err
	}
	pickup, err := s.pickup(ctx, offer.Community, in.Pickup)
	if err != nil {
		return Quote{}, err
	}
	return Quote{Host: offer.Host, Community: offer.Community, Lines: lines, Amount: amount, Pickup: pickup}, nil
}

// Place makes an order: price, stock and limits are locked until it expires. The same key with the same content
// answers the same order, whatever became of it since. Errors: ErrKeyReused, ErrBadInput, ErrBadLines,
// ErrBadAmount, ErrUnknownPickup, ErrHostPaused and what Campaigns and Stock refuse.
func (s *Service) Place(ctx context.Context, in PlaceInput) (*Order, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	number, content := orderID(in.Member, in.Key), in.content()
	leave, err := s.gate.enter(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("place: %w", err)
	}
	defer leave()
	if o, err := s.again(ctx, number, content); o != nil || err != nil {
		return o, err
	}
	draft := &Order{Doc: docstore.Doc{ID: number}, State: StatePlaced, Member: in.Member, Campaign: in.Campaign, Content: content}
	if got, err := s.claim(ctx, draft, in); err != nil {
		s.giveBack(ctx, draft, in.Lines, got)
		return nil, fmt.Errorf("place: %w", err)
	}
	err = s.orders.Insert(ctx, draft)
	if docstore.Exists(err) { // another process placed the same at this moment: the claims are that order's
		return s.again(ctx, number, content)
	}
	if err != nil {
		if !errors.Is(err, docstore.ErrUnclear) && ctx.Err() == nil {
			s.giveBack(ctx, draft, in.Lines, gotStock)
		}
		return nil, fmt.Errorf("place: %w", err)
	}
	return draft, nil
}

// again answers a repeated placement: the order, ErrKeyReused, or nothing when it was never placed.
func (s *Service) again(ctx context.Context, number, content string) (*Order, error) {
	o, err := s.Get(ctx, number)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // nothing there and nothing wrong
	case err != nil:
		return nil, fmt.Errorf("place: %w", err)
	case o.Content != content:
		return nil, ErrKeyReused
	}
	return o, nil
}

// claimed is what a placement may have taken before it failed.
type claimed int

const (
	gotNothing claimed = iota
	gotLimits
	gotStock // and limits
)

// claim fills the draft: limits first, then what is only read, then stock, so that a refusal costs little: whoever
// refused for good has taken nothing, and "sold out" must stay cheap in a flash hour.
func (s *Service) claim(ctx context.Context, o *Order, in PlaceInput) (claimed, error) {
	now := s.clock.Now()
	o.PlacedAt, o.ExpiresAt = now, now.Add(s.config.Hold)
	o.Note, o.Share = docstore.Encrypted(in.Note), in.Share
	until := o.ExpiresAt.Add(s.config.HoldGrace)
	offer, err := s.deps.Campaigns.Admit(ctx, Admission{
		Order: o.ID, Campaign: in.Campaign, Member: in.Member, Lines: in.Lines, Until: until,
	})
	if err != nil {
		return unless(refused(err), gotLimits, gotNothing), err
	}
	o.Host, o.Community = offer.Host, offer.Community
	if err := s.admits(ctx, o.Host); err != nil {
		return gotLimits, err
	}
	if o.Lines, o.Amount, err = price(in.Lines, offer); err != nil {
		return gotStock, err // an earlier try under this key may have come as far
	}
	if o.Pickup, err = s.pickup(ctx, offer.Community, in.Pickup); err != nil {
		return gotLimits, err
	}
	if o.Grade, err = s.deps.Pickups.Grade(ctx, offer.Host); err != nil {
		return gotLimits, err
	}
	if o.Referral, err = s.deps.Referrer.Attribute(ctx, in.Member, offer.Host, offer.Community, now); err != nil {
		return gotLimits, err
	}
	o.plan()
	if err := s.deps.Stock.Hold(ctx, o.ID, until, in.Lines); err != nil {
		return unless(refused(err), gotStock, gotLimits), err
	}
	return gotStock, nil
}

// admits answers nil while the brand lets the host take orders. Errors: ErrHostPaused.
func (s *Service) admits(ctx context.Context, host string) error {
	err := s.deps.Hosts.MayRun(ctx, host)
	if refused(err) {
		return ErrHostPaused.Because(err)
	}
	return err
}

func unless(refused bool, doubtful, sure claimed) claimed {
	if refused {
		return sure
	}
	return doubtful
}

// refused tells a considered no from an outage, after which something may have happened all the same.
func refused(err error) bool {
	f := fault.Of(err)
	return f != nil && f.Kind != fault.Internal && f.Kind != fault.Unavailable
}

// giveBack is a courtesy: what it cannot give back lapses by itself. It never takes from an order that exists.
func (s *Service) giveBack(ctx context.Context, o *Order, lines []Wish, got claimed) {
	if got == gotNothing {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	if _, err := s.Get(ctx, o.ID); !errors.Is(err, ErrNotFound) {
		return
	}
	if got == gotStock {
		_ = s.deps.Stock.Release(ctx, o.ID, lines)
	}
	_ = s.deps.Campaigns.Withdraw(ctx, o.Campaign, o.Member, o.ID)
}

func (s *Service) pickup(ctx context.Context, community, point string) (*Pickup, error) {
	if point == "" {
		return nil, nil //nolint:nilnil // none was chosen
	}
	found, err := s.deps.Pickups.PickupPoint(ctx, community, point)
	if err != nil {
		return nil, pickupFault(err)
	}
	return &found, nil
}

func orderID(member, key string) string { return id.Derive("order", member, key) }
