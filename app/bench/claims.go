package bench

import (
	"context"
	"errors"
	"strconv"
	"time"

	"guanxi/groupbuy"
	"guanxi/internal/id"
)

// claimed is a campaign with one limited item and so many orders that hold units of it unpaid.
type claimed struct {
	*world
	campaign, sku string
	open          int
	total         int64
	next          int
}

// claimGrowth is how much dearer an admission may become from the smaller number of open claims to the larger: ten times as
// many lie in more and in fuller buckets, so that fewer callers share a write and each writes more.
const claimGrowth = 1.5

// claimSizes are the open claims that are compared, the smallest first.
func claimSizes(largest int) []int { return []int{max(largest/10, 1), largest} }

// openClaims lets half of the item's total be claimed, so that neither the first look nor the last unit is measured.
func openClaims(ctx context.Context, o Options, callers, size int) (_ *claimed, err error) {
	o.asleep = true
	c := &claimed{open: size, total: int64(2*size + 20*callers)}
	if c.world, err = openWorld(ctx, o, callers); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	host, err := c.login(ctx, "王姐")
	if err != nil {
		return nil, err
	}
	if c.sku, err = c.product(ctx, "车厘子", 9900, 1); err != nil {
		return nil, err
	}
	home, err := c.community(ctx, host.id, "1")
	if err != nil {
		return nil, err
	}
	draft, err := c.Campaigns.Draft(ctx, groupbuy.DraftInput{
		Key: "bench-claims", Host: host.id, Community: home, Title: "周三水果接龙", Words: "树上熟，周五到",
		StartsAt: c.clock.Now(), EndsAt: c.clock.Now().Add(24 * time.Hour), Items: []groupbuy.ItemInput{{SKU: c.sku, Total: c.total}},
	})
	if err != nil {
		return nil, err
	}
	c.campaign = draft.ID
	if _, err = c.Campaigns.Publish(ctx, host.id, c.campaign); err != nil {
		return nil, err
	}
	err = each(ctx, o, "claims", 64, size, func(ctx context.Context, i int) error { return c.admit(ctx, "held", i) })
	return c, err
}

func (c *claimed) admit(ctx context.Context, kind string, n int) error {
	name := strconv.Itoa(n)
	_, err := c.Campaigns.Admit(ctx, groupbuy.Admission{
		Order: id.Derive("bench", kind, name), Campaign: c.campaign, Member: id.Derive("bench-member", kind, name),
		Lines: []groupbuy.Wish{{SKU: c.sku, Units: 1}}, Until: c.clock.Now().Add(110 * time.Minute),
	})
	return err
}

// runClaims measures what an admission to a limited item costs beside few and beside many open claims, in turn.
func runClaims(ctx context.Context, o Options, emit func(Row)) (err error) {
	callers := o.callers(64)[0]
	var all []*claimed
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for _, size := range claimSizes(o.size(100_000)) {
		c, err := openClaims(ctx, o, callers, size)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	measured, growths := make([]laps, len(all)), make([][]float64, len(all))
	for i := -1; i < o.Laps; i++ { // the first turn warms up
		o.Progress("claims: admit", i+1, o.Laps+1)
		cost := make([]float64, len(all))
		for at, c := range all {
			until := o.lap()
			if few := max(all[0].open/10, 1); until.ops == 0 || until.ops > few { // each stays about the size it is measured at
				until.ops = few
			}
			one, next, err := drive(ctx, callers, c.next, until, func(ctx context.Context, _, n int) error { return c.admit(ctx, "new", n) })
			if err != nil {
				return err
			}
			c.next = next
			if i < 0 {
				continue
			}
			measured[at].ours = append(measured[at].ours, one)
			cost[at] = one.cpu.Seconds() / float64(max(one.ops, 1))
			growths[at] = append(growths[at], cost[at]/cost[0])
		}
	}
	for at, c := range all {
		row := measured[at].row("claims", "admit", callers, c.open)
		row.Growth = median(growths[at])
		if row.Lost, row.Oversold, err = c.check(ctx); err != nil {
			return err
		}
		if at > 0 {
			row.atMost("growth", row.Growth, claimGrowth)
		}
		row.nothingWrong()
		emit(row)
	}
	return nil
}

// check compares what was admitted with what the item has left.
func (c *claimed) check(ctx context.Context) (lost, oversold int64, err error) {
	campaign, err := c.Campaigns.Get(ctx, c.campaign)
	if err != nil {
		return 0, 0, err
	}
	left, err := c.Campaigns.Remaining(ctx, campaign)
	if err != nil {
		return 0, 0, err
	}
	gone, admitted := c.total-left[c.sku], int64(c.open+c.next)
	return max(admitted-gone, 0), max(gone-c.total, 0), nil
}
