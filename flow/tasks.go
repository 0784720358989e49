package flow

import (
	"context"
	"strconv"
	"strings"

	"guanxi/commission/sharing"
	"guanxi/commission/withdrawal"
	"guanxi/order"
	"guanxi/reconcile"
	"guanxi/staff/task"
)

// Tasks is the list of what people must look at.
type Tasks interface {
	Report(ctx context.Context, f task.Finding) (*task.Task, error)
}

// Bills looks again at a day whose bill counted a refund that has become abnormal.
type Bills interface {
	Reconsider(ctx context.Context, refund string) error
}

// kind is the kind of task for an incident; one the table does not know yet is the room's general kind, never nothing.
func kind(room, incident string) string {
	name := room + "/" + strings.ReplaceAll(incident, " ", "-")
	if _, known := task.KindOf(name); known {
		return name
	}
	return room + "/incident"
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func evidence(pairs ...string) []task.Evidence {
	var all []task.Evidence
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, task.Evidence{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	return all
}

func (d Deps) reportOrder(ctx context.Context, i order.Incidence) error {
	_, err := d.Tasks.Report(ctx, task.Finding{
		Kind: kind("order", string(i.Kind)), Subject: "order/" + i.Order, Detail: i.Detail, At: i.At,
		Evidence: evidence("订单", i.Order, "异常", string(i.Kind), "详情", i.Detail),
	})
	return err
}

// reconsiderBill lets the bill's day be looked at again when a refund it counted has become abnormal.
func (d Deps) reconsiderBill(ctx context.Context, i order.Incidence) error {
	if i.Kind != order.IncidentRefundAbnormal {
		return nil
	}
	number, _, _ := strings.Cut(i.Detail, " ")
	return d.Bills.Reconsider(ctx, number)
}

func (d Deps) reportWithdrawal(ctx context.Context, i withdrawal.Incidence) error {
	_, err := d.Tasks.Report(ctx, task.Finding{
		Kind: kind("withdrawal", string(i.Kind)), Subject: "withdrawal/" + i.Number, Detail: i.Detail, At: i.At,
		Evidence: evidence("提现", i.Number, "状态", string(i.State), "异常", string(i.Kind), "详情", i.Detail),
	})
	return err
}

func (d Deps) reportSharing(ctx context.Context, t sharing.TroubleEvent) error {
	of := "sharing/trouble"
	if t.Overdue {
		of = "sharing/overdue"
	}
	_, err := d.Tasks.Report(ctx, task.Finding{
		Kind: of, Subject: "sharing/" + t.Order, Detail: t.What, At: t.At,
		Evidence: evidence("订单", t.Order, "状态", string(t.State), "详情", t.What),
	})
	return err
}

func (d Deps) reportBillTrouble(ctx context.Context, t reconcile.TroubleEvent) error {
	_, err := d.Tasks.Report(ctx, task.Finding{
		Kind: "bill/" + string(t.Trouble), Subject: "bill/" + string(t.Statement) + "/" + t.Day, At: t.At,
		Evidence: evidence("账单", string(t.Statement), "日期", t.Day, "原因", t.Reason, "代码", t.Problem),
	})
	return err
}

// reportDiffering makes one task of a day whose bill differs; each difference is explained in the day's own list.
func (d Deps) reportDiffering(ctx context.Context, f reconcile.Finished) error {
	if f.State != reconcile.Differing {
		return nil
	}
	_, err := d.Tasks.Report(ctx, task.Finding{
		Kind: "bill/differing", Subject: "bill/" + string(f.Statement) + "/" + f.Day, At: f.At,
		Evidence: evidence("账单", string(f.Statement), "日期", f.Day, "差异", count(f.Differences), "相符", count(f.Matched)),
	})
	return err
}
