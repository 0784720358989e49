package app

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pace says how often time-driven work is looked for. Zero takes the default; negative turns a loop off.
type Pace struct {
	Campaigns time.Duration // open, close and settle campaigns; default 1 s
	Orders    time.Duration // expire, heal, receive, complete orders; default 1 s
	Stock     time.Duration // holds nobody came back for; default 30 s
	Settle    time.Duration // commission whose window is over; default 10 s
	Payouts   time.Duration // withdrawals under way; default 2 s
	Sharings  time.Duration // commission paid out of orders' payments; default 5 s
	Notices   time.Duration // messages to members; default 1 s
	Office    time.Duration // vouchers, closing months, checkpoints; default 5 s
	Tasks     time.Duration // what people must look at: counted, and closed when its cause is gone; default 1 min
	Facts     time.Duration // what was changed is sealed into the chain of facts, so long after it; default 1 s
	Bills     time.Duration // the platform's daily bills; default 1 min
	Tidy      time.Duration // forget what need not be remembered; default 1 min
	// Rest is the longest a loop sleeps that has nothing due and hears of no work: what nobody could tell its owner is found
	// after that. Default 30 s; 1 min where no other process uses the store.
	Rest time.Duration
}

func (p Pace) withDefaults() Pace {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&p.Campaigns, time.Second},
		{&p.Orders, time.Second},
		{&p.Stock, 30 * time.Second},
		{&p.Settle, 10 * time.Second},
		{&p.Payouts, 2 * time.Second},
		{&p.Sharings, 5 * time.Second},
		{&p.Notices, time.Second},
		{&p.Office, 5 * time.Second},
		{&p.Tasks, time.Minute},
		{&p.Facts, time.Second},
		{&p.Bills, time.Minute},
		{&p.Tidy, time.Minute},
		{&p.Rest, restShared},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	return p
}

// Start begins to deliver events and to move what time moves.
func (a *App) Start(ctx context.Context) error {
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	a.Store.OnWritten(a.wrote)
	a.nudging(ctx)
	if err := a.watchUnreadable(ctx); err != nil {
		a.stop()
		return fmt.Errorf("app: %w", err)
	}
	if err := a.Relay.Start(ctx); err != nil {
		a.stop()
		return fmt.Errorf("app: %w", err)
	}
	a.loops.Go(func() {
		a.Leases.Run(ctx, func(err error) { a.log.Warn("leases", "error", err.Error()) })
	})
	a.loops.Go(func() {
		a.Commission.Run(ctx, func(err error) { a.log.Warn("sealer", "error", err.Error()) })
	})
	if a.pace.Facts > 0 {
		a.loops.Go(func() {
			a.Notary.Run(ctx, a.pace.Facts, func(err error) { a.log.Warn("notary", "error", err.Error()) })
		})
	}
	for _, l := range []loop{
		{"campaigns", a.pace.Campaigns, "campaigns", "next", a.Campaigns.Tick},
		{"orders", a.pace.Orders, "orders", "next", a.Orders.Tick},
		{"stock", a.pace.Stock, "buckets", "due", a.Catalog.Lapse},
		{"settle", a.pace.Settle, "settlements", "due", a.Commission.SettleDue},
		{"payouts", a.pace.Payouts, "withdrawals", "next", a.Withdrawals.Tend},
		{"sharings", a.pace.Sharings, "sharings", "next", a.Sharings.Tend},
		{"notices", a.pace.Notices, "notices", "next", a.Outreach.Tend},
		{"office", a.pace.Office, "vouchers", "", func(ctx context.Context) (int, error) { return 0, a.Commission.Tend(ctx) }},
		{"bills", a.pace.Bills, "", "", a.Reconcile.Tend},
		{"tasks", a.pace.Tasks, "", "", func(ctx context.Context) (int, error) {
			_, err := a.Tasks.Watch(ctx)
			return 0, err
		}},
	} {
		a.keep(ctx, l)
	}
	a.keep(ctx, loop{"tidy", a.pace.Tidy, "", "", func(ctx context.Context) (int, error) {
		n, err := a.API.Tidy(ctx)
		m, err2 := a.Members.PruneSessions(ctx)
		k, err3 := a.Console.Tidy(ctx)
		return n + m + k, errors.Join(err, err2, err3)
	}})
	if a.alone {
		return nil
	}
	if err := a.Leases.Beat(ctx); err != nil { // what nobody owns is owned at once
		a.log.Warn("leases", "error", err.Error())
	}
	return nil
}

// Stop ends the loops, lets events in delivery finish, seals what was posted and what was changed, and signs both. The HTTP
// server must have stopped before, and the store is closed by whoever opened it.
func (a *App) Stop(ctx context.Context) error {
	if a.stop == nil {
		return nil
	}
	relayErr := a.Relay.Stop(ctx)
	a.stop()
	a.loops.Wait()
	err := errors.Join(relayErr, a.Commission.CatchUp(ctx), a.Notary.CatchUp(ctx))
	if err == nil {
		_, err = a.Commission.SignCheckpoint(ctx)
	}
	return err
}
