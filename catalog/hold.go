package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const maxRounds = 12 // of looking and taking before a line gives up as contended

// errShort ends the fast path of a hold: the home bucket alone cannot answer.
var errShort = errors.New("catalog: home bucket is short")

// Hold takes the units of all lines out of the free stock for an order, or none. Holding the same lines again for
// the same order changes nothing but a later `until`. A hold lapses some time (Config.Grace) after until.
// Sold out is said only after a look at every bucket in the store.
// Codes: CAT_STOCK_INVALID, CAT_HOLD_LATE (until has passed), CAT_SOLD_OUT.
func (s *Service) Hold(ctx context.Context, order string, until time.Time, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	until = clock.Milli(until)
	switch {
	case !validName(order):
		return ErrStockInvalid.With("order", "订单编号有误 (not an order)")
	case until.Sub(now) > s.config.MaxHold:
		return ErrStockInvalid.With("until", "保留时间过长 (held for too long)")
	case !until.After(now):
		return ErrHoldLate
	}
	taken := make([][]Part, len(lines))
	for i, line := range lines {
		taken[i], err = s.holdLine(ctx, claim{order, line.SKU, line.Units, until})
		if err == nil {
			continue
		}
		return s.undo(ctx, order, lines[:i+1], taken, err)
	}
	return nil
}

// claim is one line that an order wants held.
type claim struct {
	order, sku string
	units      int64
	until      time.Time
}

// undo gives back what this call took; holds an earlier call took stay. What cannot be given back now lapses.
func (s *Service) undo(ctx context.Context, order string, lines []Units, taken [][]Part, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for i, line := range lines {
		if err := s.giveBack(ctx, order, line.SKU, taken[i]); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	return wrapStore("hold", cause)
}

// wrapStore names the operation on errors that are not refusals.
func wrapStore(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// holdLine tries the order's home bucket with one write, and looks at the whole stock only if that is not
// enough. It returns what it newly took, also beside an error.
func (s *Service) holdLine(ctx context.Context, c claim) ([]Part, error) {
	count, short, ok := s.hints.get(c.sku, s.clock.Now())
	if !ok {
		stock, err := s.stocks.Get(ctx, c.sku)
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			count = stock.Buckets
			s.hints.learn(c.sku, count, s.clock.Now())
		}
	}
	if count == 0 || short {
		return s.holdAnywhere(ctx, c)
	}
	n, mark := home(c.order, count), rand.Int64()
	b, err := s.buckets.Update(ctx, bucketID(c.sku, n), func(b *Bucket) error {
		if b.Free < c.units || b.Holds.has(c.order) {
			return errShort
		}
		b.take(c.order, c.units, c.until, mark)
		return b.sound()
	})
	if errors.Is(err, errShort) || errors.Is(err, docstore.ErrNotFound) {
		return s.holdAnywhere(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	if b.worthTidying(mark) {
		_, _ = s.tidy(ctx, b.ID) // housekeeping: the hold stands, a sweep comes by later anyway
	}
	return []Part{{Bucket: n, Units: c.units, Mark: mark}}, nil
}

// holdAnywhere looks at all buckets: first whether the order holds or has bought its units already, then where
// to take what is missing.
func (s *Service) holdAnywhere(ctx context.Context, c claim) (taken []Part, err error) {
	swept := false
	for range maxRounds {
		m, err := s.move(ctx, c.order, c.sku)
		if err != nil {
			return taken, err
		}
		switch {
		case m != nil && m.State == moveSold:
			return taken, nil
		case m != nil && m.State == moveRefused:
			return taken, ErrSoldOut
		}
		snap, err := s.look(ctx, c.sku)
		if err != nil {
			return taken, err
		}
		own, void, until := snap.own(c.order, m)
		if len(void) > 0 { // given back by somebody who did not come to free the units
			if err := s.resolveParts(ctx, c.sku, void, m); err != nil {
				return taken, err
			}
			continue
		}
		need := c.units - sum(own)
		if need <= 0 {
			return taken, s.extend(ctx, c, own, until)
		}
		if snap.free < need {
			if late := snap.overdue(s.clock.Now().Add(-s.config.Grace)); len(late) > 0 && !swept {
				swept = true
				if err := s.tidyAll(ctx, late); err != nil {
					return taken, err
				}
				continue
			}
			s.hints.short(c.sku, s.clock.Now().Add(hintLife))
			return taken, ErrSoldOut
		}
		more, err := s.takeFrom(ctx, snap, claim{c.order, c.sku, need, c.until})
		taken = append(taken, more...)
		if err != nil || sum(more) == need {
			return taken, err
		}
	}
	return taken, docstore.ErrContended
}

// takeFrom takes what it can of a need from the buckets of a snapshot.
func (s *Service) takeFrom(ctx context.Context, snap *snapshot, c claim) (taken []Part, err error) {
	for _, candidate := range snap.candidates(c.order, c.units) {
		got, mark := int64(0), rand.Int64()
		_, err := s.buckets.Update(ctx, candidate.ID, func(b *Bucket) error {
			got = b.take(c.order, c.units, c.until, mark)
			return b.sound()
		})
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return taken, err
		}
		if got > 0 {
			taken = append(taken, Part{Bucket: candidate.Number, Units: got, Mark: mark})
		}
		if c.units -= got; c.units == 0 {
			break
		}
	}
	return taken, nil
}

func (s *Service) extend(ctx context.Context, c claim, own []Part, earliest time.Time) error {
	if !earliest.Before(c.until) {
		return nil
	}
	done := map[int]bool{}
	for _, p := range own {
		if done[p.Bucket] {
			continue
		}
		done[p.Bucket] = true
		if _, err := s.buckets.Update(ctx, bucketID(c.sku, p.Bucket), func(b *Bucket) error {
			b.extend(c.order, c.until)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
