package miniprogramapi

import (
	"context"
	"time"

	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/order"
)

type refundLine struct {
	Line  int   `json:"line" minimum:"1" maximum:"50"`
	Units int64 `json:"units" minimum:"1" maximum:"9999"`
}

type refundInput struct {
	edge.Keyed
	OrderPath
	Body struct {
		Lines  []refundLine `json:"lines,omitempty" maxItems:"50" nullable:"false" doc:"不填表示剩余的全部"`
		Reason string       `json:"reason" minLength:"1" maxLength:"240"`
	}
}

type refundView struct {
	Number    string            `json:"number"`
	Stage     order.RefundStage `json:"stage"`
	StageText string            `json:"stage_text"`
	By        order.Asker       `json:"by" enum:"member,host,brand,system" doc:"谁提出的"`
	Waits     string            `json:"waits,omitempty" enum:"host,brand" doc:"等谁答复"`
	DecideBy  time.Time         `json:"decide_by,omitzero" doc:"团长应在此之前答复，否则由品牌答复"`
	Words     string            `json:"words,omitempty" doc:"不同意的说明"`
	Lines     []refundPart      `json:"lines"`
	Amount    money.Fen         `json:"amount_fen"`
	Reason    string            `json:"reason"`
	AskedAt   time.Time         `json:"asked_at"`
	DoneAt    time.Time         `json:"done_at,omitzero"`
}

type refundPart struct {
	Line   int       `json:"line"`
	Units  int64     `json:"units"`
	Amount money.Fen `json:"amount_fen"`
}

type refundOutput struct{ Body refundView }

func (a *API) declareRefunds() {
	edge.Register(a.edge, edge.Operation{
		ID: "refund", Method: "POST", Path: "/v1/orders/{order}/refunds", Tag: "售后", Status: 201,
		Summary: "申请退款：整单或按行按件；没有承运单号也未收货时自动退，之后由团长、再由品牌答复",
	}, func(ctx context.Context, in *refundInput) (*refundOutput, error) {
		if _, err := a.orders.GetMine(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		return viewRefund(a.orders.Refund(ctx, in.asked(memberOf(ctx))))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "not-arrived", Method: "POST", Path: "/v1/orders/{order}/not-arrived", Tag: "售后", Status: 201,
		Summary: "没有收到：一键申请全额退款，并停住自动收货",
	}, func(ctx context.Context, in *orderWrite) (*refundOutput, error) {
		if _, err := a.orders.GetMine(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		return viewRefund(a.orders.Refund(ctx, order.RefundInput{
			Key: in.Key, Order: in.Order, By: memberOf(ctx), Reason: "没有收到货", NotArrived: true,
		}))
	})
}

func (in *refundInput) asked(by string) order.RefundInput {
	ask := order.RefundInput{Key: in.Key, Order: in.Order, By: by, Reason: in.Body.Reason}
	for _, l := range in.Body.Lines {
		ask.Lines = append(ask.Lines, order.RefundLine{Line: l.Line, Units: l.Units})
	}
	return ask
}

func viewRefund(r order.Refund, err error) (*refundOutput, error) {
	if err != nil {
		return nil, err
	}
	return &refundOutput{refundViewOf(r)}, nil
}

func refundViewOf(r order.Refund) refundView {
	v := refundView{
		Number: r.Number, Stage: r.Stage, StageText: refundText(&r), By: r.By, Lines: make([]refundPart, len(r.Lines)),
		Amount: r.Amount, Reason: r.Reason, AskedAt: r.AskedAt, DoneAt: r.DoneAt,
	}
	switch {
	case r.Stage == order.StageRequested && r.Desk == order.DeskBrand:
		v.Waits = "brand"
	case r.Stage == order.StageRequested:
		v.Waits, v.DecideBy = "host", r.DecideBy
	case r.Stage == order.StageRefused:
		v.Words = r.Problem
	}
	for i, part := range r.Lines {
		v.Lines[i] = refundPart{part.Line, part.Units, part.Amount}
	}
	return v
}

func viewRefunds(o *order.Order) []refundView {
	var out []refundView
	for _, r := range o.Refunds {
		out = append(out, refundViewOf(r))
	}
	return out
}

func refundText(r *order.Refund) string {
	switch r.Stage {
	case order.StageRequested:
		if r.Desk == order.DeskBrand {
			return "等待品牌处理"
		}
		return "等待团长处理"
	case order.StageRefused:
		return "未同意"
	case order.StageReplaced:
		return "已并入整单退款"
	case order.StageAsked, order.StageSubmitted, order.StageProcessing:
		return "退款处理中"
	case order.StageDone:
		return "已退回"
	case order.StageAbnormal:
		return "退款遇到问题，客服正在处理"
	case order.StageClosed:
		return "已重新发起"
	}
	return string(r.Stage)
}
