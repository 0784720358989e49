package miniprogramapi

import (
	"context"
	"strings"
	"time"

	"guanxi/member"
)

type loginInput struct {
	Keyed
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

type emptyInput struct{ Keyed }

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
	Keyed
	Body struct {
		Nickname string `json:"nickname,omitempty" maxLength:"80" doc:"不填则不改"`
		Avatar   string `json:"avatar,omitempty" maxLength:"500" doc:"https 地址；不填则不改"`
	}
}

type phoneInput struct {
	Keyed
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
	Keyed
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
	register(a, operation{
		id: "login", method: "POST", path: "/v1/login", tag: "我", summary: "用微信 code 登录", access: forAnyone, weight: 4,
	}, func(ctx context.Context, in *loginInput) (*loginOutput, error) {
		l, err := a.members.Login(ctx, member.LoginInput{Code: in.Body.Code})
		if err != nil {
			return nil, err
		}
		out := &loginOutput{}
		out.Body.Token, out.Body.Member, out.Body.ExpiresAt, out.Body.Fresh = l.Token, l.MemberID, l.ExpiresAt, l.Fresh
		return out, nil
	})
	register(a, operation{
		id: "logout", method: "POST", path: "/v1/logout", tag: "我", summary: "退出登录", status: 204,
	}, func(ctx context.Context, in *logoutInput) (*emptyOutput, error) {
		return nil, a.members.Logout(ctx, strings.TrimPrefix(in.Authorization, "Bearer "))
	})
	register(a, operation{
		id: "logout-everywhere", method: "POST", path: "/v1/logout-everywhere", tag: "我", summary: "在所有设备上退出", status: 204,
	}, func(ctx context.Context, _ *emptyInput) (*emptyOutput, error) {
		return nil, a.members.LogoutEverywhere(ctx, memberOf(ctx))
	})
	register(a, operation{
		id: "me", method: "GET", path: "/v1/me", tag: "我", summary: "我的资料",
	}, func(ctx context.Context, _ *readInput) (*profileOutput, error) {
		return renderProfile(a.members.Profile(ctx, memberOf(ctx)))
	})
	register(a, operation{
		id: "edit-me", method: "PATCH", path: "/v1/me", tag: "我", summary: "修改昵称与头像",
		recorded: true,
	}, func(ctx context.Context, in *profileInput) (*profileOutput, error) {
		edit := member.ProfileEdit{Nickname: in.Body.Nickname, Avatar: in.Body.Avatar}
		return renderProfile(a.members.EditProfile(ctx, memberOf(ctx), edit))
	})
	register(a, operation{
		id: "bind-phone", method: "POST", path: "/v1/me/phone", tag: "我", summary: "绑定手机号", recorded: true, weight: 4,
	}, func(ctx context.Context, in *phoneInput) (*phoneOutput, error) {
		masked, err := a.members.BindPhone(ctx, memberOf(ctx), in.Body.Code)
		out := &phoneOutput{}
		out.Body.MaskedPhone = masked
		return out, err
	})
	a.declareConsents()
}

type logoutInput struct {
	Keyed
	Authorization string `header:"Authorization" hidden:"true"`
}

func (a *API) declareConsents() {
	register(a, operation{
		id: "consents", method: "GET", path: "/v1/me/consents", tag: "我", summary: "我的授权记录",
	}, func(ctx context.Context, _ *readInput) (*consentsOutput, error) {
		return a.renderConsents(ctx)
	})
	register(a, operation{
		id: "consent", method: "POST", path: "/v1/me/consents", tag: "我", summary: "同意或撤回授权", recorded: true,
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
