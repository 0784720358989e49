package catalog

import (
	"context"
	"errors"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// StockIn is goods that came in, or went out unsold.
type StockIn struct {
	Ref   string // of the delivery; with the SKU it makes the movement unique
	SKU   string
	Units int64 // 1–1,000,000
}

// Intake is one coming in of units and the plan which buckets they go to. The plan is made once and carried out
// until it is done; each bucket remembers the intakes it has applied.
type Intake struct {
	docstore.Doc `bson:",inline"`
	SKU          string    `bson:"sku"`
	Units        int64     `bson:"units"`
	Plan         []Part    `bson:"plan"`
	At           time.Time `bson:"at"`
	DoneAt       time.Time `bson:"done_at,omitempty"`
}

const (
	leastPerBucket = 16   // units worth a write of their own
	keepIntakes    = 32   // every so many intake ids in a bucket the old ones are looked through
	maxIntakes     = 4096 // intake ids in a bucket; more within an hour have to wait
	intakeAge      = time.Hour
)

// Receive puts goods on the shelf. The same ref with the same content changes nothing.
// Codes: CAT_STOCK_INVALID, CAT_SKU_NOT_FOUND, CAT_KEY_REUSED.
func (s *Service) Receive(ctx context.Context, in StockIn) error {
	lines, err := tidyLines([]Units{{in.SKU, in.Units}})
	if err != nil {
		return err
	}
	if !validName(in.Ref) {
		return ErrStockInvalid.With("ref", "入库编号有误 (not a reference)")
	}
	if _, err := s.SKU(ctx, in.SKU); err != nil {
		return err
	}
	return wrapStore("receive", s.takeIn(ctx, "in/"+in.Ref, lines[0]))
}

// Restock puts returned units back on the shelf. The same ref with the same lines changes nothing.
// Codes: CAT_STOCK_INVALID, CAT_KEY_REUSED.
func (s *Service) Restock(ctx context.Context, ref string, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	if !validName(ref) {
		return ErrStockInvalid.With("ref", "退货编号有误 (not a reference)")
	}
	for _, line := range lines {
		if err := s.takeIn(ctx, "back/"+ref, line); err != nil {
			return wrapStore("restock", err)
		}
	}
	return nil
}

// RestockOrder is Restock for an order's refund: lines that Commit refused to sell never left and do not
// come back. Codes: as Restock.
func (s *Service) RestockOrder(ctx context.Context, order, ref string, lines []Units) error {
	if !validName(order) {
		return ErrStockInvalid.With("order", "订单编号有误 (not an order)")
	}
	kept := make([]Units, 0, len(lines))
	for _, line := range lines {
		m, err := s.move(ctx, order, line.SKU)
		if err != nil {
			return wrapStore("restock", err)
		}
		if m == nil || m.State != moveRefused {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 && len(lines) > 0 {
		return nil
	}
	return s.Restock(ctx, ref, kept)
}

func (s *Service) takeIn(ctx context.Context, ref string, line Units) error {
	intake, err := s.plan(ctx, ref, line)
	if err != nil || !intake.DoneAt.IsZero() {
		return err
	}
	for _, part := range intake.Plan {
		b, err := s.put(ctx, intake.ID, line.SKU, part)
		if errors.Is(err, ErrBusy) { // perhaps it remembers what it may forget by now
			if b, err = s.buckets.Get(ctx, bucketID(line.SKU, part.Bucket)); err == nil {
				err = s.forgetIntakes(ctx, b)
			}
			if err == nil {
				b, err = s.put(ctx, intake.ID, line.SKU, part)
			}
		}
		if err != nil {
			return err
		}
		if n := len(b.Intakes); n > 0 && n%keepIntakes == 0 {
			if err := s.forgetIntakes(ctx, b); err != nil {
				return err
			}
		}
	}
	now := s.clock.Now()
	_, err = s.intakes.Update(ctx, intake.ID, func(in *Intake) error {
		if in.DoneAt.IsZero() {
			in.DoneAt = now
		}
		return nil
	})
	s.hints.short(line.SKU, time.Time{})
	s.config.Freed(ctx, line.SKU)
	return err
}

// put carries out one part of an intake's plan.
func (s *Service) put(ctx context.Context, intake, sku string, part Part) (*Bucket, error) {
	return s.buckets.Upsert(ctx, bucketID(sku, part.Bucket), func(b *Bucket) error {
		b.SKU, b.Number = sku, part.Bucket
		if err := b.admit(intake, part.Units); err != nil {
			return err
		}
		return b.sound()
	})
}

// plan gives the intake with this ref, made now if need be.
func (s *Service) plan(ctx context.Context, ref string, line Units) (*Intake, error) {
	docID := ref + "/" + line.SKU
	stored, err := s.intakes.Get(ctx, docID)
	if errors.Is(err, docstore.ErrNotFound) {
		fresh := &Intake{SKU: line.SKU, Units: line.Units, At: s.clock.Now()}
		fresh.ID = docID
		if fresh.Plan, err = s.spread(ctx, line); err != nil {
			return nil, err
		}
		err = s.intakes.Insert(ctx, fresh)
		if err == nil {
			return fresh, nil
		}
		if docstore.Exists(err) {
			stored, err = s.intakes.Get(ctx, docID)
		}
	}
	if err != nil {
		return nil, err
	}
	if stored.Units != line.Units {
		return nil, ErrKeyReused
	}
	return stored, nil
}

// spread decides into which buckets units go: the emptiest ones, evenly. Stock that has grown gets more
// buckets first, so that hot stock is written in several places at once.
func (s *Service) spread(ctx context.Context, line Units) ([]Part, error) {
	snap, err := s.look(ctx, line.SKU)
	if err != nil {
		return nil, err
	}
	want := (snap.free + line.Units + s.config.BucketUnits - 1) / s.config.BucketUnits
	count := max(snap.count, int(min(want, int64(s.config.MaxBuckets))), 1)
	if count > snap.count {
		stock, err := s.stocks.Upsert(ctx, line.SKU, func(st *Stock) error {
			st.Buckets = max(st.Buckets, count)
			return nil
		})
		if err != nil {
			return nil, err
		}
		count = stock.Buckets
		s.hints.learn(line.SKU, count, s.clock.Now())
	}
	free := make([]int64, count)
	for _, b := range snap.buckets {
		free[b.Number] = b.Free
	}
	order := make([]int, count)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(free[a], maxUnits) - min(free[b], maxUnits)) })
	parts := min(int64(count), (line.Units+leastPerBucket-1)/leastPerBucket)
	plan := make([]Part, 0, parts)
	for i := range parts {
		units := line.Units*(i+1)/parts - line.Units*i/parts
		plan = append(plan, Part{Bucket: order[i], Units: units})
	}
	return plan, nil
}

