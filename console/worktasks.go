package console

import (
	"context"
	"time"

	"guanxi/internal/edge"
	"guanxi/staff"
	"guanxi/staff/task"
)

// WorkPath names a task of the work list.
type WorkPath struct {
	Task string `path:"task" minLength:"1" maxLength:"64"`
}

func (p WorkPath) subject() string { return "work/" + p.Task }

// WorkView is one thing people must look at.
type WorkView struct {
	ID       string         `json:"id"`
	Kind     string         `json:"kind"`
	Title    string         `json:"title" doc:"这类待办的说明"`
	Subject  string         `json:"subject" doc:"所涉对象，如 order/编号、withdrawal/编号、bill/账单/日期"`
	Detail   string         `json:"detail,omitempty"`
	Role     staff.Role     `json:"role" doc:"负责岗位"`
	Owner    string         `json:"owner,omitempty" doc:"已领取的员工"`
	State    task.State     `json:"state" enum:"open,resolved,healed" doc:"open 待处理；resolved 已由人了结；healed 原因已消失，自动关闭"`
	OpenedAt time.Time      `json:"opened_at"`
	DueAt    time.Time      `json:"due_at"`
	Overdue  bool           `json:"overdue"`
	CauseAt  time.Time      `json:"cause_at" doc:"最近一次发生"`
	Reopened int            `json:"reopened,omitempty"`
	Evidence []evidenceView `json:"evidence" doc:"依据"`
	Turns    []turnView     `json:"turns" doc:"经过，从旧到新"`
	ClosedAt time.Time      `json:"closed_at,omitzero"`
	By       string         `json:"by,omitempty"`
	Words    string         `json:"words,omitempty"`
	Link     string         `json:"link,omitempty"`
}

type evidenceView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type turnView struct {
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty" doc:"空为系统"`
	What  string    `json:"what" enum:"take,hand-over,resolve,reopen,heal,return"`
	To    string    `json:"to,omitempty"`
	Words string    `json:"words,omitempty"`
}

type workOutput struct {
	Body struct {
		People
		WorkView
	}
}

type workListInput struct {
	edge.Paged
	State task.State `query:"state" enum:"open,resolved,healed" default:"open"`
	Kind  string     `query:"kind" maxLength:"64" doc:"kind、owner、role 至多给一个"`
	Owner string     `query:"owner" maxLength:"64" doc:"员工编号；me 为本人"`
	Role  staff.Role `query:"role" maxLength:"32"`
}

type workListOutput struct {
	Body struct {
		People
		Tasks []WorkView `json:"tasks" doc:"从新到旧"`
		Next  string     `json:"next,omitempty"`
	}
}

// workKind is one line of the table of kinds, with what is open of it.
type workKind struct {
	Kind    string     `json:"kind"`
	Title   string     `json:"title"`
	Role    staff.Role `json:"role"`
	Hours   float64    `json:"hours" doc:"几小时内应处理"`
	Open    int        `json:"open"`
	Overdue int        `json:"overdue"`
}

type workKindsOutput struct {
	Body struct {
		Kinds     []workKind `json:"kinds"`
		Untaken   int        `json:"untaken" doc:"尚无人领取"`
		CountedAt time.Time  `json:"counted_at,omitzero" doc:"上次清点的时间"`
	}
}

type takeInput struct {
	edge.Keyed
	WorkPath
}

type wordInput struct {
	edge.Keyed
	WorkPath
	Body struct {
		Words string `json:"words" minLength:"1" maxLength:"500"`
		Link  string `json:"link,omitempty" maxLength:"300" doc:"所依据的凭证或工单"`
	}
}

type handOverInput struct {
	edge.Keyed
	WorkPath
	Body struct {
		To    string `json:"to" minLength:"1" maxLength:"64" doc:"接手的员工"`
		Words string `json:"words" minLength:"1" maxLength:"500"`
	}
}

const tagWork = "待办"

func (c *Console) viewWork(t *task.Task) WorkView {
	rule, _ := task.KindOf(t.Kind)
	return WorkView{
		ID: t.ID, Kind: t.Kind, Title: rule.ZH, Subject: t.Subject, Detail: t.Detail, Role: t.Role, Owner: t.Owner, State: t.State,
		OpenedAt: t.OpenedAt, DueAt: t.DueAt, Overdue: t.State == task.Open && c.clock.Now().After(t.DueAt), CauseAt: t.CauseAt,
		Reopened: t.Reopened, ClosedAt: t.ClosedAt, By: t.By, Words: t.Words, Link: t.Link,
		Evidence: each(t.Evidence, func(e task.Evidence) evidenceView { return evidenceView(e) }),
		Turns:    each(t.Turns, func(u task.Turn) turnView { return turnView{u.At, u.By, u.What, u.To, u.Words} }),
	}
}

