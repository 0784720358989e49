package groupbuy

import (
	"context"
	"errors"
	"slices"

	"guanxi/internal/claim"
	"guanxi/internal/docstore"
)

const maxRounds = 12 // of looking and taking before a claim gives up as contended

// allotted is all allotments of an item as they were read; absent ones are nil.
type allotted []*Allotment

// eachTotal calls fn for the lines whose items have a total.
func eachTotal(c *Campaign, lines []Wish, fn func(it *Item, units int64) error) error {
	for _, line := range lines {
		if it := c.item(line.SKU); it != nil && it.Total > 0 {
			if err := fn(it, line.Units); err != nil {
				return err
			}
		}
	}
	return nil
}

// look reads all allotments of an item; callers at the same time share the reading, so the answer is never older than
// the question.
func (s *Service) look(ctx context.Context, c *Campaign, it *Item) (allotted, error) {
	return s.looks.Do(ctx, c.ID+"/"+it.SKU, func(ctx context.Context) (allotted, error) {
		ids := make([]string, it.buckets())
		for k := range ids {
			ids[k] = allotmentID(c.ID, it, k)
		}
		found, err := s.allotments.GetWhole(ctx, ids)
		if err != nil {
			return nil, err
		}
		all := make(allotted, len(ids))
		for k, docID := range ids {
			all[k] = found[docID]
		}
		return all, nil
	})
}

// claimTotal claims units of an item. Usually that is one write to the order's home bucket; the others are looked at only
// when it cannot serve the line alone. "Limit reached" is said only after a look at all of them.
func (s *Service) claimTotal(ctx context.Context, c *Campaign, it *Item, w want, units int64) error {
	home := claim.Home(w.Order, it.buckets())
	got, err := s.claimIn(ctx, c, it, home, w, units)
	if err != nil || got >= units {
		return err
	}
	for range maxRounds {
		all, err := s.look(ctx, c, it)
		if err != nil {
			return err
		}
		own, free, full := make([]int64, len(all)), int64(0), int64(0)
		need := units
		for k, a := range all {
			if a != nil && (a.Open.Has(w.Order) || a.Paid.Has(w.Order)) {
				if own[k], err = s.claimIn(ctx, c, it, k, w, 0); err != nil {
					return err
				}
				need -= own[k]
			}
		}
		rooms := s.rooms(it, all)
		for k, room := range rooms {
			if free += room; all[k] != nil && all[k].Open.Full() {
				full += room
			}
		}
		switch {
		case need <= 0:
			return nil
		case free < need:
			return ErrTotal
		case free-full < need:
			return ErrBusy
		}
		for _, k := range widest(rooms, home) {
			got, err := s.claimIn(ctx, c, it, k, w, own[k]+need)
			if err != nil {
				return err
			}
			if need -= got - own[k]; need <= 0 {
				return nil
			}
		}
	}
	return docstore.ErrContended
}

