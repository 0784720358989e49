package miniprogramapi

import (
	"context"
	"time"

	"guanxi/community/hosting"
	"guanxi/internal/edge"
)

type applyInput struct {
	edge.Keyed
	Body struct {
		Words string `json:"words" minLength:"1" maxLength:"2000" doc:"为谁开团、有什么经验，500 字以内"`
	}
}

type hostingOutput struct {
	Body struct {
		State     hosting.State `json:"state" enum:"none,applied,refused,approved,revoked,carried"`
		StateText string        `json:"state_text"`
		Words     string        `json:"words,omitempty" doc:"最近一次申请"`
		Reason    string        `json:"reason,omitempty" doc:"品牌最近一次的说明"`
		Since     time.Time     `json:"since,omitzero"`
	}
}

func (a *API) declareApplication() {
	edge.Register(a.edge, edge.Operation{
		ID: "apply-to-host", Method: "POST", Path: "/v1/host/application", Tag: "团长 · 资格", Summary: "申请成为团长；审核前可再改说明",
		Recorded: true,
	}, func(ctx context.Context, in *applyInput) (*hostingOutput, error) {
		return viewHosting(a.hosting.Apply(ctx, hosting.ApplyInput{Member: memberOf(ctx), Words: in.Body.Words}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "my-hosting", Method: "GET", Path: "/v1/host/application", Tag: "团长 · 资格", Summary: "我的团长资格",
	}, func(ctx context.Context, _ *struct{}) (*hostingOutput, error) {
		return viewHosting(a.hosting.Standing(ctx, memberOf(ctx)))
	})
}

func viewHosting(h *hosting.Hosting, err error) (*hostingOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &hostingOutput{}
	b := &out.Body
	b.State, b.StateText, b.Words, b.Reason, b.Since = h.State, hostingText(h.State), h.Words, h.Reason(), h.Since
	if h.State == hosting.None {
		b.State = "none"
	}
	return out, nil
}

func hostingText(s hosting.State) string {
	switch s {
	case hosting.Applied:
		return "等待品牌审核"
	case hosting.Refused:
		return "未通过，可修改后再申请"
	case hosting.Approved:
		return "已通过"
	case hosting.Revoked:
		return "已暂停：已付款的订单请继续完成"
	case hosting.Carried:
		return "复核中：进行中的接龙不受影响"
	case hosting.None:
	}
	return "尚未申请"
}
