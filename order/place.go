package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guanxi/internal/claim"
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
		Try: claim.Try{Order: orderID(in.Member, "")}, Campaign: in.Campaign, Member: in.Member, Lines: in.Lines,
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
	pickup, err := s.pickup(ctx, offer, in.Pickup)
	if err != nil {
		return Quote{}, err
	}
	return Quote{Host: offer.Host, Community: offer.Community, Lines: lines, Amount: amount, Pickup: pickup}, nil
}

// Place makes an order: price, stock and limits are locked until it expires. The same key with the same content
// answers the same order, whatever became of it since; any number of attempts at it may run in any number of processes
// (see package claim): the stored order is the one decision, and it keeps what its writer has claimed. Errors:
// ErrKeyReused, ErrBadInput, ErrBadLines, ErrBadAmount, ErrUnknownPickup, ErrUnpaidLimit, ErrHostPaused and what
// Campaigns and Stock refuse.
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
	try := claim.New(number)
	draft := &Order{
		Doc: docstore.Doc{ID: number}, State: StatePlaced, Member: in.Member, Campaign: in.Campaign, Content: content,
		Attempt: try.Attempt,
	}
	claims := &claims{service: s, try: try, in: in}
	if err := s.claim(ctx, draft, claims); err != nil {
		claims.undo(ctx)
		return nil, fmt.Errorf("place: %w", err)
	}
	err = s.orders.Insert(ctx, draft)
	if docstore.Exists(err) {
		return s.beaten(ctx, draft, claims)
	}
	if err != nil { // stored or not, nobody knows: the claims wait for the next attempt, or lapse
		return nil, fmt.Errorf("place: %w", err)
	}
	return draft, nil
}

// beaten answers for an attempt that found its order stored. Only what it alone has claimed goes back.
func (s *Service) beaten(ctx context.Context, draft *Order, claims *claims) (*Order, error) {
	o, err := s.again(ctx, draft.ID, draft.Content)
	if err == nil && o != nil && o.Attempt != draft.Attempt || errors.Is(err, ErrKeyReused) {
		claims.undo(ctx)
	}
	return o, err
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

// claims is what one attempt has to leave if it fails before it has tried to write the order.
type claims struct {
	service *Service
	try     claim.Try
	in      PlaceInput
	back    []func(context.Context) error
}

func (c *claims) admission(until time.Time) Admission {
	return Admission{Try: c.try, Campaign: c.in.Campaign, Member: c.in.Member, Lines: c.in.Lines, Until: until}
}

// undo leaves the claims, the last first. What cannot be left now lapses.
func (c *claims) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	for _, back := range slices.Backward(c.back) {
		_ = back(ctx)
	}
}

// claim fills the draft: limits first, then what is only read, then stock, so that a refusal costs little: whoever
// refused for good has taken nothing, and "sold out" must stay cheap in a flash hour.
func (s *Service) claim(ctx context.Context, o *Order, c *claims) error {
	now, in := s.clock.Now(), c.in
	o.PlacedAt, o.ExpiresAt = now, now.Add(s.config.Hold)
	o.Note, o.Share = docstore.Encrypted(in.Note), in.Share
	until := o.ExpiresAt.Add(s.config.HoldGrace)
	offer, err := s.deps.Campaigns.Admit(ctx, c.admission(until))
	if err == nil || !refused(err) {
		c.back = append(c.back, func(ctx context.Context) error { return s.deps.Campaigns.Undo(ctx, c.admission(until)) })
	}
	if err != nil {
		return err
	}
	o.Host, o.Community = offer.Host, offer.Community
	if err := s.admits(ctx, o.Host); err != nil {
		return err
	}
	if o.Lines, o.Amount, err = price(in.Lines, offer); err != nil {
		return err
	}
	if o.Pickup, err = s.pickup(ctx, offer, in.Pickup); err != nil {
		return err
	}
	if o.Grade, err = s.deps.Pickups.Grade(ctx, offer.Host); err != nil {
		return err
	}
	if o.Referral, err = s.deps.Referrer.Attribute(ctx, in.Member, offer.Host, offer.Community, now); err != nil {
		return err
	}
	o.plan(s.config.Refunds.Silence)
	err = s.enterTab(ctx, o, c.try, until)
	if err == nil || !refused(err) {
		c.back = append(c.back, func(ctx context.Context) error { return s.leaveTab(ctx, in.Member, c.try) })
	}
	if err != nil {
		return err
	}
	err = s.deps.Stock.Hold(ctx, c.try, until, in.Lines)
	if err == nil || !refused(err) {
		c.back = append(c.back, func(ctx context.Context) error { return s.deps.Stock.Undo(ctx, c.try, in.Lines) })
	}
	return err
}

// admits answers nil while the brand lets the host take orders. Errors: ErrHostPaused.
func (s *Service) admits(ctx context.Context, host string) error {
	err := s.deps.Hosts.MayRun(ctx, host)
	if refused(err) {
		return ErrHostPaused.Because(err)
	}
	return err
}

// refused tells a considered no, which has claimed nothing, from an outage, after which something may be claimed.
func refused(err error) bool {
	f := fault.Of(err)
	return f != nil && f.Kind != fault.Internal && f.Kind != fault.Unavailable
}

// pickup looks the chosen point up: an open one of the community that the campaign is for. Errors: ErrUnknownPickup.
func (s *Service) pickup(ctx context.Context, offer Offer, point string) (*Pickup, error) {
	if point == "" {
		return nil, nil //nolint:nilnil // none was chosen
	}
	if len(offer.Pickup) > 0 && !slices.Contains(offer.Pickup, point) {
		return nil, ErrUnknownPickup
	}
	found, err := s.deps.Pickups.PickupPoint(ctx, offer.Community, point)
	if err != nil {
		return nil, pickupFault(err)
	}
	return &found, nil
}

func orderID(member, key string) string { return id.Derive("order", member, key) }
