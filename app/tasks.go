package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/internal/event"
	"guanxi/order"
	"guanxi/reconcile"
	"guanxi/staff/task"
)

// causes answers whether what a task is about is over; it only reads.
type causes struct{ app *App }

func (c causes) rooms() map[string]task.Gone {
	return map[string]task.Gone{
		"order": c.order, "withdrawal": c.withdrawal, "sharing": c.sharing, "bill": c.bill, "event": c.event,
	}
}

// after is what stands behind the first word of a subject.
func after(t *task.Task) string {
	_, rest, _ := strings.Cut(t.Subject, "/")
	return rest
}

func (c causes) order(ctx context.Context, t *task.Task) (bool, string, error) {
	found, err := c.app.Orders.Archive().Many(ctx, []string{after(t)})
	o := found[after(t)]
	if err != nil || o == nil {
		return false, "", err
	}
	switch t.Kind {
	case "order/overdue":
		return !o.Overdue(t.Detail), "订单已离开该状态：" + string(o.State), nil
	case "order/paid-after-close":
		return o.State == order.StateRefunded, "款项已全部退回", nil
	case "order/refund-abnormal", "order/refund-refused", "order/refund-stuck":
		number, _, _ := strings.Cut(t.Detail, " ")
		for _, next := range o.Refunds {
			if (next.Number == number || next.Replaces == number) && next.Stage == order.StageDone {
				return !strings.HasSuffix(t.Detail, "done after closed"), "退款已到账：" + next.Number, nil
			}
		}
	}
	return false, "", nil // only a person knows
}

func (c causes) withdrawal(ctx context.Context, t *task.Task) (bool, string, error) {
	w, err := c.app.Withdrawals.Get(ctx, after(t))
	if errors.Is(err, withdrawal.ErrNotFound) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	words := "提现已到：" + string(w.State)
	switch t.Kind {
	case "withdrawal/overdue":
		return !w.Overdue(t.Detail), words, nil
	case "withdrawal/send-refused":
		return w.State != withdrawal.Sent || w.Bill != "", words, nil
	case "withdrawal/forgotten":
		return w.State.Ended(), words, nil
	case "withdrawal/ledger-refused":
		return w.State.Ended() && w.Posted == w.State, "已入账", nil
	}
	return false, "", nil
}

func (c causes) sharing(ctx context.Context, t *task.Task) (bool, string, error) {
	d, err := c.app.Sharings.Archive().Get(ctx, after(t))
	if errors.Is(err, sharing.ErrNotFound) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	if t.Kind == "sharing/overdue" {
		return d.StayDetail(c.app.clock.Now()) != t.Detail, "分账已到：" + string(d.State), nil
	}
	return d.State == sharing.Unfrozen, "分账已完结", nil
}

func (c causes) bill(ctx context.Context, t *task.Task) (bool, string, error) {
	statement, day, _ := strings.Cut(after(t), "/")
	r, err := c.app.Reconcile.Get(ctx, reconcile.Statement(statement), day)
	if errors.Is(err, reconcile.ErrNotFound) || errors.Is(err, reconcile.ErrDay) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	working := r.State == reconcile.Waiting || r.State == reconcile.Matching
	words := "当日对账已到：" + string(r.State)
	switch t.Kind {
	case "bill/differing":
		return r.State == reconcile.Balanced || r.State == reconcile.Resolved, words, nil
	case "bill/unreadable":
		return r.Reason == "" && !r.FinishedAt.IsZero(), "账单已读取并核对", nil
	case "bill/overdue":
		return !working && r.State != reconcile.Lost, words, nil
	}
	return false, "", nil
}

// mostParked bounds the parked messages that are looked at.
const mostParked = 1000

func (c causes) event(ctx context.Context, t *task.Task) (bool, string, error) {
	groups, err := c.parked(ctx)
	if err != nil {
		return false, "", err
	}
	return groups[after(t)] == nil, "搁置的事件已全部重新处理", nil
}

// parkedGroup is what is parked of one event for one consumer.
type parkedGroup struct {
	count  int
	newest time.Time
	first  event.Parked
}

// parked groups what is parked by event and consumer: one task for each, however many there are.
func (c causes) parked(ctx context.Context) (map[string]*parkedGroup, error) {
	all, err := c.app.Relay.Parked(ctx, mostParked)
	if err != nil {
		return nil, err
	}
	groups := map[string]*parkedGroup{}
	for _, p := range all {
		missing := p.Missing
		if len(missing) == 0 {
			missing = []string{"-"}
		}
		for _, consumer := range missing {
			key := p.Name + "/" + consumer
			if groups[key] == nil {
				groups[key] = &parkedGroup{first: p}
			}
			groups[key].count++
			if p.ParkedAt.After(groups[key].newest) {
				groups[key].newest = p.ParkedAt
			}
		}
	}
	return groups, nil
}

// parkedEvents is the source of tasks about parked events: nothing can tell of an event that is given up but the list itself.
func (c causes) parkedEvents(ctx context.Context, report func(task.Finding) error) error {
	groups, err := c.parked(ctx)
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		g := groups[key]
		if err := report(task.Finding{Kind: "event/parked", Subject: "event/" + key, At: g.newest, Evidence: []task.Evidence{
			{Name: "事件与处理者", Value: key},
			{Name: "搁置数量", Value: fmt.Sprint(g.count)},
			{Name: "最早一条", Value: g.first.ID + " " + g.first.Source},
			{Name: "错误", Value: g.first.Error},
		}}); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) joinTasks(ctx context.Context, c Config) (err error) {
	all := causes{a}
	a.Tasks, err = task.New(ctx, task.Deps{Store: c.Store, Clock: c.Clock, Gone: all.rooms(), Sources: []task.Source{all.parkedEvents}})
	return err
}
