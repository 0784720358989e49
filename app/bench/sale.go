package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"guanxi/distribution"
	"guanxi/internal/clock"
	"guanxi/internal/event"
	"guanxi/order"
)

// shop is a world with a host, a friend who shares, and open campaigns.
type shop struct {
	*world
	host, friend person
	sku          string
	home         string // the community
	campaigns    []string
	shares       []string
	sold         soldSignals
	times        stepTimes
}

// stepTimes are when the steps of each sale ended: open, place, prepay, pay, accrued.
type stepTimes struct {
	mu  sync.Mutex
	all [][]int64
}

func (t *stepTimes) add(marks []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, marks)
}

// medians gives the middle duration of every step in milliseconds.
func (t *stepTimes) medians() map[string]float64 {
	out := map[string]float64{}
	for i, step := range []string{"open", "place", "prepay", "pay", "accrued"} {
		var took []int64
		for _, marks := range t.all {
			before := int64(0)
			if i > 0 {
				before = marks[i-1]
			}
			took = append(took, marks[i]-before)
		}
		slices.Sort(took)
		out[step] = percentile(took, 50)
	}
	return out
}

// soldSignals wakes whoever waits for an order's commission.
type soldSignals struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

func (s *soldSignals) expect(order string) <-chan struct{} {
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[order] = done
	return done
}

