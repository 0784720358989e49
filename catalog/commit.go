package catalog

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

// Commit sells what an order holds: one insert per line. It may come twice, late or never before: a line whose
// hold has lapsed takes free units if there are any. If a line cannot be served any more, no line is, the holds
// are given back, and every later Commit of the order answers the same: the order must be refunded.
// Codes: CAT_STOCK_INVALID, CAT_OVERSOLD_REFUSED.
func (s *Service) Commit(ctx context.Context, order string, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	if !validName(order) {
		return ErrStockInvalid.With("order", "订单编号有误 (not an order)")
	}
	if len(lines) == 1 {
		if done, err := s.commitHome(ctx, order, lines[0]); done || err != nil {
			return wrapStore("commit", err)
		}
	}
	for range maxRounds {
		done, err := s.commitAll(ctx, order, lines)
		if done || err != nil {
			return wrapStore("commit", err)
		}
	}
	return wrapStore("commit", docstore.ErrContended)
}

// commitHome is the usual case: all units are held in the order's home bucket. One read and one insert.
func (s *Service) commitHome(ctx context.Context, order string, line Units) (done bool, err error) {
	own, err := s.ownAtHome(ctx, order, line)
	if err != nil || sum(own) < line.Units {
		return false, err
	}
	m := &Move{}
	m.ID = moveID(order, line.SKU)
	m.sell(cut(own, line.Units), s.clock.Now())
	err = s.moves.Insert(ctx, m)
	if docstore.Exists(err) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) ownAtHome(ctx context.Context, order string, line Units) ([]Part, error) {
	count, _, ok := s.hints.get(line.SKU, s.clock.Now())
	if !ok {
		stock, err := s.stocks.Get(ctx, line.SKU)
		if errors.Is(err, docstore.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		count = stock.Buckets
		s.hints.learn(line.SKU, count, s.clock.Now())
	}
	if count == 0 {
		return nil, nil
	}
	b, err := s.buckets.Get(ctx, bucketID(line.SKU, claim.Home(order, count)))
	if errors.Is(err, docstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	own, _ := (&snapshot{buckets: []*Bucket{b}}).own(order, nil)
	return own, nil
}

// cut names just enough of the held units; what is held beyond them goes back when the hold is folded.
func cut(parts []Part, units int64) []Part {
	out := make([]Part, 0, len(parts))
	for _, p := range parts {
		p.Units = min(p.Units, units)
		if units -= p.Units; p.Units > 0 {
			out = append(out, p)
		}
	}
	return out
}

// sale is one line on its way to being sold.
type sale struct {
	line  Units
	sold  bool
	parts []Part // held units that will be sold
	taken []Part // those of them that this call took from the free stock
}

// commitAll gathers the units of every line before it decides the first one. done is false when the world moved
// in between and it should be tried again.
func (s *Service) commitAll(ctx context.Context, order string, lines []Units) (done bool, err error) {
	sales := make([]sale, len(lines))
	for i, line := range lines { // all of them first: a refusal concerns the lines behind it too
		sales[i].line = line
	}
	for i := range sales {
		if err := s.gather(ctx, order, &sales[i]); err != nil {
			if errors.Is(err, ErrOversoldRefused) {
				return true, s.refuse(ctx, order, sales)
			}
			return false, err
		}
	}
	done = true
	now := s.clock.Now()
	for _, one := range sales {
		if one.sold {
			continue
		}
		m, err := s.moves.Upsert(ctx, moveID(order, one.line.SKU), func(m *Move) error {
			m.sell(one.parts, now)
			return nil
		})
		if err != nil {
			return false, err
		}
		if m.State == moveRefused {
			return true, s.refuse(ctx, order, sales)
		}
		done = done && m.State == moveSold
	}
	return done, nil
}

// gather finds, or takes, the units of one line.
func (s *Service) gather(ctx context.Context, order string, one *sale) error {
	for range maxRounds {
		m, err := s.move(ctx, order, one.line.SKU)
		if err != nil {
			return err
		}
		if m != nil && m.final() {
			one.sold = m.State == moveSold
			if !one.sold {
				return ErrOversoldRefused
			}
			return nil
		}
		snap, err := s.look(ctx, one.line.SKU)
		if err != nil {
			return err
		}
		own, void := snap.own(order, m)
		if err := s.resolveParts(ctx, one.line.SKU, void, m); err != nil {
			return err
		}
		need := one.line.Units - sum(own)
		if need <= 0 {
			one.parts = cut(own, one.line.Units)
			return nil
		}
		if snap.free < need {
			late := snap.tidying(s.clock.Now().Add(-s.config.Grace))
			if n, err := s.tidyCount(ctx, late); err != nil || n > 0 {
				if err != nil {
					return err
				}
				continue
			}
			return ErrOversoldRefused
		}
		until := s.clock.Now().Add(s.config.Grace)
		more, err := s.takeFrom(ctx, snap, wish{claim.Try{Order: order}, one.line.SKU, need, until})
		one.taken = append(one.taken, more...)
		if err != nil {
			return err // what was taken lapses, or the next try finds it
		}
	}
	return docstore.ErrContended
}

// refuse makes the refusal final for every line that is not sold, and gives everything back.
func (s *Service) refuse(ctx context.Context, order string, sales []sale) error {
	now := s.clock.Now()
	for _, one := range sales {
		sku := one.line.SKU
		m, err := s.moves.Upsert(ctx, moveID(order, sku), func(m *Move) error {
			if m.may(moveRefused) {
				m.State, m.At = moveRefused, now
			}
			return nil
		})
		if err != nil {
			return err
		}
		snap, err := s.look(ctx, sku)
		if err != nil {
			return err
		}
		_, decided := snap.own(order, m)
		if err := s.resolveParts(ctx, sku, decided, m); err != nil {
			return err
		}
	}
	return ErrOversoldRefused
}

// Release gives back what an order holds. After a Commit, without a hold, and the second time it changes nothing.
// Codes: CAT_STOCK_INVALID.
func (s *Service) Release(ctx context.Context, order string, lines []Units) error {
	lines, err := tidyLines(lines)
	if err != nil {
		return err
	}
	if !validName(order) {
		return ErrStockInvalid.With("order", "订单编号有误 (not an order)")
	}
	for _, line := range lines {
		m, err := s.move(ctx, order, line.SKU)
		if err != nil {
			return wrapStore("release", err)
		}
		if m != nil && m.final() {
			continue
		}
		snap, err := s.look(ctx, line.SKU)
		if err != nil {
			return wrapStore("release", err)
		}
		own, void := snap.own(order, m)
		if err := s.giveBack(ctx, order, line.SKU, append(own, void...)); err != nil {
			return wrapStore("release", err)
		}
	}
	return nil
}

// Lapse gives back the units of holds whose until plus grace has passed and folds sold ones, a bounded number
// of buckets at a time. n is how many holds it dealt with.
func (s *Service) Lapse(ctx context.Context) (n int, err error) {
	due, err := s.buckets.Find(ctx, docstore.By("due").Between(nil, s.clock.Now().Add(-s.config.Grace)).First(64))
	if err != nil {
		return 0, wrapStore("lapse", err)
	}
	for _, b := range due.Items {
		more, err := s.tidy(ctx, b.ID)
		if n += more; err != nil {
			return n, wrapStore("lapse", err)
		}
	}
	return n, nil
}

func (s *Service) tidyAll(ctx context.Context, buckets []string) error {
	_, err := s.tidyCount(ctx, buckets)
	return err
}

func (s *Service) tidyCount(ctx context.Context, buckets []string) (n int, err error) {
	for _, one := range buckets {
		more, err := s.tidy(ctx, one)
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

// tidy takes decided holds out of a bucket: sold ones, voided ones, and those that have lapsed, for which it
// makes the decision first.
func (s *Service) tidy(ctx context.Context, bucket string) (n int, err error) {
	b, err := s.buckets.Get(ctx, bucket)
	if errors.Is(err, docstore.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	now := s.clock.Now()
	list := b.Holds.List()
	list = list[:min(len(list), claim.MaxOpen)]
	ids, late := make([]string, 0, len(list)), map[string][]int64{}
	for _, h := range list {
		ids = append(ids, moveID(h.Order, b.SKU))
		if h.Until.Before(now.Add(-s.config.Grace)) {
			late[ids[len(ids)-1]] = append(late[ids[len(ids)-1]], h.Mark)
		}
	}
	if err := s.lapse(ctx, late, now); err != nil {
		return 0, err
	}
	moves, err := s.moves.GetWhole(ctx, ids)
	if err != nil {
		return 0, err
	}
	decided := make(map[int64]decision, len(ids))
	for i, one := range ids {
		if d, ok := moves[one].judge(list[i].Mark); ok {
			decided[list[i].Mark] = d
		}
	}
	if len(decided) == 0 {
		return 0, nil
	}
	return len(decided), s.settleBucket(ctx, bucket, decided)
}

// lapse voids the marks, unless their orders were committed meanwhile.
func (s *Service) lapse(ctx context.Context, late map[string][]int64, now time.Time) error {
	if len(late) == 0 {
		return nil
	}
	ids := make([]string, 0, len(late))
	for one := range late {
		ids = append(ids, one)
	}
	return s.moves.UpsertMany(ctx, ids, func(m *Move) error {
		m.void(late[m.ID], now)
		return nil
	})
}
