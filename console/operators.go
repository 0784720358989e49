package console

import (
	"context"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// OperatorPath names an operator.
type OperatorPath struct {
	Operator string `path:"operator" minLength:"1" maxLength:"64"`
}

func (p OperatorPath) subject() string { return staff.SubjectOf(p.Operator) }

// OperatorView is an operator as the console shows one.
type OperatorView struct {
	ID          string       `json:"id"`
	Login       string       `json:"login"`
	Name        string       `json:"name"`
	Roles       []staff.Role `json:"roles"`
	State       staff.State  `json:"state" enum:"active,disabled"`
	MustChange  bool         `json:"must_change" doc:"还在用初始密码"`
	LockedUntil time.Time    `json:"locked_until,omitzero" doc:"因多次输错密码锁定到何时"`
	LastLogin   time.Time    `json:"last_login,omitzero"`
	AddedBy     string       `json:"added_by" doc:"员工编号，system 表示在服务器上添加"`
	AddedAt     time.Time    `json:"added_at"`
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

type addedOutput struct {
	Body struct {
		OperatorView
		Password string    `json:"password" doc:"初始密码，只显示这一次；重试会得到新的"`
		Until    time.Time `json:"password_until" doc:"初始密码到何时有效"`
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
		LockedUntil: o.LockedUntil, LastLogin: o.LastLogin, AddedBy: o.AddedBy, AddedAt: o.AddedAt,
	}
}

func viewAdded(a staff.Added, err error) (*addedOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &addedOutput{}
	out.Body.OperatorView, out.Body.Password, out.Body.Until = viewOperator(a.Operator), a.Password, a.Operator.PasswordUntil
	return out, nil
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
	// Repeating either of these makes another password.
	writeSecret(c, edge.Operation{
		ID: "add-operator", Method: "POST", Path: "/console/api/operators", Tag: tagOperators, Summary: "添加员工",
		Permission: string(staff.OperatorManage), Status: 201,
	}, func(ctx context.Context, in *addOperatorInput, d *deed) (*addedOutput, error) {
		d.Subject = staff.SubjectOf(staff.IDOf(in.Body.Login))
		d.After = staff.Words(nil, in.Body.Roles).After
		return viewAdded(c.staff.AddOperator(ctx, staff.AddInput{
			By: edge.Caller(ctx), Key: in.Key, Request: edge.RequestID(ctx), Login: in.Body.Login, Name: in.Body.Name, Roles: in.Body.Roles,
		}))
	})
	writeSecret(c, edge.Operation{
		ID: "reset-password", Method: "POST", Path: "/console/api/operators/{operator}/reset-password", Tag: tagOperators,
		Summary: "重置密码并解锁", Permission: string(staff.OperatorManage),
	}, func(ctx context.Context, in *operatorWrite, _ *deed) (*addedOutput, error) {
		return viewAdded(c.staff.ResetPassword(ctx, edge.Caller(ctx), in.Operator))
	})
	c.declareOperatorStates()
	c.declareOperatorSessions()
}

func (c *Console) declareOperatorStates() {
	write(c, edge.Operation{
		ID: "set-roles", Method: "PUT", Path: "/console/api/operators/{operator}/roles", Tag: tagOperators, Summary: "调整岗位",
		Permission: string(staff.OperatorManage),
	}, func(ctx context.Context, in *rolesInput, d *deed) (*operatorOutput, error) {
		before, o, err := c.staff.SetRoles(ctx, edge.Caller(ctx), in.Operator, in.Body.Roles)
		if err != nil {
			return nil, err
		}
		d.Change = staff.Words(before, o.Roles)
		return &operatorOutput{viewOperator(o)}, nil
	})
	for _, one := range []struct {
		id, path, summary string
		act               func(ctx context.Context, by, operator string) (*staff.Operator, error)
	}{
		{"disable-operator", "disable", "停用账号，并结束其所有登录", c.staff.Disable},
		{"enable-operator", "enable", "重新启用账号", c.staff.Enable},
	} {
		write(c, edge.Operation{
			ID: one.id, Method: "POST", Path: "/console/api/operators/{operator}/" + one.path, Tag: tagOperators, Summary: one.summary,
			Permission: string(staff.OperatorManage),
		}, func(ctx context.Context, in *operatorWrite, d *deed) (*operatorOutput, error) {
			o, err := one.act(ctx, edge.Caller(ctx), in.Operator)
			if err != nil {
				return nil, err
			}
			d.After = string(o.State)
			return &operatorOutput{viewOperator(o)}, nil
		})
	}
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
