package console

import (
	"context"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/reconcile"
	"guanxi/staff/task"
)

// Payouts is the withdrawals as staff works with them; *withdrawal.Service satisfies it.
type Payouts interface {
	ByState(ctx context.Context, in withdrawal.State, p docstore.Paging) (docstore.Page[withdrawal.Withdrawal], error)
	WithIncidents(ctx context.Context, p docstore.Paging) (docstore.Page[withdrawal.Withdrawal], error)
	Mine(ctx context.Context, member string, p docstore.Paging) (docstore.Page[withdrawal.Withdrawal], error)
	Get(ctx context.Context, number string) (*withdrawal.Withdrawal, error)
	Sharers(ctx context.Context, w *withdrawal.Withdrawal) (map[string][]string, error)
	Needs(w *withdrawal.Withdrawal) int
	Approve(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	Reject(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	Stop(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	Return(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	DeclareLost(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	CountState(ctx context.Context, in withdrawal.State, limit int) (int, error)
	Payee(ctx context.Context, member string) (*withdrawal.Payee, error)
	CheckOpening(in withdrawal.OpeningInput) error
	SetOpening(ctx context.Context, in withdrawal.OpeningInput) error
	SetKind(ctx context.Context, in withdrawal.KindInput) (p *withdrawal.Payee, was tax.Kind, err error)
	TaxStatement(ctx context.Context, member string, year, month int) (tax.Statement, error)
	Filing(ctx context.Context, year, month int, visit func(tax.FilingRow) error) error
}

// Reconciliation compares the platform's bills with ours; *reconcile.Service satisfies it.
type Reconciliation interface {
	Runs(ctx context.Context, s reconcile.Statement, p docstore.Paging) (docstore.Page[reconcile.Run], error)
	Get(ctx context.Context, s reconcile.Statement, day string) (*reconcile.Run, error)
	Again(ctx context.Context, s reconcile.Statement, day string) (*reconcile.Run, error)
	Lines(ctx context.Context, s reconcile.Statement, day string, each func(reconcile.Line) error) error
	Tasks(ctx context.Context, in reconcile.TaskState, p docstore.Paging) (docstore.Page[reconcile.Task], error)
	TasksOf(ctx context.Context, s reconcile.Statement, day string, p docstore.Paging) (docstore.Page[reconcile.Task], error)
	Task(ctx context.Context, task string) (*reconcile.Task, error)
	Resolve(ctx context.Context, in reconcile.Resolution) (*reconcile.Task, error)
}

// Tasks is the one list of what people must look at; *task.Service satisfies it.
type Tasks interface {
	List(ctx context.Context, f task.Filter, p docstore.Paging) (docstore.Page[task.Task], error)
	Get(ctx context.Context, id string) (*task.Task, error)
	Take(ctx context.Context, id, by string) (*task.Task, error)
	HandOver(ctx context.Context, w task.Word) (*task.Task, error)
	Resolve(ctx context.Context, w task.Word) (*task.Task, error)
	Reopen(ctx context.Context, w task.Word) (*task.Task, error)
	Counted(ctx context.Context) (*task.Overview, error)
}

// The console's own ways to say no.
var (
	ErrBusy = fault.Define("CON_BUSY", fault.Exhausted,
		"已有同类的长时间核对正在进行，请稍后再试。", "Another long calculation is running; try again later.")
	ErrNoPolicy = fault.Define("CON_POLICY_NOT_FOUND", fault.NotFound,
		"没有这一版佣金规则。", "There is no such version of the policy.")
	ErrNoPeriod = fault.Define("CON_PERIOD_NOT_FOUND", fault.NotFound,
		"这个月还没有结账。", "This month has not been closed.")
	ErrNotYours = room.ErrNotYours
	ErrOwnCase  = fault.Define("CON_OWN_CASE", fault.Denied,
		"不能处理与自己有关的事项，请由另一位同事操作。", "You cannot decide what concerns yourself; ask a colleague.")
	ErrNoHand = fault.Define("CON_NO_HAND", fault.Conflict,
		"对方的账号已停用，或没有处理待办的权限。", "That colleague's account is disabled, or may not work on tasks.")
)

// Faults lists the console's own catalogue entries.
func Faults() []*fault.Fault {
	return append(room.Faults(), ErrBusy, ErrNoPolicy, ErrNoPeriod, ErrOwnCase, ErrNoHand)
}
