package catalog

import (
	"context"
	"errors"

	"guanxi/internal/id"
)

// Level is how the stock of one SKU stands. In = Free + Held + Sold.
type Level struct {
	Free int64 // can be ordered
	Held int64 // of orders not paid yet, and of paid ones not folded yet
	Sold int64 // left the shelf: sold or written off
	In   int64 // ever received or come back
}

// Levels tells how the stock of each SKU stands; at most 200 of them.
func (s *Service) Levels(ctx context.Context, skus []string) (map[string]Level, error) {
	skus = storable(skus)
	snaps, err := s.snapshots(ctx, skus[:min(len(skus), 200)])
	if err != nil {
		return nil, wrapStore("levels", err)
	}
	levels := make(map[string]Level, len(snaps))
	for sku, snap := range snaps {
		var l Level
		for _, b := range snap.buckets {
			l.Free, l.Held, l.Sold, l.In = l.Free+b.Free, l.Held+b.Holds.Units(), l.Sold+b.Sold, l.In+b.In
		}
		levels[sku] = l
	}
	return levels, nil
}

// WriteOff takes free units off the shelf that nobody bought: damaged, lost, miscounted. All of them or none; what orders
// hold is not touched. The same ref with the same content changes nothing more and answers the same, also when it was
// refused. It is a sale to nobody: one decision per ref, as with an order.
// Codes: CAT_STOCK_INVALID, CAT_SKU_NOT_FOUND, CAT_SOLD_OUT, CAT_KEY_REUSED.
func (s *Service) WriteOff(ctx context.Context, out StockIn) error {
	lines, err := tidyLines([]Units{{out.SKU, out.Units}})
	if err != nil {
		return err
	}
	if !validName(out.Ref) {
		return ErrStockInvalid.With("ref", "出库编号有误 (not a reference)")
	}
	if _, err := s.SKU(ctx, out.SKU); err != nil {
		return err
	}
	as := id.Derive("write-off", out.Ref)
	m, err := s.move(ctx, as, out.SKU)
	if err != nil {
		return wrapStore("write off", err)
	}
	if m != nil && m.State == moveSold && m.Units != out.Units {
		return ErrKeyReused
	}
	err = s.Commit(ctx, as, lines)
	if errors.Is(err, ErrOversoldRefused) {
		return ErrSoldOut
	}
	return wrapStore("write off", err)
}
