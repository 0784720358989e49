package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

const maxRounds = 12 // of looking and taking before a line gives up as contended

// errShort ends the fast path of a hold: the home bucket alone cannot answer.
var errShort = errors.New("catalog: home bucket is short")

// Hold takes the units of all lines out of the free stock for an order, or none. What another attempt at the same order
// holds already is joined, not taken twice (see package claim); a later `until` makes the holds longer, nothing makes
// them shorter. A hold lapses some time (Config.Grace) after until. Sold out is said only after a look at every bucket
// in the store.
// Codes: CAT_STOCK_INVALID, CAT_HOLD_LATE (until has passed), CAT_SOLD_OUT, CAT_BUSY.
func (s *Service) Hold(ctx context.Context, t claim.Try, until time.Time, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	until = clock.Milli(until)
	switch {
	case !validName(t.Order):
		return ErrStockInvalid.With("order", "订单编号有误 (not an order)")
	case until.Sub(now) > s.config.MaxHold:
		return ErrStockInvalid.With("until", "保留时间过长 (held for too long)")
	case !until.After(now):
		return ErrHoldLate
	}
	for i, line := range lines {
		if err = s.holdLine(ctx, wish{t, line.SKU, line.Units, until}); err != nil {
			return wrapStore("hold", errors.Join(err, s.Undo(ctx, t, lines[:i+1])))
		}
	}
	return nil
}

// wish is one line that an attempt wants held.
type wish struct {
	claim.Try
	sku   string
	units int64
	until time.Time
}

// Undo takes an attempt off the holders of its order's holds and gives back those that nobody holds then. It must not be
// called once the attempt may have written its order. What cannot be given back now lapses. Codes: CAT_STOCK_INVALID.
func (s *Service) Undo(ctx context.Context, t claim.Try, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, line := range lines {
		err = errors.Join(err, s.undoLine(ctx, t, line.SKU))
	}
	return wrapStore("undo hold", err)
}

func (s *Service) undoLine(ctx context.Context, t claim.Try, sku string) error {
	snap, err := s.look(ctx, sku)
	if err != nil {
		return err
	}
	var alone []Part
	for _, seen := range snap.buckets {
		if !seen.Holds.Has(t.Order) {
			continue
		}
		var here []Part
		if _, err := s.buckets.Update(ctx, seen.ID, func(b *Bucket) error {
			here = b.leave(t)
			return b.sound()
		}); err != nil {
			return err
		}
		alone = append(alone, here...)
	}
	return s.giveBack(ctx, t.Order, sku, alone)
}

// wrapStore names the operation on errors that are not refusals.
func wrapStore(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// holdLine tries the order's home bucket with one write, and looks at the whole stock only if that is not enough.
func (s *Service) holdLine(ctx context.Context, w wish) error {
	count, short, ok := s.hints.get(w.sku, s.clock.Now())
	if !ok {
		stock, err := s.stocks.Get(ctx, w.sku)
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return err
		}
		if err == nil {
			count = stock.Buckets
			s.hints.learn(w.sku, count, s.clock.Now())
		}
	}
	if count == 0 || short {
		return s.holdAnywhere(ctx, w)
	}
	mark := rand.Int64()
	b, err := s.buckets.Update(ctx, bucketID(w.sku, claim.Home(w.Order, count)), func(b *Bucket) error {
		if b.Free < w.units || b.Holds.Full() || b.Holds.Has(w.Order) {
			return errShort
		}
		b.take(w.Try, w.units, w.until, mark)
		return b.sound()
	})
	if errors.Is(err, errShort) || errors.Is(err, docstore.ErrNotFound) {
		return s.holdAnywhere(ctx, w)
	}
	if err != nil {
		return err
	}
	if b.worthTidying(mark) {
		_, _ = s.tidy(ctx, b.ID) // housekeeping: the hold stands, a sweep comes by later anyway
	}
	return nil
}

// holdAnywhere looks at all buckets: first whether the order holds or has bought its units already, then where
// to take what is missing. Whatever it joins or takes is looked at again before it is counted on.
func (s *Service) holdAnywhere(ctx context.Context, w wish) error {
	swept := false
	for range maxRounds {
		m, err := s.move(ctx, w.Order, w.sku)
		switch {
		case err != nil:
			return err
		case m != nil && m.State == moveSold:
			return nil
		case m != nil && m.State == moveRefused:
			return ErrSoldOut
		}
		snap, err := s.look(ctx, w.sku)
		if err != nil {
			return err
		}
		mine, again, err := s.gatherOwn(ctx, w, snap, m)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		need := w.units - mine
		if need <= 0 {
			return nil
		}
		if snap.room() < need {
			if late := snap.tidying(s.clock.Now().Add(-s.config.Grace)); len(late) > 0 && !swept {
				swept = true
				if err := s.tidyAll(ctx, late); err != nil {
					return err
				}
				continue
			}
			if snap.free >= need {
				return ErrBusy // there are units, but their buckets are full of holds
			}
			s.hints.short(w.sku, s.clock.Now().Add(hintLife))
			return ErrSoldOut
		}
		more, err := s.takeFrom(ctx, snap, wish{w.Try, w.sku, need, w.until})
		if err != nil || sum(more) == need {
			return err
		}
	}
	return docstore.ErrContended
}

// gatherOwn counts the units this attempt may count on. Those of other attempts at the order are joined, those that
// were given back or have lapsed are freed; in both cases it should be looked again.
func (s *Service) gatherOwn(ctx context.Context, w wish, snap *snapshot, m *Move) (mine int64, again bool, err error) {
	now := s.clock.Now()
	var gone []Part
	for _, b := range snap.buckets {
		joins := false
		for _, h := range b.Holds.Of(w.Order) {
			_, decided := m.judge(h.Mark)
			switch {
			case decided || h.By.Nobody() || h.Until.Before(now):
				gone = append(gone, Part{Bucket: b.Number, Units: h.Units, Mark: h.Mark})
			case !h.By.Has(w.Try) || h.Until.Before(w.until):
				joins = true
			default:
				mine += h.Units
			}
		}
		if !joins {
			continue
		}
		again = true
		if _, err := s.buckets.Update(ctx, b.ID, func(b *Bucket) error {
			b.join(w.Try, w.until)
			return b.sound()
		}); err != nil {
			return 0, false, err
		}
	}
	return mine, again || len(gone) > 0, s.giveBack(ctx, w.Order, w.sku, gone)
}

// takeFrom takes what it can of a need from the buckets of a snapshot.
func (s *Service) takeFrom(ctx context.Context, snap *snapshot, w wish) (taken []Part, err error) {
	for _, candidate := range snap.candidates(w.Order, w.units) {
		got, mark := int64(0), rand.Int64()
		_, err := s.buckets.Update(ctx, candidate.ID, func(b *Bucket) error {
			got = b.take(w.Try, w.units, w.until, mark)
			return b.sound()
		})
		if err != nil && !errors.Is(err, docstore.ErrNotFound) {
			return taken, err
		}
		if got > 0 {
			taken = append(taken, Part{Bucket: candidate.Number, Units: got, Mark: mark})
		}
		if w.units -= got; w.units == 0 {
			break
		}
	}
	return taken, nil
}
