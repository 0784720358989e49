package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"guanxi/catalog"
	"guanxi/internal/claim"
	"guanxi/internal/redisx"
	"guanxi/order"
)

// gate answers "sold out" cheaply while a flash hour's crowd keeps asking. It stands before everything a placement
// writes, but after the order has looked its idempotency key up, so that an order that exists is always returned. It
// learns from the store's own refusals only, forgets them when units come back and by itself after a moment; without
// Redis, and whenever it knows nothing, the store is asked as if there were no gate.
type gate struct {
	gate    *redisx.Gate
	catalog *catalog.Service

	mu       sync.Mutex
	suspects map[string]*sync.Mutex // SKUs that were sold out when last looked at; held by who looks again
}

// maxSuspects bounds the SKUs remembered; forgetting one costs its crowd a wave of askings.
const maxSuspects = 4096

// suspect gives the lock of a SKU that was sold out lately, or nil.
func (g *gate) suspect(sku string) *sync.Mutex {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.suspects[sku]
}

func (g *gate) note(sku string, soldOut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !soldOut:
		delete(g.suspects, sku)
	case g.suspects[sku] == nil:
		if g.suspects == nil || len(g.suspects) >= maxSuspects {
			g.suspects = map[string]*sync.Mutex{}
		}
		g.suspects[sku] = &sync.Mutex{}
	}
}

// reopen hears from the catalog that units of a SKU have become free.
func (g *gate) reopen(ctx context.Context, sku string) {
	g.gate.Reopen(context.WithoutCancel(ctx), sku)
}

// admit refuses lines of which the store has just had nothing left.
func (g *gate) admit(ctx context.Context, lines []order.Wish) error {
	for _, line := range lines {
		if !g.gate.Deal(ctx, line.SKU, line.Units) || g.stillSoldOut(ctx, line) {
			return catalog.ErrSoldOut
		}
	}
	return nil
}

// stillSoldOut looks at the store again when a refusal has become too old to be believed. One does it for the whole
// crowd: if all of them tried to buy, the store would stand still once a second.
func (g *gate) stillSoldOut(ctx context.Context, line order.Wish) bool {
	look := g.suspect(line.SKU)
	if look == nil {
		return false
	}
	look.Lock()
	defer look.Unlock()
	if g.suspect(line.SKU) == nil {
		return false // somebody else has looked, and there is something
	}
	if g.gate.Deal(ctx, line.SKU, line.Units) { // nobody else has looked
		g.learn(ctx, []order.Wish{line})
	}
	return !g.gate.Deal(ctx, line.SKU, line.Units)
}

// learn looks what is left after the store has refused a hold. Only "nothing at all" is remembered: while there is one
// unit, everybody who asks for it is answered by the store. Units may come back in any process between the look and the
// closing; so it is looked once more after closing, and whoever frees units after that look reopens the gate.
func (g *gate) learn(ctx context.Context, lines []order.Wish) {
	skus := make([]string, len(lines))
	for i, line := range lines {
		skus[i] = line.SKU
	}
	var shut []string
	for _, sku := range g.gone(ctx, skus) {
		g.gate.Close(ctx, sku)
		shut = append(shut, sku)
	}
	if len(shut) == 0 {
		return
	}
	still := g.gone(ctx, shut)
	for _, sku := range shut {
		if !slices.Contains(still, sku) {
			g.gate.Reopen(ctx, sku)
		}
	}
}

// gone lists the SKUs of which the store has nothing left, and remembers which those are.
func (g *gate) gone(ctx context.Context, skus []string) (none []string) {
	left, err := g.catalog.Left(ctx, skus)
	for _, sku := range skus {
		free, known := left[sku]
		out := err == nil && known && free <= 0
		if out {
			none = append(none, sku)
		}
		if out || err == nil {
			g.note(sku, out)
		}
	}
	return none // of what could not be looked up, the store is asked again
}

// gatedCampaigns asks the gate before a claim is written.
type gatedCampaigns struct {
	campaigns
	gate *gate
}

func (c gatedCampaigns) Admit(ctx context.Context, a order.Admission) (order.Offer, error) {
	if refusal := c.gate.admit(ctx, a.Lines); refusal != nil {
		// An earlier try under this key may have died after it had claimed, and perhaps held: it goes on from there.
		claimed, err := c.groupbuy.Claimed(ctx, a.Campaign, a.Member, a.Order)
		if err != nil {
			return order.Offer{}, err
		}
		if !claimed {
			return order.Offer{}, refusal
		}
	}
	return c.campaigns.Admit(ctx, a)
}

// gatedStock tells the gate what the store refuses.
type gatedStock struct {
	order.Stock
	gate *gate
}

func (s gatedStock) Hold(ctx context.Context, t claim.Try, until time.Time, lines []order.Wish) error {
	err := s.Stock.Hold(ctx, t, until, lines)
	if errors.Is(err, catalog.ErrSoldOut) {
		s.gate.learn(ctx, lines)
	}
	return err
}