// take stands after commission.accrue in the table: what it hears of has been accrued.
func (s *soldSignals) take(_ context.Context, e event.Event) error {
	var c order.Confirmed
	if err := e.Decode(&c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if done := s.waiting[c.Order]; done != nil {
		close(done)
		delete(s.waiting, c.Order)
	}
	return nil
}

func openShop(ctx context.Context, o Options, callers, campaigns int) (_ *shop, err error) {
	s := &shop{sold: soldSignals{waiting: map[string]chan struct{}{}}}
	listener := event.Consumer{Event: order.EventConfirmed, Name: "bench.sold", Effect: event.Inside, Take: s.sold.take}
	if s.world, err = openWorld(ctx, o, callers, listener); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.host, err = s.login(ctx, "王姐"); err != nil {
		return nil, err
	}
	if s.friend, err = s.login(ctx, "小李"); err != nil {
		return nil, err
	}
	if s.sku, err = s.product(ctx, "赣南脐橙", 5990, 1_000_000); err != nil {
		return nil, err
	}
	if s.home, err = s.community(ctx, s.host.id, "1"); err != nil {
		return nil, err
	}
	for i := range campaigns {
		campaign, err := s.campaign(ctx, s.host.id, s.home, "sale"+strconv.Itoa(i), 0, s.sku)
		if err != nil {
			return nil, err
		}
		share, err := s.Distribution.Share(ctx, distribution.ShareInput{
			Sharer: s.friend.id, Kind: distribution.KindCampaign, Target: campaign, Community: s.home, Host: s.host.id,
			Key: "bench-" + strconv.Itoa(i),
		})
		if err != nil {
			return nil, err
		}
		s.campaigns, s.shares = append(s.campaigns, campaign), append(s.shares, share.ID)
	}
	return s, nil
}

// exchange is a request and what was answered, for the reference to imitate.
type exchange struct {
	request
	status, bytes int
}

// buy walks a visitor from the opened share to the accrued commission.
func (s *shop) buy(ctx context.Context, n int, visitor person, seen func(exchange)) (orderID string, err error) {
	now, marks := clock.Nanos(), make([]int64, 0, 5)
	call := func(in request, into any) error {
		a, err := send(ctx, s.client, in)
		if err != nil {
			return err
		}
		marks = append(marks, now())
		if seen != nil {
			seen(exchange{in, a.status, len(a.body)})
		}
		return a.into(into)
	}
	at, key := n%len(s.campaigns), "bench-sale-"+strconv.Itoa(n)
	ours := func(path string, status int, body string) request {
		in := request{method: http.MethodPost, url: s.URL + path, token: visitor.token, key: key, want: status}
		if body != "" {
			in.body = []byte(body)
		}
		return in
	}
	var ignored, paid struct{}
	if err := call(ours("/v1/shares/"+s.shares[at]+"/open", 200, `{"scene":1007}`), &ignored); err != nil {
		return "", err
	}
	var placed struct {
		ID string `json:"id"`
	}
	body := fmt.Sprintf(`{"campaign":%q,"share":%q,"lines":[{"sku":%q,"units":1}]}`, s.campaigns[at], s.shares[at], s.sku)
	if err := call(ours("/v1/orders", 201, body), &placed); err != nil {
		return "", err
	}
	done := s.sold.expect(placed.ID)
	var p struct {
		TimeStamp, NonceStr, Package, SignType, PaySign string
	}
	if err := call(ours("/v1/orders/"+placed.ID+"/prepay", 200, ""), &p); err != nil {
		return "", err
	}
	body = fmt.Sprintf(`{"package":%q,"openid":%q,"timeStamp":%q,"nonceStr":%q,"signType":%q,"paySign":%q}`,
		p.Package, s.Sandbox.OpenID(visitor.name), p.TimeStamp, p.NonceStr, p.SignType, p.PaySign)
	if err := call(request{method: http.MethodPost, url: s.PlatformURL() + "/sandbox/pay", body: []byte(body), want: 200}, &paid); err != nil {
		return "", err
	}
	select {
	case <-done:
		s.times.add(append(marks, now()))
		return placed.ID, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func runSale(ctx context.Context, o Options, emit func(Row)) error {
	for _, callers := range o.callers(8) {
		row, err := sale(ctx, o, callers)
		if err != nil {
			return err
		}
		emit(row)
	}
	return nil
}

func sale(ctx context.Context, o Options, callers int) (_ Row, err error) {
	size := o.size(1)
	s, err := openShop(ctx, o, callers, size)
	if err != nil {
		return Row{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	bare, err := openBareServer(ctx)
	if err != nil {
		return Row{}, err
	}
	defer bare.close()
	perLap := int(o.lap().length.Seconds()*700) + 8*callers
	if o.Ops > 0 {
		perLap = min(perLap, o.Ops+callers)
	}
	visitors, err := s.people(ctx, o, "visitor", perLap*o.Laps+8*callers)
	if err != nil {
		return Row{}, err
	}
	all := &sales{shop: s, visitors: visitors, orders: make([][]string, callers)}
	if err := all.learn(ctx, 8*callers); err != nil { // warms up, too
		return Row{}, err
	}
	var measured laps
	cpu := &profiler{}
	for i := range o.Laps {
		o.Progress("sale", i, o.Laps)
		if err := measured.saleLap(ctx, o, all, cpu, perLap, callers); err != nil {
			return Row{}, errors.Join(err, cpu.stop())
		}
		theirs, _, err := drive(ctx, callers, 0, o.lap(), func(ctx context.Context, _, _ int) error {
			for _, e := range all.steps {
				if _, err := send(ctx, s.client, bareTwin(bare.url, e.request, e.status, e.bytes)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return Row{}, err
		}
		measured.reference = append(measured.reference, theirs)
	}
	row := measured.row("sale", "", callers, size)
	if row.Lost, row.Doubled, err = all.check(ctx); err != nil {
		return Row{}, err
	}
	row.blame(&cpu.parts)
	row.Steps = s.times.medians()
	row.atLeast("per second", row.PerSecond, 250)
	row.atMost("p99 ms", row.P99, 60)
	row.atMost("ours CPU ms", row.OursCPU, 3)
	row.nothingWrong()
	return row, cpu.write(o.Profile)
}

// blame divides the measured processor time as the profile says.
func (r *Row) blame(p *parts) {
	r.RSAShare, r.SandShare, r.LoadShare = p.share(p.rsa), p.share(p.sandbox), p.share(p.client)
	r.OursCPU = r.CPUPerOp * p.share(p.ours)
}

func (m *laps) saleLap(ctx context.Context, o Options, all *sales, cpu *profiler, most, callers int) error {
	if err := cpu.start(); err != nil {
		return err
	}
	end := all.next + most
	ours, next, err := drive(ctx, callers, all.next, o.lap(), func(ctx context.Context, caller, n int) error {
		if n >= end {
			return errStop
		}
		return all.one(ctx, caller, n)
	})
	if err := errors.Join(err, cpu.stop()); err != nil {
		return err
	}
	all.next = min(next, end)
	m.ours = append(m.ours, ours)
	return all.settle(ctx) // what trails behind must not burden the reference
}

// sales are the sales of a run.
type sales struct {
	*shop
	visitors []person
	next     int
	orders   [][]string // by caller
	steps    []exchange // of one sale
}

func (a *sales) one(ctx context.Context, caller, n int) error {
	id, err := a.buy(ctx, n, a.visitors[n], nil)
	if err == nil {
		a.orders[caller] = append(a.orders[caller], id)
	}
	return err
}

// learn makes the first sales and notes how big one's requests and answers are.
func (a *sales) learn(ctx context.Context, n int) error {
	for i := range n {
		seen := func(e exchange) { a.steps = append(a.steps, e) }
		if i > 0 {
			seen = nil
		}
		id, err := a.buy(ctx, i, a.visitors[i], seen)
		if err != nil {
			return err
		}
		a.orders[0] = append(a.orders[0], id)
	}
	a.next = n
	return nil
}

// check compares the sales that were answered with orders, seats and the ledger.
func (a *sales) check(ctx context.Context) (lost, doubled int64, err error) {
	if err := a.settle(ctx); err != nil {
		return 0, 0, err
	}
	seats, sold := map[string]bool{}, int64(0)
	for _, ids := range a.orders {
		for _, id := range ids {
			o, err := a.Orders.Get(ctx, id)
			if err != nil {
				return 0, 0, err
			}
			sold++
			place := o.Campaign + "/" + strconv.FormatInt(o.Seat, 10)
			if o.State != order.StateConfirmed || o.Seat == 0 || seats[place] {
				lost++
			}
			seats[place] = true
		}
	}
	taken := int64(0)
	for _, campaign := range a.campaigns {
		p, err := a.Campaigns.Progress(ctx, campaign)
		if err != nil {
			return 0, 0, err
		}
		taken += p.Seats
	}
	report, err := a.Commission.Verify(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	lost += max(sold-taken, 0) + max(sold-report.Entries, 0) + int64(len(report.Differences)) + report.More
	doubled += max(taken-sold, 0) + max(report.Entries-sold, 0)
	return lost, doubled, nil
}
