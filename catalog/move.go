package catalog

import (
	"context"
	"errors"
	"slices"
	"time"

	"guanxi/internal/docstore"
)

// Move is the one decision about an order's units of one SKU (id <order>/<sku>). Commit is the insert of this
// document; nothing else has to be written for it. Whoever wants to give held units back decides here first, so a
// commit and a lapse of the same hold cannot both win.
type Move struct {
	docstore.Doc `bson:",inline"`
	State        moveState `bson:"state"`
	Units        int64     `bson:"units,omitempty"` // sold
	Parts        []Part    `bson:"parts,omitempty"` // which holds they came from
	Void         []int64   `bson:"void,omitempty"`  // marks of holds that are given back
	At           time.Time `bson:"at"`
}

// Part names one hold and how many of its units are meant.
type Part struct {
	Bucket int   `bson:"b"`
	Units  int64 `bson:"u"`
	Mark   int64 `bson:"m"`
}

type moveState string

const (
	moveOpen    moveState = "open"    // holds may have been voided, nothing is sold
	moveSold    moveState = "sold"    // final
	moveRefused moveState = "refused" // final: paid too late and nothing left
)

// moveSteps is every allowed change of a Move; "" is a move that does not exist yet.
var moveSteps = map[moveState][]moveState{
	"":          {moveOpen, moveSold, moveRefused},
	moveOpen:    {moveOpen, moveSold, moveRefused},
	moveSold:    nil,
	moveRefused: nil,
}

const maxVoid = 64 // marks kept; a mark is of use only until its hold has left the bucket

func moveID(order, sku string) string { return order + "/" + sku }

func (m *Move) may(to moveState) bool { return slices.Contains(moveSteps[m.State], to) }

func (m *Move) final() bool { return m.State == moveSold || m.State == moveRefused }

// sell makes the parts sold unless one of them was given back in between.
func (m *Move) sell(parts []Part, now time.Time) bool {
	if !m.may(moveSold) {
		return false
	}
	units := int64(0)
	for _, p := range parts {
		if slices.Contains(m.Void, p.Mark) {
			return false
		}
		units += p.Units
	}
	m.State, m.Units, m.Parts, m.At = moveSold, units, parts, now
	return true
}

// void gives the marks back unless the move is final.
func (m *Move) void(marks []int64, now time.Time) {
	if !m.may(moveOpen) {
		return
	}
	m.State, m.At = moveOpen, now
	for _, mark := range marks {
		if !slices.Contains(m.Void, mark) {
			m.Void = append(m.Void, mark)
		}
	}
	if over := len(m.Void) - maxVoid; over > 0 {
		m.Void = slices.Delete(m.Void, 0, over)
	}
}

// judge says what the move decided about a hold.
func (m *Move) judge(mark int64) (d decision, decided bool) {
	if m == nil {
		return d, false
	}
	for _, p := range m.Parts {
		if p.Mark == mark {
			return decision{sold: p.Units}, true
		}
	}
	return d, m.final() || slices.Contains(m.Void, mark)
}

// move loads the decision about an order's SKU; nil when there is none.
func (s *Service) move(ctx context.Context, order, sku string) (*Move, error) {
	m, err := s.moves.Get(ctx, moveID(order, sku))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil //nolint:nilnil // no decision yet is an ordinary answer
	}
	return m, err
}

// giveBack voids holds of an order and then frees their units. Holds that were sold in between stay sold.
func (s *Service) giveBack(ctx context.Context, order, sku string, parts []Part) error {
	if len(parts) == 0 {
		return nil
	}
	marks := make([]int64, len(parts))
	for i, p := range parts {
		marks[i] = p.Mark
	}
	now := s.clock.Now()
	m, err := s.moves.Upsert(ctx, moveID(order, sku), func(m *Move) error {
		m.void(marks, now)
		return nil
	})
	if err != nil {
		return err
	}
	return s.resolveParts(ctx, sku, parts, m)
}

// resolveParts takes decided holds out of their buckets.
func (s *Service) resolveParts(ctx context.Context, sku string, parts []Part, m *Move) error {
	byBucket := map[int]map[int64]decision{}
	for _, p := range parts {
		d, decided := m.judge(p.Mark)
		if !decided {
			continue
		}
		if byBucket[p.Bucket] == nil {
			byBucket[p.Bucket] = map[int64]decision{}
		}
		byBucket[p.Bucket][p.Mark] = d
	}
	for n, decided := range byBucket {
		if err := s.settleBucket(ctx, bucketID(sku, n), decided); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) settleBucket(ctx context.Context, bucket string, decided map[int64]decision) error {
	freed := false
	b, err := s.buckets.Update(ctx, bucket, func(b *Bucket) error {
		before := b.Free
		b.resolve(decided)
		freed = b.Free > before
		return b.sound()
	})
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	if err == nil && freed {
		s.config.Freed(ctx, b.SKU)
	}
	return err
}
