package console

import (
	"context"
	"strings"
	"time"

	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/staff"
)

type loginInput struct {
	edge.Keyed
	Body struct {
		Login    string `json:"login" minLength:"1" maxLength:"64"`
		Password string `json:"password" minLength:"1" maxLength:"256" format:"password"`
	}
}

type loginOutput struct {
	Body struct {
		Token      string    `json:"token" doc:"放在 Authorization: Bearer 里"`
		Operator   string    `json:"operator"`
		ExpiresAt  time.Time `json:"expires_at"`
		MustChange bool      `json:"must_change" doc:"只能先修改密码"`
	}
}

type emptyOutput struct{}

type readInput struct{}

type meOutput struct {
	Body struct {
		Operator    string             `json:"operator"`
		Login       string             `json:"login"`
		Name        string             `json:"name"`
		Roles       []staff.Role       `json:"roles"`
		Permissions []staff.Permission `json:"permissions" doc:"岗位合起来的权限"`
		MustChange  bool               `json:"must_change"`
		ExpiresAt   time.Time          `json:"expires_at" doc:"本次登录到何时"`
	}
}

type passwordInput struct {
	edge.Keyed
	Body struct {
		Old string `json:"old" minLength:"1" maxLength:"256" format:"password"`
		New string `json:"new" minLength:"12" maxLength:"256" format:"password" doc:"12 至 128 个字符"`
	}
}

type logoutInput struct {
	edge.Keyed
	Authorization string `header:"Authorization" hidden:"true"`
}

// SessionPath names a session.
type SessionPath struct {
	Session string `path:"session" minLength:"1" maxLength:"64"`
}

type sessionView struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at" doc:"登录时间"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current,omitempty" doc:"就是这一次登录"`
}

type sessionsOutput struct {
	Body struct {
		Sessions []sessionView `json:"sessions"`
	}
}

const tagAccount = "我的账号"

func (c *Console) declareAccount() {
	edge.Register(c.edge, edge.Operation{
		ID: "login", Method: "POST", Path: "/console/api/login", Tag: tagAccount, Summary: "登录；登录码登录后只能设置自己的密码", Open: true, Weight: 4,
	}, c.login)
	writeSecret(c, edge.Operation{
		ID: "logout", Method: "POST", Path: "/console/api/logout", Tag: tagAccount, Summary: "退出登录", Permission: own, Status: 204,
	}, func(ctx context.Context, in *logoutInput, d *deed) (*emptyOutput, error) {
		d.say(staff.SubjectOf(who(ctx).Operator), "session "+who(ctx).Session, "")
		return nil, c.staff.Logout(ctx, strings.TrimPrefix(in.Authorization, "Bearer "))
	})
	edge.Register(c.edge, edge.Operation{
		ID: "me", Method: "GET", Path: "/console/api/me", Tag: tagAccount, Summary: "我是谁，能做什么", Permission: own,
	}, func(ctx context.Context, _ *readInput) (*meOutput, error) {
		p, out := who(ctx), &meOutput{}
		b := &out.Body
		b.Operator, b.Login, b.Name, b.Roles, b.MustChange, b.ExpiresAt = p.Operator, p.Login, p.Name, p.Roles, p.MustChange, p.ExpiresAt
		b.Permissions = staff.PermissionsOf(p.Roles)
		return out, nil
	})
	writeSecret(c, edge.Operation{
		ID: "change-password", Method: "POST", Path: "/console/api/me/password", Tag: tagAccount, Summary: "修改自己的密码",
		Permission: own, Status: 204, Weight: 4,
	}, func(ctx context.Context, in *passwordInput, d *deed) (*emptyOutput, error) {
		p := who(ctx)
		d.say(staff.SubjectOf(p.Operator), "", "")
		return nil, c.staff.ChangePassword(ctx, staff.PasswordChange{
			Operator: p.Operator, Session: p.Session, Old: in.Body.Old, New: in.Body.New, Address: edge.SourceOf(ctx).Address,
		})
	})
	edge.Register(c.edge, edge.Operation{
		ID: "my-sessions", Method: "GET", Path: "/console/api/me/sessions", Tag: tagAccount, Summary: "我在哪些地方登录着", Permission: own,
	}, func(ctx context.Context, _ *readInput) (*sessionsOutput, error) {
		return c.sessionsOf(ctx, who(ctx).Operator)
	})
	write(c, edge.Operation{
		ID: "end-my-session", Method: "DELETE", Path: "/console/api/me/sessions/{session}", Tag: tagAccount, Summary: "结束我的一次登录",
		Permission: own, Status: 204,
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		SessionPath
	}, d *deed,
	) (*emptyOutput, error) {
		d.say(staff.SubjectOf(who(ctx).Operator), "session "+in.Session, "")
		return nil, c.staff.Revoke(ctx, who(ctx).Operator, in.Session)
	})
}

func (c *Console) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	l, err := c.staff.Login(ctx, staff.LoginInput{
		Login: in.Body.Login, Password: in.Body.Password, Request: edge.RequestID(ctx), From: room.Source(ctx),
	})
	if err != nil {
		return nil, err
	}
	out := &loginOutput{}
	out.Body.Token, out.Body.Operator, out.Body.ExpiresAt, out.Body.MustChange = l.Token, l.Operator, l.ExpiresAt, l.MustChange
	return out, nil
}

func (c *Console) sessionsOf(ctx context.Context, operator string) (*sessionsOutput, error) {
	sessions, err := c.staff.Sessions(ctx, operator)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{}
	out.Body.Sessions = make([]sessionView, len(sessions))
	for i, s := range sessions {
		out.Body.Sessions[i] = sessionView{s.ID, s.At, s.ExpiresAt, s.ID == who(ctx).Session}
	}
	return out, nil
}
