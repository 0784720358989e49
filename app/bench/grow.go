package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"guanxi/commission"
	"guanxi/groupbuy"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/order"
)

// growthLimit is how much dearer an operation may become from the smallest store to the largest.
const growthLimit = 1.3

// active is how many records are in use at the same time, whatever is stored beside them: they are spread over all of
// the store. The operations called cold draw from everything instead.
const active = 1000

// field is a store with so many records and the operations to try on it.
type field struct {
	*shop
	size    stock
	sealing sync.WaitGroup
	stop    context.CancelFunc
	failed  error
	next    map[string]int
}

// trial is one hot operation.
type trial struct {
	name string
	do   func(ctx context.Context, f *field, n int) error
	goal bool
}

func trials() []trial {
	pick := func(f *field, n int) int { // one of the active records
		return int(uint64(n%active) * 2654435761 % uint64(f.size))
	}
	return []trial{
		{"accrue", func(ctx context.Context, f *field, n int) error {
			return f.Commission.Accrue(ctx, commission.Sale{
				Order: id.Derive("grow", strconv.Itoa(n)), At: f.clock.Now(), Campaign: f.campaigns[0], Host: f.host.id,
				Referral: commission.Referral{Policy: "1", Direct: f.size.id(pick(f, n)), Why: "last-touch"},
				Lines:    []commission.SaleLine{{Line: 1, SKU: f.sku, Units: 1, Paid: 5990, Cost: 2995}},
			})
		}, true},
		{"place", func(ctx context.Context, f *field, n int) error {
			_, err := f.Orders.Place(ctx, order.PlaceInput{
				Key: "grow-" + strconv.Itoa(n), Member: f.size.id(pick(f, n)), Campaign: f.campaigns[n%len(f.campaigns)],
				Lines: []order.Wish{{SKU: f.sku, Units: 1}},
			})
			return err
		}, true},
		{"seat", func(ctx context.Context, f *field, n int) error {
			_, err := f.Campaigns.TakeSeat(ctx, groupbuy.SeatInput{
				Order: id.Derive("grow-seat", strconv.Itoa(n)), Campaign: f.campaigns[n%len(f.campaigns)], Member: id.Derive("grow-guest", strconv.Itoa(n)),
				Lines: []groupbuy.Wish{{SKU: f.sku, Units: 1}}, Amount: 5990, PaidAt: f.clock.Now(),
			})
			return err
		}, true},
		{"feed", func(ctx context.Context, f *field, _ int) error {
			_, err := f.Campaigns.Feed(ctx, f.home, groupbuy.Paging{})
			return err
		}, true},
		{"order", func(ctx context.Context, f *field, n int) error {
			_, err := f.Orders.Get(ctx, f.size.id(pick(f, n)))
			return err
		}, true},
		{"my-orders", func(ctx context.Context, f *field, n int) error {
			_, err := f.Orders.Mine(ctx, f.size.id(pick(f, n)), order.Page{})
			return err
		}, true},
		{"purse", func(ctx context.Context, f *field, n int) error {
			_, err := f.Commission.Purse(ctx, f.size.id(pick(f, n)))
			return err
		}, true},
		{"session", func(ctx context.Context, f *field, n int) error {
			_, err := f.Members.Authenticate(ctx, f.size.token(pick(f, n)))
			return err
		}, true},
		{"order-cold", func(ctx context.Context, f *field, n int) error {
			_, err := f.Orders.Get(ctx, f.size.id(int(uint64(n)*2654435761%uint64(f.size))))
			return err
		}, false},
	}
}

func growSizes(largest int) []int {
	var sizes []int
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		if n < largest {
			sizes = append(sizes, n)
		}
	}
	return append(sizes, largest)
}

func runGrow(ctx context.Context, o Options, emit func(Row)) (err error) {
	samples, err := growSamples(ctx, o)
	if err != nil {
		return err
	}
	callers := o.callers(8)[0]
	var fields []*field
	defer func() {
		for _, f := range fields {
			err = errors.Join(err, f.close())
		}
	}()
	for _, size := range growSizes(o.size(1_000_000)) {
		f, err := openField(ctx, o, callers, size, samples)
		if err != nil {
			return err
		}
		fields = append(fields, f)
	}
	o.Length = max(o.Length/2, time.Duration(o.Laps)*time.Millisecond)
	for _, t := range trials() {
		if err := grow(ctx, o, callers, fields, t, emit); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// grow tries one operation on all sizes in turn.
func grow(ctx context.Context, o Options, callers int, fields []*field, t trial, emit func(Row)) error {
	measured, growths := make([]laps, len(fields)), make([][]float64, len(fields))
	for i := -1; i < o.Laps; i++ { // the first turn warms up
		o.Progress("grow: "+t.name, i+1, o.Laps+1)
		cost := make([]float64, len(fields))
		for at, f := range fields {
			one, next, err := drive(ctx, callers, f.next[t.name], o.lap(), func(ctx context.Context, _, n int) error { return t.do(ctx, f, n) })
			if err == nil {
				err = f.Commission.CatchUp(ctx)
			}
			if err != nil {
				return err
			}
			f.next[t.name] = next
			if i < 0 {
				continue
			}
			measured[at].ours = append(measured[at].ours, one)
			cost[at] = one.cpu.Seconds() / float64(max(one.ops, 1))
			growths[at] = append(growths[at], cost[at]/cost[0])
		}
	}
	for at, f := range fields {
		row := measured[at].row("grow", t.name, callers, int(f.size))
		row.Growth = median(growths[at])
		if t.goal && at == len(fields)-1 && at > 0 {
			row.atMost("growth", row.Growth, growthLimit)
		}
		emit(row)
	}
	return nil
}

// growSamples lets the program make one record of everything that is filled in.
func growSamples(ctx context.Context, o Options) (_ map[string]docstore.Record, err error) {
	s, err := openShop(ctx, o, 1, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	visitor, err := s.login(ctx, "visitor")
	if err != nil {
		return nil, err
	}
	if _, err := s.buy(ctx, 0, visitor, nil); err != nil {
		return nil, err
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	if err := s.Commission.Tidy(ctx); err != nil {
		return nil, err
	}
	samples := map[string]docstore.Record{}
	for collection := range stock(1).castings() {
		if samples[collection], err = sample(ctx, s.driver, collection); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

func openField(ctx context.Context, o Options, callers, size int, samples map[string]docstore.Record) (_ *field, err error) {
	f := &field{size: stock(size), next: map[string]int{}}
	o.asleep = true
	if f.shop, err = openShop(ctx, o, callers, 20); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.sealing.Go(func() { f.Commission.Run(running, func(err error) { f.failed = err }) })
	if err := f.size.fill(ctx, o, f.place, samples); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *field) close() error {
	f.stop()
	f.sealing.Wait()
	return errors.Join(f.failed, f.shop.close())
}
