package console

import (
	"context"
	"errors"
	"time"

	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// OperatorPath names an operator.
type OperatorPath struct {
	Operator string `path:"operator" minLength:"1" maxLength:"64"`
}

func (p OperatorPath) Subject() string { return staff.SubjectOf(p.Operator) }

// OperatorView is an operator as the console shows one.
type OperatorView struct {
	ID         string       `json:"id"`
	Login      string       `json:"login"`
	Name       string       `json:"name"`
	Roles      []staff.Role `json:"roles"`
	State      staff.State  `json:"state" enum:"active,disabled"`
	MustChange bool         `json:"must_change" doc:"还没有设置自己的密码"`
	Member     string       `json:"member,omitempty" doc:"本人的会员编号：不能审批与之有关的钱"`
	LastLogin  time.Time    `json:"last_login,omitzero"`
	AddedBy    string       `json:"added_by" doc:"员工编号，system 表示在服务器上添加"`
	AddedAt    time.Time    `json:"added_at"`
}

type operatorOutput struct{ Body OperatorView }

type operatorsOutput struct {
	Body struct {
		Operators []OperatorView `json:"operators"`
		Next      string         `json:"next,omitempty"`
	}
}

type addOperatorInput struct {
	edge.Keyed
	Body struct {
		Login string       `json:"login" minLength:"2" maxLength:"32" pattern:"^[a-z][a-z0-9.-]+$" doc:"登录名，永不重复分配"`
		Name  string       `json:"name" minLength:"1" maxLength:"40"`
		Roles []staff.Role `json:"roles" minItems:"1" maxItems:"6" uniqueItems:"true" enum:"finance-maker,finance-checker,tax,auditor,operations,admin"`
	}
}

type rolesInput struct {
	edge.Keyed
	OperatorPath
	Body struct {
		Roles []staff.Role `json:"roles" minItems:"1" maxItems:"6" uniqueItems:"true" enum:"finance-maker,finance-checker,tax,auditor,operations,admin"`
	}
}

type operatorWrite struct {
	edge.Keyed
	OperatorPath
}

type linkInput struct {
	edge.Keyed
	OperatorPath
	Body struct {
		Member string `json:"member" maxLength:"100" doc:"会员编号；空为解除关联"`
	}
}

type setRolesOutput struct {
	Status int
	Body   struct {
		Operator *OperatorView   `json:"operator,omitempty" doc:"只减少岗位时立即生效（200）"`
		Draft    *room.DraftView `json:"draft,omitempty" doc:"增加岗位时待另一位管理员确认（202）"`
	}
}

type rolesOutput struct {
	Body struct {
		Roles []roleView `json:"roles"`
	}
}

type roleView struct {
	Role        staff.Role         `json:"role"`
	Permissions []staff.Permission `json:"permissions"`
}

const tagOperators = "员工账号"

func viewOperator(o *staff.Operator) OperatorView {
	return OperatorView{
		ID: o.ID, Login: o.Login, Name: o.Name, Roles: o.Roles, State: o.State, MustChange: o.MustChange,
		Member: o.Member, LastLogin: o.LastLogin, AddedBy: o.AddedBy, AddedAt: o.AddedAt,
	}
}

func (c *Console) declareOperators() {
	edge.Register(c.edge, edge.Operation{
		ID: "roles", Method: "GET", Path: "/console/api/roles", Tag: tagOperators, Summary: "有哪些岗位，各能做什么",
		Permission: string(staff.OperatorRead),
	}, func(context.Context, *readInput) (*rolesOutput, error) {
		out := &rolesOutput{}
		for _, r := range staff.Roles() {
			out.Body.Roles = append(out.Body.Roles, roleView{r, r.Permissions()})
		}
		return out, nil
	})
	edge.Register(c.edge, edge.Operation{
		ID: "operators", Method: "GET", Path: "/console/api/operators", Tag: tagOperators, Summary: "员工列表",
		Permission: string(staff.OperatorRead),
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*operatorsOutput, error) {
		page, err := c.staff.Operators(ctx, docstore.Paging{First: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &operatorsOutput{}
		out.Body.Operators, out.Body.Next = make([]OperatorView, len(page.Items)), page.Next
		for i, o := range page.Items {
			out.Body.Operators[i] = viewOperator(o)
		}
		return out, nil
	})
	c.declareOperatorStates()
	c.declareOperatorSessions()
}

// declareOperatorStates are the changes of accounts. What hands out power or an entry is a proposal that another
// administrator confirms; what takes them away is done at once.
func (c *Console) declareOperatorStates() {
	accounts := c.accounts()
	propose := func(ctx context.Context, key, title string, a AccountChange, d *deed) (*room.DraftOutput[AccountChange], error) {
		draft, err := accounts.Offer(ctx, a.What+"/"+key, title, a, d.Deed)
		return accounts.Show(ctx, draft, err)
	}
	write(c, edge.Operation{
		ID: "add-operator", Method: "POST", Path: "/console/api/operators", Tag: tagOperators, Summary: "提议添加员工，待另一位管理员确认",
		Permission: string(staff.OperatorManage), Status: 202,
	}, func(ctx context.Context, in *addOperatorInput, d *deed) (*room.DraftOutput[AccountChange], error) {
		b := &in.Body
		title := "添加员工 " + b.Login + "（" + b.Name + "）：" + roleNames(b.Roles)
		if _, err := c.staff.Operator(ctx, staff.IDOf(b.Login)); err == nil {
			return nil, staff.ErrLoginTaken
		}
		a := AccountChange{What: "add", Operator: staff.IDOf(b.Login), Login: b.Login, Name: b.Name, Roles: sortedRoles(b.Roles)}
		return propose(ctx, in.Key, title, a, d)
	})
	for _, one := range []struct{ id, path, what, summary, title string }{
		{"reset-password", "reset-password", "reset", "提议重发登录码，待另一位管理员确认：原密码与登录失效", "重发登录码 "},
		{"enable-operator", "enable", "enable", "提议重新启用账号，待另一位管理员确认", "重新启用 "},
	} {
		write(c, edge.Operation{
			ID: one.id, Method: "POST", Path: "/console/api/operators/{operator}/" + one.path, Tag: tagOperators, Summary: one.summary,
			Permission: string(staff.OperatorManage), Status: 202,
		}, func(ctx context.Context, in *operatorWrite, d *deed) (*room.DraftOutput[AccountChange], error) {
			o, err := c.staff.Operator(ctx, in.Operator)
			if err != nil {
				return nil, err
			}
			if one.what == "reset" && o.State != staff.Active {
				return nil, staff.ErrMove
			}
			return propose(ctx, in.Key, one.title+o.Login, AccountChange{What: one.what, Operator: o.ID}, d)
		})
	}
	write(c, edge.Operation{
		ID: "link-member", Method: "PUT", Path: "/console/api/operators/{operator}/member", Tag: tagOperators,
		Summary: "提议关联员工本人的会员账号，待另一位管理员确认", Permission: string(staff.OperatorManage), Status: 202,
	}, func(ctx context.Context, in *linkInput, d *deed) (*room.DraftOutput[AccountChange], error) {
		o, err := c.staff.Operator(ctx, in.Operator)
		if err != nil {
			return nil, err
		}
		title := "关联 " + o.Login + " 的会员账号 " + in.Body.Member
		return propose(ctx, in.Key, title, AccountChange{What: "link", Operator: o.ID, Member: in.Body.Member}, d)
	})
	c.declareRoles(accounts)
	accounts.Declare()
}

func (c *Console) declareRoles(accounts *room.TwoPeople[AccountChange]) {
	write(c, edge.Operation{
		ID: "disable-operator", Method: "POST", Path: "/console/api/operators/{operator}/disable", Tag: tagOperators,
		Summary: "停用账号，并结束其所有登录", Permission: string(staff.OperatorManage),
	}, func(ctx context.Context, in *operatorWrite, d *deed) (*operatorOutput, error) {
		o, err := c.staff.Disable(ctx, edge.Caller(ctx), in.Operator)
		if err != nil {
			return nil, err
		}
		d.After = string(o.State)
		return &operatorOutput{viewOperator(o)}, nil
	})
	write(c, edge.Operation{
		ID: "set-roles", Method: "PUT", Path: "/console/api/operators/{operator}/roles", Tag: tagOperators,
		Summary: "调整岗位：减少立即生效，增加待另一位管理员确认", Permission: string(staff.OperatorManage),
	}, func(ctx context.Context, in *rolesInput, d *deed) (*setRolesOutput, error) {
		out := &setRolesOutput{Status: 200}
		before, o, err := c.staff.SetRoles(ctx, edge.Caller(ctx), in.Operator, in.Body.Roles)
		if err == nil {
			d.Change = staff.Words(before, o.Roles)
			shown := viewOperator(o)
			out.Body.Operator = &shown
			return out, nil
		}
		if !errors.Is(err, staff.ErrTwoPeople) {
			return nil, err
		}
		if o, err = c.staff.Operator(ctx, in.Operator); err != nil {
			return nil, err
		}
		change := AccountChange{What: "roles", Operator: o.ID, Was: o.Roles, Roles: sortedRoles(in.Body.Roles)}
		draft, err := accounts.Offer(ctx, "roles/"+in.Key, "调整 "+o.Login+" 的岗位："+roleNames(o.Roles)+" → "+roleNames(change.Roles), change, d.Deed)
		if err != nil {
			return nil, err
		}
		shown := room.ViewDraft(draft)
		out.Status, out.Body.Draft = 202, &shown
		return out, nil
	})
}

func (c *Console) declareOperatorSessions() {
	edge.Register(c.edge, edge.Operation{
		ID: "operator-sessions", Method: "GET", Path: "/console/api/operators/{operator}/sessions", Tag: tagOperators,
		Summary: "员工在哪些地方登录着", Permission: string(staff.OperatorRead),
	}, func(ctx context.Context, in *OperatorPath) (*sessionsOutput, error) {
		return c.sessionsOf(ctx, in.Operator)
	})
	write(c, edge.Operation{
		ID: "end-operator-session", Method: "DELETE", Path: "/console/api/operators/{operator}/sessions/{session}", Tag: tagOperators,
		Summary: "结束员工的一次登录", Permission: string(staff.OperatorManage), Status: 204,
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		OperatorPath
		SessionPath
	}, d *deed,
	) (*emptyOutput, error) {
		d.Before = "session " + in.Session
		return nil, c.staff.Revoke(ctx, in.Operator, in.Session)
	})
}
