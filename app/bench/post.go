package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/money"
)

func runPost(ctx context.Context, o Options, emit func(Row)) error {
	for _, callers := range o.callers(1, 32, 256) {
		row, err := post(ctx, o, callers)
		if err != nil {
			return err
		}
		emit(row)
	}
	return nil
}

// ledger is a running commission service and the sales posted to it.
type ledger struct {
	*commission.Service
	members []string // by popularity of the draw, see sale
	host    string   // of every sale; "" draws one
	policy  *policy.Policy
	at      time.Time
	sealing sync.WaitGroup
	stop    context.CancelFunc
	failed  error
}

// openLedger publishes a policy of three payees and starts the sealing loop.
func openLedger(ctx context.Context, p *place, members int, alone bool) (*ledger, error) {
	l := &ledger{at: clock.System{}.Now(), members: make([]string, 1<<16)}
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.1, 1, uint64(members-1))
	for i := range l.members {
		l.members[i] = fmt.Sprintf("member%07d", zipf.Uint64())
	}
	var err error
	l.Service, err = commission.New(ctx, commission.Deps{
		Store: p.store, Clock: clock.System{}, IDs: id.Random{}, Config: commission.Config{
			Alone: alone, Window: commission.Window{AfterSale: time.Millisecond, Settle: time.Millisecond},
		},
	})
	if err != nil {
		return nil, err
	}
	l.policy, err = l.Policies.Publish(ctx, policy.Policy{
		From: l.at.Add(-time.Hour), Cap: 3000, SecondLevel: true, Rules: []policy.Rule{{Pays: []policy.Pay{
			{Role: commission.Direct, Rate: 1000}, {Role: commission.Upline, Rate: 300}, {Role: commission.Host, Rate: 500},
		}}},
	})
	if err != nil {
		return nil, err
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.sealing.Go(func() { l.Run(ctx, func(err error) { l.failed = err }) })
	return l, nil
}

func (l *ledger) close() error {
	l.stop()
	l.sealing.Wait()
	return l.failed
}

// sale n is always the same: who is paid is drawn with a few hot hosts; every second sale pays an upline, too.
func (l *ledger) sale(n int) commission.Sale {
	x := (uint64(n) + 1) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	pick := func(shift uint) string { return l.members[(x>>shift)&0xffff] }
	s := commission.Sale{
		Order: id.Derive("bench", fmt.Sprint(n)), At: l.at, Campaign: "campaign1", Host: pick(0),
		Referral: commission.Referral{Policy: "1", Direct: pick(16), Why: "last-touch", Share: "share1", Touch: "touch1"},
		Lines: []commission.SaleLine{{
			Line: 1, SKU: "sku1", Product: "product1", Category: "水果", Units: 1 + int64(x>>60), Paid: money.Fen(1000 + x>>44%100_000), Cost: 300,
		}},
	}
	if l.host != "" {
		s.Host = l.host
	}
	if n%2 == 0 {
		s.Referral.Upline = pick(32)
	}
	return s
}

func post(ctx context.Context, o Options, callers int) (_ Row, err error) {
	p, err := openPlace(ctx, o)
	if err != nil {
		return Row{}, err
	}
	defer p.close()
	size := o.size(10_000)
	l, err := openLedger(ctx, p, size, o.Mongo == "")
	if err != nil {
		return Row{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	posted := &accepted{}
	next := 0
	if next, err = posted.drive(ctx, l, callers, next, limit{length: o.lap().length / 4, ops: o.Ops}, nil); err != nil { // warm up
		return Row{}, err
	}
	record, err := sample(ctx, p.driver, "entries")
	if err != nil {
		return Row{}, err
	}
	bare, err := p.reference(ctx, len(record.ID), len(record.Body))
	if err != nil {
		return Row{}, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	all, caughtUp, bareNext := laps{}, []float64{}, 0
	for i := range o.Laps {
		o.Progress(fmt.Sprintf("post, %d callers", callers), i, o.Laps)
		var ours, theirs lap
		if next, err = posted.drive(ctx, l, callers, next, o.lap(), &ours); err != nil {
			return Row{}, err
		}
		watch := clock.StartStopwatch()
		if err := l.CatchUp(ctx); err != nil {
			return Row{}, err
		}
		caughtUp = append(caughtUp, watch.Elapsed().Seconds()*1000)
		theirs, bareNext, err = drive(ctx, callers, bareNext, o.lap(), func(ctx context.Context, _, n int) error { return bare.insert(ctx, n) })
		if err != nil {
			return Row{}, err
		}
		all.ours, all.reference = append(all.ours, ours), append(all.reference, theirs)
	}
	row := all.row("post", "", callers, size)
	row.CaughtUp, row.StoredBytes = median(caughtUp), float64(len(record.Body))
	if row.Lost, row.Doubled, err = posted.check(ctx, o, l); err != nil {
		return Row{}, err
	}
	goals := map[int]float64{1: 2000, 32: 8000}
	if goal, ok := goals[callers]; ok {
		row.atLeast("per second", row.PerSecond, goal)
	}
	if callers == 256 {
		row.atLeast("ratio", row.Ratio, 0.6)
	}
	row.atMost("caught up ms", row.CaughtUp, 1000)
	row.nothingWrong()
	return row, nil
}

// accepted remembers which sales the ledger has acknowledged.
type accepted struct{ sales []int }

func (a *accepted) drive(ctx context.Context, l *ledger, callers, first int, until limit, into *lap) (next int, err error) {
	mine := make([][]int, callers)
	one, next, err := drive(ctx, callers, first, until, func(ctx context.Context, caller, n int) error {
		if err := l.Accrue(ctx, l.sale(n)); err != nil {
			return err
		}
		mine[caller] = append(mine[caller], n)
		return nil
	})
	for _, sales := range mine {
		a.sales = append(a.sales, sales...)
	}
	if into != nil {
		*into = one
	}
	return next, err
}

// check compares acknowledged sales with the ledger: the number of entries, everything Verify proves, and every purse
// with the sum of what was posted to it.
func (a *accepted) check(ctx context.Context, o Options, l *ledger) (lost, doubled int64, err error) {
	o.Progress("verify", 0, 0)
	report, err := l.Verify(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	missing := int64(len(a.sales)) - report.Entries
	lost, doubled = max(missing, 0)+int64(len(report.Differences))+report.More, max(-missing, 0)
	want := map[string]money.Fen{}
	for _, n := range a.sales {
		e := policy.Compute(l.policy, l.sale(n))
		for i := range e.Postings {
			if member, _, ok := e.Postings[i].Account.Member(); ok {
				want[member] += e.Postings[i].Amount
			}
		}
	}
	for member, amount := range want {
		purse, err := l.Purse(ctx, member)
		if err != nil {
			return 0, 0, err
		}
		switch {
		case purse.Pending < amount:
			lost++
		case purse.Pending > amount:
			doubled++
		}
	}
	return lost, doubled, nil
}

// sample is one stored record of a collection.
func sample(ctx context.Context, driver docstore.Driver, collection string) (docstore.Record, error) {
	records, _, err := driver.Find(ctx, collection, docstore.All().First(1))
	if err != nil {
		return docstore.Record{}, err
	}
	if len(records) == 0 {
		return docstore.Record{}, fmt.Errorf("nothing is stored in %s", collection)
	}
	return records[0], nil
}
