package console

import (
	"context"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/reconcile"
	"guanxi/staff"
)

// TaskPath names a reconciliation task.
type TaskPath struct {
	Task string `path:"task" minLength:"1" maxLength:"64"`
}

func (p TaskPath) Subject() string { return "task/" + p.Task }

// RunPath names one bill's day.
type RunPath struct {
	Statement reconcile.Statement `path:"statement" maxLength:"10" enum:"trade,funds,operation,fees" doc:"trade 交易账单；funds 基本账户资金账单；operation 运营账户；fees 手续费账户"`
	Day       string              `path:"day" minLength:"10" maxLength:"10" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" doc:"如 2026-10-31，按北京时间"`
}

func (p RunPath) Subject() string { return "run/" + string(p.Statement) + "/" + p.Day }

// TaskView is one difference for a person to explain.
type TaskView struct {
	ID         string               `json:"id"`
	Statement  reconcile.Statement  `json:"statement" enum:"trade,funds,operation,fees"`
	Day        string               `json:"day"`
	Difference reconcile.Difference `json:"difference"`
	Sentence   string               `json:"sentence" doc:"差异的说明"`
	Move       reconcile.Movement   `json:"move,omitempty"`
	Number     string               `json:"number"`
	State      reconcile.TaskState  `json:"state" enum:"open,resolved,healed"`
	OpenedAt   time.Time            `json:"opened_at"`
	Reopened   int                  `json:"reopened,omitempty"`
	Lines      []BillLine           `json:"lines,omitempty" doc:"平台账单上的行"`
	Ours       *factView            `json:"ours,omitempty" doc:"我方账簿"`
	Said       *totalsView          `json:"said,omitempty" doc:"账单汇总"`
	Counted    *totalsView          `json:"counted,omitempty" doc:"明细合计；未知业务的合计"`
	Reason     string               `json:"reason,omitempty" doc:"账单为什么无法读取"`
	ClosedAt   time.Time            `json:"closed_at,omitzero"`
	By         string               `json:"by,omitempty"`
	Words      string               `json:"words,omitempty"`
	Link       string               `json:"link,omitempty"`
}

// BillLine is a row of a bill.
type BillLine struct {
	Row      int64               `json:"row"`
	Move     reconcile.Movement  `json:"move"`
	State    reconcile.LineState `json:"state"`
	In       bool                `json:"in" doc:"收入为真"`
	Number   string              `json:"number,omitempty"`
	Platform string              `json:"platform,omitempty"`
	Flow     string              `json:"flow,omitempty"`
	Order    string              `json:"order,omitempty"`
	Amount   money.Fen           `json:"amount_fen"`
	Fee      money.Fen           `json:"fee_fen,omitempty"`
	At       time.Time           `json:"at"`
	Words    string              `json:"words,omitempty"`
	Settled  money.Fen           `json:"settled_fen,omitempty" doc:"账户实际变动，与金额不同时"`
	Coupon   money.Fen           `json:"coupon_fen,omitempty" doc:"代金券"`
	App      string              `json:"app,omitempty" doc:"公众账号ID"`
}

type factView struct {
	Move     reconcile.Movement  `json:"move"`
	Number   string              `json:"number"`
	Platform string              `json:"platform,omitempty"`
	Order    string              `json:"order,omitempty"`
	Amount   money.Fen           `json:"amount_fen"`
	State    reconcile.FactState `json:"state"`
	At       time.Time           `json:"at,omitzero"`
}

type totalsView struct {
	Lines int64     `json:"lines"`
	In    money.Fen `json:"in_fen"`
	Out   money.Fen `json:"out_fen"`
	Fee   money.Fen `json:"fee_fen"`
}

// RunView is one bill's day.
type RunView struct {
	Statement   reconcile.Statement `json:"statement" enum:"trade,funds,operation,fees"`
	Day         string              `json:"day"`
	State       reconcile.State     `json:"state" enum:"waiting,matching,balanced,differing,resolved,lost"`
	NextAt      time.Time           `json:"next_at,omitzero"`
	Problem     string              `json:"problem,omitempty"`
	Reason      string              `json:"reason,omitempty" doc:"账单为什么无法读取"`
	Round       int                 `json:"round"`
	FetchedAt   time.Time           `json:"fetched_at,omitzero"`
	Empty       bool                `json:"empty,omitempty" doc:"平台说当日没有账单"`
	Said        totalsView          `json:"said" doc:"账单汇总"`
	Bill        totalsView          `json:"bill" doc:"账单明细合计"`
	Ours        totalsView          `json:"ours" doc:"我方账簿合计"`
	Matched     int64               `json:"matched"`
	Strays      int64               `json:"strays"`
	Differences int64               `json:"differences"`
	Beyond      int64               `json:"beyond,omitempty" doc:"差异过多、没有单独成任务的"`
	FinishedAt  time.Time           `json:"finished_at,omitzero"`
	Seen        seenView            `json:"seen" doc:"账单中有、但不算差异的"`
}