// claimIn joins what the order has claimed in one bucket, takes what is missing to units, as far as the share goes, and
// tells how many the order has there.
func (s *Service) claimIn(ctx context.Context, c *Campaign, it *Item, bucket int, w want, units int64) (has int64, err error) {
	now := s.clock.Now()
	share := claim.Share(it.Total, bucket, it.buckets())
	_, err = s.allotments.Upsert(ctx, allotmentID(c.ID, it, bucket), func(a *Allotment) error {
		a.forget(now.Add(-s.config.Grace))
		has = a.join(w, now)
		has += a.take(w, units-has, share)
		if a.Fresh() && has == 0 {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return has, err
}

// errNothing keeps an empty allotment from being stored.
var errNothing = errors.New("groupbuy: nothing to store")

// rooms says what each bucket may still give away.
func (s *Service) rooms(it *Item, all allotted) []int64 {
	deadline := s.clock.Now().Add(-s.config.Grace)
	rooms := make([]int64, len(all))
	for k, a := range all {
		rooms[k] = claim.Share(it.Total, k, len(all))
		if a != nil {
			seen := Allotment{Open: a.Open, Due: a.Due, Paid: a.Paid, Kept: a.Kept, Left: a.Left}
			seen.forget(deadline)
			rooms[k] = seen.room(rooms[k])
		}
	}
	return rooms
}

// widest lists the buckets that have room: from the one with the most, the order's home first among equals.
func widest(rooms []int64, home int) []int {
	var list []int
	for i := range rooms {
		if k := (home + i) % len(rooms); rooms[k] > 0 {
			list = append(list, k)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return int(rooms[b] - rooms[a]) })
	return list
}

// undoTotal takes an attempt off everything its order has claimed of an item.
func (s *Service) undoTotal(ctx context.Context, c *Campaign, it *Item, t claim.Try) error {
	all, err := s.look(ctx, c, it)
	if err != nil {
		return err
	}
	for k, a := range all {
		if a == nil || !a.Open.Has(t.Order) {
			continue
		}
		if _, err := s.allotments.Update(ctx, allotmentID(c.ID, it, k), func(a *Allotment) error {
			a.leave(t)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// dropTotal forgets an order's claims; with seat, its seat's units too. It looks further than the home bucket only if
// that did not have them all.
func (s *Service) dropTotal(ctx context.Context, c *Campaign, it *Item, order string, units int64, seat *Seat) error {
	drop := func(k int) (gone int64, err error) {
		_, err = s.allotments.Update(ctx, allotmentID(c.ID, it, k), func(a *Allotment) error {
			if seat != nil && a.counted(seat, units) {
				gone = units
				return nil
			}
			gone = a.drop(order, seat != nil)
			return nil
		})
		if errors.Is(err, docstore.ErrNotFound) {
			err = nil
		}
		return gone, err
	}
	home := claim.Home(order, it.buckets())
	if gone, err := drop(home); err != nil || gone >= units || it.buckets() == 1 {
		return err
	}
	all, err := s.look(ctx, c, it)
	if err != nil {
		return err
	}
	for k, a := range all {
		if a != nil && (a.Open.Has(order) || a.Paid.Has(order)) {
			if _, err := drop(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// payTotal makes an order's claims its seat's. What the order has no claim to any more is honoured all the same: out of what
// the shares have left, and beyond them if need be. Repeating it changes nothing.
func (s *Service) payTotal(ctx context.Context, c *Campaign, it *Item, seat *Seat, units int64) error {
	home := claim.Home(seat.Order, it.buckets())
	has, err := s.payIn(ctx, c, it, home, seat, units)
	if err != nil || has >= units {
		return err
	}
	all, err := s.look(ctx, c, it)
	if err != nil {
		return err
	}
	need := units - has
	for k, a := range all {
		if k == home || a == nil || !a.Open.Has(seat.Order) && !a.Paid.Has(seat.Order) {
			continue
		}
		has, err := s.payIn(ctx, c, it, k, seat, need)
		if err != nil {
			return err
		}
		need -= has
	}
	return s.payBeyond(ctx, c, it, seat.Order, need, all)
}

// payIn makes an order's claims in one bucket its seat's, units at most, and tells how many the seat has there.
func (s *Service) payIn(ctx context.Context, c *Campaign, it *Item, bucket int, seat *Seat, units int64) (has int64, err error) {
	_, err = s.allotments.Upsert(ctx, allotmentID(c.ID, it, bucket), func(a *Allotment) error {
		if has = units; a.counted(seat, units) {
			return nil
		}
		if has = a.pay(seat.Order, units); a.Fresh() && has == 0 {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return has, err
}

// payBeyond seats units that have no claim: where there is room first, the rest in the order's home bucket.
func (s *Service) payBeyond(ctx context.Context, c *Campaign, it *Item, order string, need int64, all allotted) error {
	home := claim.Home(order, it.buckets())
	for _, k := range slices.Concat(slices.DeleteFunc(widest(s.rooms(it, all), home), func(k int) bool { return k == home }), []int{home}) {
		if need <= 0 {
			return nil
		}
		share, last, more := claim.Share(it.Total, k, it.buckets()), k == home, int64(0)
		_, err := s.allotments.Upsert(ctx, allotmentID(c.ID, it, k), func(a *Allotment) error {
			if more = min(need, a.room(share)); last {
				more = need
			}
			has := a.pay(order, 0)
			a.seat(order, has+more)
			return nil
		})
		if err != nil {
			return err
		}
		need -= more
	}
	return nil
}
