package miniprogramapi

import (
	"context"
	"strings"
	"time"

	"guanxi/internal/edge"
	"guanxi/member"
)

type loginInput struct {
	edge.Keyed
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"512" doc:"wx.login 得到的 code，只能用一次"`
	}
}

type loginOutput struct {
	Body struct {
		Token     string    `json:"token" doc:"放在 Authorization: Bearer 里"`
		Member    string    `json:"member"`
		ExpiresAt time.Time `json:"expires_at"`
		Fresh     bool      `json:"fresh" doc:"第一次登录"`
	}
}

type emptyInput struct{ edge.Keyed }

type emptyOutput struct{}

type readInput struct{}

type profile struct {
	Member      string    `json:"member"`
	Nickname    string    `json:"nickname"`
	Avatar      string    `json:"avatar,omitempty"`
	MaskedPhone string    `json:"masked_phone,omitempty" doc:"138****0013"`
	JoinedAt    time.Time `json:"joined_at"`
}

type profileOutput struct{ Body profile }

type profileInput struct {
	edge.Keyed
	Body struct {
		Nickname string `json:"nickname,omitempty" minLength:"1" maxLength:"80" doc:"不填则不改"`
		Avatar   string `json:"avatar,omitempty" maxLength:"500" doc:"https 地址；不填则不改"`
	}
}

type phoneInput struct {
	edge.Keyed
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"512" doc:"手机号按钮得到的 code，与登录 code 不同"`
	}
}

type phoneOutput struct {
	Body struct {
		MaskedPhone string `json:"masked_phone"`
	}
}

type consentInput struct {
	edge.Keyed
	Body struct {
		Kind    member.Kind `json:"kind" enum:"privacy-policy,personalisation,marketing"`
		Version string      `json:"version" minLength:"1" maxLength:"40" doc:"所同意文本的版本"`
		Granted bool        `json:"granted"`
	}
}

type consent struct {
	Kind    member.Kind `json:"kind"`
	Version string      `json:"version"`
	Granted bool        `json:"granted"`
	At      time.Time   `json:"at"`
}

type consentsOutput struct {
	Body struct {
		Consents []consent `json:"consents" doc:"每一次同意或撤回，按时间先后"`
	}
}

func (a *API) declareMembers() {
	edge.Register(a.edge, edge.Operation{
		ID: "login", Method: "POST", Path: "/v1/login", Tag: "我", Summary: "用微信 code 登录", Open: true, Weight: 4, Recorded: true,
	}, func(ctx context.Context, in *loginInput) (*loginOutput, error) {
		l, err := a.members.Login(ctx, member.LoginInput{Code: in.Body.Code})
		if err != nil {
			return nil, err
		}
		out := &loginOutput{}
		out.Body.Token, out.Body.Member, out.Body.ExpiresAt, out.Body.Fresh = l.Token, l.MemberID, l.ExpiresAt, l.Fresh
		return out, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "logout", Method: "POST", Path: "/v1/logout", Tag: "我", Summary: "退出登录", Status: 204,
	}, func(ctx context.Context, in *logoutInput) (*emptyOutput, error) {
		return nil, a.members.Logout(ctx, strings.TrimPrefix(in.Authorization, "Bearer "))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "logout-everywhere", Method: "POST", Path: "/v1/logout-everywhere", Tag: "我", Summary: "在所有设备上退出", Status: 204,
	}, func(ctx context.Context, _ *emptyInput) (*emptyOutput, error) {
		return nil, a.members.LogoutEverywhere(ctx, memberOf(ctx))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "me", Method: "GET", Path: "/v1/me", Tag: "我", Summary: "我的资料",
	}, func(ctx context.Context, _ *readInput) (*profileOutput, error) {
		return renderProfile(a.members.Profile(ctx, memberOf(ctx)))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "edit-me", Method: "PATCH", Path: "/v1/me", Tag: "我", Summary: "修改昵称与头像",
		Recorded: true,
	}, func(ctx context.Context, in *profileInput) (*profileOutput, error) {
		edit := member.ProfileEdit{Nickname: in.Body.Nickname, Avatar: in.Body.Avatar}
		return renderProfile(a.members.EditProfile(ctx, memberOf(ctx), edit))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "unbind-phone", Method: "DELETE", Path: "/v1/me/phone", Tag: "我", Summary: "解绑手机号", Recorded: true, Status: 204,
	}, func(ctx context.Context, _ *struct{ edge.Keyed }) (*emptyOutput, error) {
		return nil, a.members.UnbindPhone(ctx, memberOf(ctx))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "bind-phone", Method: "POST", Path: "/v1/me/phone", Tag: "我", Summary: "绑定手机号", Recorded: true, Weight: 4,
	}, func(ctx context.Context, in *phoneInput) (*phoneOutput, error) {
		masked, err := a.members.BindPhone(ctx, memberOf(ctx), in.Body.Code)
		out := &phoneOutput{}
		out.Body.MaskedPhone = masked
		return out, err
	})
	a.declareConsents()
}

type logoutInput struct {
	edge.Keyed
	Authorization string `header:"Authorization" hidden:"true"`
}

func (a *API) declareConsents() {
	edge.Register(a.edge, edge.Operation{
		ID: "consents", Method: "GET", Path: "/v1/me/consents", Tag: "我", Summary: "我的授权记录",
	}, func(ctx context.Context, _ *readInput) (*consentsOutput, error) {
		return a.renderConsents(ctx)
	})
	edge.Register(a.edge, edge.Operation{
		ID: "consent", Method: "POST", Path: "/v1/me/consents", Tag: "我", Summary: "同意或撤回授权", Recorded: true,
	}, func(ctx context.Context, in *consentInput) (*consentsOutput, error) {
		_, err := a.members.Consent(ctx, member.ConsentInput{
			Member: memberOf(ctx), Kind: in.Body.Kind, Version: in.Body.Version, Granted: in.Body.Granted,
		})
		if err != nil {
			return nil, err
		}
		return a.renderConsents(ctx)
	})
}

func renderProfile(p member.Profile, err error) (*profileOutput, error) {
	if err != nil {
		return nil, err
	}
	return &profileOutput{profile{
		Member: p.ID, Nickname: p.Nickname, Avatar: p.Avatar, MaskedPhone: p.MaskedPhone, JoinedAt: p.JoinedAt,
	}}, nil
}

func (a *API) renderConsents(ctx context.Context) (*consentsOutput, error) {
	all, err := a.members.Consents(ctx, memberOf(ctx))
	if err != nil {
		return nil, err
	}
	out := &consentsOutput{}
	out.Body.Consents = []consent{}
	for _, c := range all {
		for _, step := range c.History {
			out.Body.Consents = append(out.Body.Consents, consent{c.Kind, step.Version, step.Granted, step.At})
		}
	}
	return out, nil
}