type seenView struct {
	Foreign    int64     `json:"foreign" doc:"同一商户号下其他小程序的行数"`
	ForeignIn  money.Fen `json:"foreign_in_fen"`
	ForeignOut money.Fen `json:"foreign_out_fen"`
	Coupons    int64     `json:"coupons" doc:"含免充值代金券的行数"`
	CouponIn   money.Fen `json:"coupon_in_fen" doc:"支付因此少收"`
	CouponOut  money.Fen `json:"coupon_out_fen" doc:"退款因此少退"`
	Processing int64     `json:"processing" doc:"账单写为处理中的退款；账单行写定后不再更新"`
	Fees       money.Fen `json:"fees_fen" doc:"扣除的手续费"`
	FeesBack   money.Fen `json:"fees_back_fen" doc:"随退款退还的手续费"`
	NetRefunds int64     `json:"net_refunds" doc:"资金账单中已减去手续费的退款行数；其余按全额"`
}

type taskOutput struct {
	Body struct {
		People
		TaskView
	}
}

type tasksInput struct {
	edge.Paged
	State reconcile.TaskState `query:"state" enum:"open,resolved,healed" default:"open"`
}

type tasksOutput struct {
	Body struct {
		People
		Tasks []TaskView `json:"tasks"`
		Next  string     `json:"next,omitempty"`
	}
}

type runsInput struct {
	edge.Paged
	Statement reconcile.Statement `query:"statement" enum:"trade,funds,operation,fees" default:"trade"`
}

type runsOutput struct {
	Body struct {
		Runs []RunView `json:"runs" doc:"从新到旧"`
		Next string    `json:"next,omitempty"`
	}
}

type runOutput struct{ Body RunView }

type resolveInput struct {
	edge.Keyed
	TaskPath
	Body struct {
		Words string `json:"words" minLength:"1" maxLength:"500" doc:"为什么没有问题，或做了什么"`
		Link  string `json:"link,omitempty" maxLength:"300" doc:"所依据的凭证或工单"`
	}
}

type runWrite struct {
	edge.Keyed
	RunPath
}

const tagReconcile = "对账"

func viewTotals(t reconcile.Totals) totalsView { return totalsView{t.Lines, t.In, t.Out, t.Fee} }

func viewTotalsOrNil(t *reconcile.Totals) *totalsView {
	if t == nil {
		return nil
	}
	v := viewTotals(*t)
	return &v
}

func viewBillLine(l reconcile.Line) BillLine {
	return BillLine{
		l.Row, l.Move, l.State, l.In, l.Number, l.Platform, l.Flow, l.Order, l.Amount, l.Fee, l.At, l.Words, l.Settled, l.Coupon, l.App,
	}
}

func viewTask(t *reconcile.Task) TaskView {
	zh, _ := t.Difference.Sentence()
	v := TaskView{
		ID: t.ID, Statement: t.Statement, Day: t.Day, Difference: t.Difference, Sentence: zh, Move: t.Move, Number: t.Number,
		State: t.State, OpenedAt: t.OpenedAt, Reopened: t.Reopened, Lines: each(t.Lines, viewBillLine),
		Said: viewTotalsOrNil(t.Said), Counted: viewTotalsOrNil(t.Counted), ClosedAt: t.ClosedAt, By: t.By, Words: t.Words, Link: t.Link,
		Reason: t.Reason,
	}
	if f := t.Ours; f != nil {
		v.Ours = &factView{f.Move, f.Number, f.Platform, f.Order, f.Amount, f.State, f.At}
	}
	return v
}

func viewRun(r *reconcile.Run) RunView {
	return RunView{
		Statement: r.Statement, Day: r.Day, State: r.State, NextAt: r.NextAt, Problem: r.Problem, Round: r.Round,
		FetchedAt: r.FetchedAt, Empty: r.Empty, Said: viewTotals(r.Said), Bill: viewTotals(r.Bill), Ours: viewTotals(r.Ours),
		Matched: r.Matched, Strays: r.Strays, Differences: r.Differences, Beyond: r.Beyond, FinishedAt: r.FinishedAt,
		Reason: r.Reason, Seen: seenView(r.Seen),
	}
}

