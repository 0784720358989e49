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
		Summary: "申请退款：整单或按行按件；发货前自动退，收货后由团长同意",
	}, func(ctx context.Context, in *refundInput) (*refundOutput, error) {
		if _, err := a.orders.GetMine(ctx, memberOf(ctx), in.Order); err != nil {
			return nil, err
		}
		return viewRefund(a.orders.Refund(ctx, in.asked(memberOf(ctx))))
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
		Number: r.Number, Stage: r.Stage, StageText: refundText(r.Stage), Lines: make([]refundPart, len(r.Lines)),
		Amount: r.Amount, Reason: r.Reason, AskedAt: r.AskedAt, DoneAt: r.DoneAt,
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

func refundText(s order.RefundStage) string {
	switch s {
	case order.StageRequested:
		return "等待团长处理"
	case order.StageRefused:
		return "团长未同意"
	case order.StageAsked, order.StageSubmitted, order.StageProcessing:
		return "退款处理中"
	case order.StageDone:
		return "已退回"
	case order.StageAbnormal:
		return "退款遇到问题，客服正在处理"
	case order.StageClosed:
		return "已重新发起"
	}
	return string(s)
}