func (c *Console) showWork(ctx context.Context, t *task.Task, err error) (*workOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &workOutput{}
	out.Body.WorkView = c.viewWork(t)
	people := []string{t.By, t.Owner}
	for _, u := range t.Turns {
		people = append(people, u.By, u.To)
	}
	out.Body.People, err = c.peopleOf(ctx, people...)
	return out, err
}

// declareWork is the one list of what people must look at.
func (c *Console) declareWork() {
	edge.Register(c.edge, edge.Operation{
		ID: "work", Method: "GET", Path: "/console/api/tasks", Tag: tagWork, Summary: "待办，从新到旧",
		Permission: string(staff.TaskRead),
	}, c.listWork)
	edge.Register(c.edge, edge.Operation{
		ID: "work-kinds", Method: "GET", Path: "/console/api/task-kinds", Tag: tagWork, Summary: "待办的种类、负责岗位与数量",
		Permission: string(staff.TaskRead),
	}, c.workKinds)
	edge.Register(c.edge, edge.Operation{
		ID: "work-task", Method: "GET", Path: "/console/api/tasks/{task}", Tag: tagWork, Summary: "一条待办及其依据",
		Permission: string(staff.TaskRead),
	}, func(ctx context.Context, in *WorkPath) (*workOutput, error) {
		t, err := c.tasks.Get(ctx, in.Task)
		return c.showWork(ctx, t, err)
	})
	write(c, edge.Operation{
		ID: "take-work", Method: "POST", Path: "/console/api/tasks/{task}/take", Tag: tagWork, Summary: "领取待办",
		Permission: string(staff.TaskResolve),
	}, func(ctx context.Context, in *takeInput, _ *deed) (*workOutput, error) {
		t, err := c.tasks.Take(ctx, in.Task, edge.Caller(ctx))
		return c.showWork(ctx, t, err)
	})
	write(c, edge.Operation{
		ID: "hand-over-work", Method: "POST", Path: "/console/api/tasks/{task}/hand-over", Tag: tagWork, Summary: "转交待办",
		Permission: string(staff.TaskResolve),
	}, c.handOverWork)
	write(c, edge.Operation{
		ID: "resolve-work", Method: "POST", Path: "/console/api/tasks/{task}/resolve", Tag: tagWork, Summary: "了结待办",
		Permission: string(staff.TaskResolve),
	}, func(ctx context.Context, in *wordInput, d *deed) (*workOutput, error) {
		d.After = in.Body.Words
		t, err := c.tasks.Resolve(ctx, task.Word{Task: in.Task, By: edge.Caller(ctx), Words: in.Body.Words, Link: in.Body.Link})
		return c.showWork(ctx, t, err)
	})
	write(c, edge.Operation{
		ID: "reopen-work", Method: "POST", Path: "/console/api/tasks/{task}/reopen", Tag: tagWork, Summary: "重新打开待办",
		Permission: string(staff.TaskResolve),
	}, func(ctx context.Context, in *wordInput, d *deed) (*workOutput, error) {
		d.After = in.Body.Words
		t, err := c.tasks.Reopen(ctx, task.Word{Task: in.Task, By: edge.Caller(ctx), Words: in.Body.Words})
		return c.showWork(ctx, t, err)
	})
}

func (c *Console) listWork(ctx context.Context, in *workListInput) (*workListOutput, error) {
	if in.Owner == "me" {
		in.Owner = edge.Caller(ctx)
	}
	page, err := c.tasks.List(ctx, task.Filter{State: in.State, Kind: in.Kind, Owner: in.Owner, Role: in.Role}, paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &workListOutput{}
	out.Body.Tasks, out.Body.Next = each(page.Items, c.viewWork), page.Next
	var people []string
	for _, t := range page.Items {
		people = append(people, t.Owner, t.By)
	}
	out.Body.People, err = c.peopleOf(ctx, people...)
	return out, err
}

func (c *Console) workKinds(ctx context.Context, _ *readInput) (*workKindsOutput, error) {
	seen, err := c.tasks.Counted(ctx)
	if err != nil {
		return nil, err
	}
	out := &workKindsOutput{}
	out.Body.Untaken, out.Body.CountedAt = seen.Untaken, seen.At
	for _, r := range task.Kinds() {
		out.Body.Kinds = append(out.Body.Kinds, workKind{r.Kind, r.ZH, r.Role, r.Within.Hours(), seen.Open[r.Kind], seen.Overdue[r.Kind]})
	}
	return out, nil
}

// handOverWork gives a task to a colleague who may work on it.
func (c *Console) handOverWork(ctx context.Context, in *handOverInput, d *deed) (*workOutput, error) {
	o, err := c.staff.Operator(ctx, in.Body.To)
	if err != nil {
		return nil, err
	}
	if o.State != staff.Active || !staff.Allowed(o.Roles, staff.TaskResolve) {
		return nil, ErrNoHand
	}
	d.After = in.Body.To
	t, err := c.tasks.HandOver(ctx, task.Word{Task: in.Task, By: edge.Caller(ctx), To: o.ID, Words: in.Body.Words})
	return c.showWork(ctx, t, err)
}