func (c *Console) showTask(ctx context.Context, t *reconcile.Task, err error) (*taskOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &taskOutput{}
	out.Body.TaskView = viewTask(t)
	out.Body.People, err = c.peopleOf(ctx, t.By)
	return out, err
}

func (c *Console) showTasks(ctx context.Context, page docstore.Page[reconcile.Task], err error) (*tasksOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &tasksOutput{}
	out.Body.Tasks, out.Body.Next = each(page.Items, viewTask), page.Next
	out.Body.People, err = c.peopleOf(ctx, each(page.Items, func(t *reconcile.Task) string { return t.By })...)
	return out, err
}

func (c *Console) declareTasks() {
	edge.Register(c.edge, edge.Operation{
		ID: "tasks", Method: "GET", Path: "/console/api/reconcile/tasks", Tag: tagReconcile, Summary: "对账差异，从新到旧",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *tasksInput) (*tasksOutput, error) {
		page, err := c.reconcile.Tasks(ctx, in.State, paging(in.Paged))
		return c.showTasks(ctx, page, err)
	})
	edge.Register(c.edge, edge.Operation{
		ID: "task", Method: "GET", Path: "/console/api/reconcile/tasks/{task}", Tag: tagReconcile, Summary: "一条差异",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *TaskPath) (*taskOutput, error) {
		t, err := c.reconcile.Task(ctx, in.Task)
		return c.showTask(ctx, t, err)
	})
	write(c, edge.Operation{
		ID: "resolve-task", Method: "POST", Path: "/console/api/reconcile/tasks/{task}/resolve", Tag: tagReconcile, Summary: "说明差异并了结",
		Permission: string(staff.TaskResolve),
	}, func(ctx context.Context, in *resolveInput, d *deed) (*taskOutput, error) {
		d.After = in.Body.Words
		t, err := c.reconcile.Resolve(ctx, reconcile.Resolution{
			Task: in.Task, By: edge.Caller(ctx), Words: in.Body.Words, Link: in.Body.Link,
		})
		return c.showTask(ctx, t, err)
	})
	c.declareRuns()
}

func (c *Console) declareRuns() {
	edge.Register(c.edge, edge.Operation{
		ID: "runs", Method: "GET", Path: "/console/api/reconcile/runs", Tag: tagReconcile, Summary: "每日对账的结果",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *runsInput) (*runsOutput, error) {
		page, err := c.reconcile.Runs(ctx, in.Statement, paging(in.Paged))
		if err != nil {
			return nil, err
		}
		out := &runsOutput{}
		out.Body.Runs, out.Body.Next = each(page.Items, viewRun), page.Next
		return out, nil
	})
	edge.Register(c.edge, edge.Operation{
		ID: "run", Method: "GET", Path: "/console/api/reconcile/runs/{statement}/{day}", Tag: tagReconcile, Summary: "一天的对账结果",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *RunPath) (*runOutput, error) {
		r, err := c.reconcile.Get(ctx, in.Statement, in.Day)
		if err != nil {
			return nil, err
		}
		return &runOutput{viewRun(r)}, nil
	})
	edge.Register(c.edge, edge.Operation{
		ID: "run-tasks", Method: "GET", Path: "/console/api/reconcile/runs/{statement}/{day}/tasks", Tag: tagReconcile, Summary: "一天的差异",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *struct {
		RunPath
		edge.Paged
	},
	) (*tasksOutput, error) {
		page, err := c.reconcile.TasksOf(ctx, in.Statement, in.Day, paging(in.Paged))
		return c.showTasks(ctx, page, err)
	})
	write(c, edge.Operation{
		ID: "run-again", Method: "POST", Path: "/console/api/reconcile/runs/{statement}/{day}/again", Tag: tagReconcile, Summary: "重新核对这一天",
		Permission: string(staff.ReconcileRun),
	}, func(ctx context.Context, in *runWrite, d *deed) (*runOutput, error) {
		r, err := c.reconcile.Again(ctx, in.Statement, in.Day)
		if err != nil {
			return nil, err
		}
		d.After = string(r.State)
		return &runOutput{viewRun(r)}, nil
	})
}
