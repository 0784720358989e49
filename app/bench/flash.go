package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"guanxi/order"
)

const (
	flashUnits = 1000 // for 10,000 buyers; scaled with them
	flashLimit = 2    // units of one person
)

// rush is a flash hour: one campaign, few units, many buyers.
type rush struct {
	*world
	buyers   []person
	campaign string
	sku      string
	units    int64
	accepted []map[string]int64 // by caller: order → units
	cpu      profiler
}

func openRush(ctx context.Context, o Options, callers, buyers int) (_ *rush, err error) {
	r := &rush{units: max(int64(buyers)*flashUnits/10_000, flashLimit), accepted: make([]map[string]int64, callers)}
	for i := range r.accepted {
		r.accepted[i] = map[string]int64{}
	}
	if r.world, err = openWorld(ctx, o, callers); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	host, err := r.login(ctx, "王姐")
	if err != nil {
		return nil, err
	}
	if r.sku, err = r.product(ctx, "车厘子", 9900, r.units); err != nil {
		return nil, err
	}
	communityID, err := r.community(ctx, host.id, "1")
	if err != nil {
		return nil, err
	}
	if r.campaign, err = r.world.campaign(ctx, host.id, communityID, "flash", flashLimit, r.sku); err != nil {
		return nil, err
	}
	r.buyers, err = r.people(ctx, o, "buyer", buyers)
	return r, err
}

func (r *rush) wish(n int) int64 { return 1 + int64(n)%flashLimit }

func (r *rush) request(n int, key string) request {
	buyer := n % len(r.buyers)
	return request{
		method: http.MethodPost, url: r.URL + "/v1/orders", token: r.buyers[buyer].token, key: key,
		body: fmt.Appendf(nil, `{"campaign":%q,"lines":[{"sku":%q,"units":%d}]}`, r.campaign, r.sku, r.wish(buyer)),
	}
}

// place tries to buy; false means sold out.
func (r *rush) place(ctx context.Context, caller, n int) (bought bool, a answer, err error) {
	if a, err = send(ctx, r.client, r.request(n, "bench-flash-"+strconv.Itoa(n))); err != nil {
		return false, a, err
	}
	var body struct{ ID, Code string }
	if a.status == http.StatusCreated {
		err = a.into(&body)
		r.accepted[caller][body.ID] = r.wish(n % len(r.buyers))
		return true, a, err
	}
	if a.status == http.StatusConflict {
		// Who has bought already may hear of the limit instead, when their turn falls into a look at the store.
		if err = a.into(&body); err == nil && (body.Code == "CAT_SOLD_OUT" || body.Code == "GRP_LIMIT_PERSON") {
			return false, a, nil
		}
	}
	return false, a, fmt.Errorf("place: status %d: %.300s", a.status, a.body)
}

func runFlash(ctx context.Context, o Options, emit func(Row)) error {
	for _, callers := range o.callers(256) {
		if err := flash(ctx, o, callers, emit); err != nil {
			return err
		}
	}
	return nil
}

func flash(ctx context.Context, o Options, callers int, emit func(Row)) (err error) {
	size := o.size(10_000)
	r, err := openRush(ctx, o, callers, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	bare, err := openBareServer(ctx)
	if err != nil {
		return err
	}
	defer bare.close()

	o.Progress("flash: everybody at once", 0, 0)
	gone, next, err := r.sellOut(ctx, callers)
	if err != nil {
		return err
	}
	sold := laps{ours: []lap{gone}}
	row := sold.row("flash", "sell-out", callers, size)
	row.Gone = gone.took.Seconds() * 1000

	turned, err := r.turnAway(ctx, o, callers, next, bare)
	if err != nil {
		return err
	}
	if row.Lost, row.Doubled, row.Oversold, err = r.check(ctx); err != nil {
		return err
	}
	row.atMost("gone ms", row.Gone, 2000)
	row.nothingWrong()
	emit(row)
	away := turned.row("flash", "sold-out", callers, size)
	away.blame(&r.cpu.parts)
	away.atLeast("ratio", away.Ratio, 0.4)
	away.Lost, away.Doubled, away.Oversold = row.Lost, row.Doubled, row.Oversold
	emit(away)
	return r.cpu.write(o.Profile)
}

// sellOut lets every buyer try until all units are sold; the lap ends with the last unit.
func (r *rush) sellOut(ctx context.Context, callers int) (l lap, next int, err error) {
	var units atomic.Int64
	return drive(ctx, callers, 0, limit{ops: 100 * len(r.buyers)}, func(ctx context.Context, caller, n int) error {
		if units.Load() >= r.units {
			return errStop
		}
		bought, _, err := r.place(ctx, caller, n)
		if bought {
			units.Add(r.wish(n % len(r.buyers)))
		}
		return err
	})
}

// turnAway measures sold-out answers in turn with a bare handler that answers as many bytes.
func (r *rush) turnAway(ctx context.Context, o Options, callers, next int, bare *bareServer) (all laps, err error) {
	_, first, err := r.place(ctx, 0, next)
	if err != nil {
		return all, err
	}
	for i := range o.Laps {
		o.Progress("flash: sold out", i, o.Laps)
		var ours, theirs lap
		if err := r.cpu.start(); err != nil {
			return all, err
		}
		ours, next, err = drive(ctx, callers, next+1, o.lap(), func(ctx context.Context, caller, n int) error {
			_, _, err := r.place(ctx, caller, n)
			return err
		})
		if err = errors.Join(err, r.cpu.stop()); err != nil {
			return all, err
		}
		theirs, _, err = drive(ctx, callers, 0, o.lap(), func(ctx context.Context, _, n int) error {
			twin := bareTwin(bare.url, r.request(n, "bench-flash-"+strconv.Itoa(n)), first.status, len(first.body))
			_, err := send(ctx, r.client, twin)
			return err
		})
		if err != nil {
			return all, err
		}
		all.ours, all.reference = append(all.ours, ours), append(all.reference, theirs)
	}
	return all, nil
}

// check compares the accepted orders with the store: all of them are there, no other, each once under its key, and not
// more units than there were.
func (r *rush) check(ctx context.Context) (lost, doubled, oversold int64, err error) {
	if err := r.settle(ctx); err != nil {
		return 0, 0, 0, err
	}
	accepted := map[string]int64{}
	for _, mine := range r.accepted {
		for id, units := range mine {
			if accepted[id] != 0 {
				doubled++
			}
			accepted[id] = units
		}
	}
	stored, sold := int64(0), int64(0)
	for page := (order.Page{Limit: 100}); ; {
		found, err := r.Orders.ByCampaign(ctx, r.campaign, page)
		if err != nil {
			return 0, 0, 0, err
		}
		for _, o := range found.Items {
			stored++
			units := int64(0)
			for _, l := range o.Lines {
				units += l.Units
			}
			sold += units
			if accepted[o.ID] != units {
				doubled++ // nobody was told of it, or of another number of units
			}
		}
		if page.After = found.Next; page.After == "" {
			break
		}
	}
	lost = max(int64(len(accepted))-stored, 0)
	free, err := r.Catalog.Available(ctx, []string{r.sku})
	if err != nil {
		return 0, 0, 0, err
	}
	lost += max(r.units-sold-free[r.sku], 0) // units that nobody has
	return lost, doubled, max(sold+free[r.sku]-r.units, 0), nil
}