// forgetIntakes drops the ids of intakes that were done long ago: nobody will try those again.
func (s *Service) forgetIntakes(ctx context.Context, b *Bucket) error {
	intakes, err := s.intakes.GetMany(ctx, b.Intakes)
	if err != nil {
		return err
	}
	before, old := s.clock.Now().Add(-intakeAge), map[string]bool{}
	for docID, in := range intakes {
		if !in.DoneAt.IsZero() && in.DoneAt.Before(before) {
			old[docID] = true
		}
	}
	if len(old) == 0 {
		return nil
	}
	_, err = s.buckets.Update(ctx, b.ID, func(b *Bucket) error {
		b.Intakes = slices.DeleteFunc(b.Intakes, func(docID string) bool { return old[docID] })
		if len(b.Intakes) == 0 {
			b.Intakes = nil
		}
		return nil
	})
	return err
}

// Left is Available for somebody who would say "sold out": where nothing is free, holds that have lapsed are given back
// first, and it is looked again. Whoever is told 0 could not have held a unit.
func (s *Service) Left(ctx context.Context, skus []string) (map[string]int64, error) {
	left, err := s.Available(ctx, skus)
	if err != nil {
		return nil, err
	}
	for sku, free := range left {
		if free > 0 {
			continue
		}
		snap, err := s.look(ctx, sku)
		if err == nil {
			err = s.tidyAll(ctx, snap.tidying(s.clock.Now().Add(-s.config.Grace)))
		}
		if err == nil {
			snap, err = s.look(ctx, sku)
		}
		if err != nil {
			return nil, wrapStore("left", err)
		}
		left[sku] = snap.free
	}
	return left, nil
}

// Available tells how many units of each SKU are free now. It reads two times whatever the number of SKUs, at
// most 200 of them.
func (s *Service) Available(ctx context.Context, skus []string) (map[string]int64, error) {
	skus = storable(skus)
	snaps, err := s.snapshots(ctx, skus[:min(len(skus), 200)])
	if err != nil {
		return nil, wrapStore("available", err)
	}
	free := make(map[string]int64, len(snaps))
	for sku, snap := range snaps {
		free[sku] = snap.free
	}
	return free, nil
}
