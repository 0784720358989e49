package miniprogramapi

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
)

type disputeInput struct {
	edge.Keyed
	Body struct {
		Entry string `json:"entry" minLength:"1" maxLength:"200" doc:"明细里的 entry"`
		Words string `json:"words" minLength:"2" maxLength:"1000" doc:"哪里不对"`
	}
}

type disputeView struct {
	ID         string                  `json:"id"`
	Entry      string                  `json:"entry"`
	Words      string                  `json:"words"`
	OpenedAt   time.Time               `json:"opened_at"`
	Sentence   string                  `json:"sentence" doc:"申诉时账上的说明"`
	Evidence   []string                `json:"evidence" doc:"申诉时的计算依据"`
	State      commission.DisputeState `json:"state"`
	StateText  string                  `json:"state_text"`
	Answer     string                  `json:"answer,omitempty"`
	AnsweredAt time.Time               `json:"answered_at,omitzero"`
}

type disputeOutput struct{ Body disputeView }

type disputesOutput struct {
	Body struct {
		Disputes []disputeView `json:"disputes"`
		Next     string        `json:"next,omitempty"`
	}
}

func (a *API) declareDisputes() {
	edge.Register(a.edge, edge.Operation{
		ID: "open-dispute", Method: "POST", Path: "/v1/purse/disputes", Tag: "佣金", Status: 201, Weight: 5,
		Summary: "对一笔账有疑问：附上当时的依据，由品牌方答复", Recorded: true,
	}, func(ctx context.Context, in *disputeInput) (*disputeOutput, error) {
		d, err := a.commission.OpenDispute(ctx, commission.DisputeInput{
			Key: in.Key, Member: memberOf(ctx), Entry: in.Body.Entry, Words: in.Body.Words,
		})
		if err != nil {
			return nil, err
		}
		return &disputeOutput{viewDispute(d)}, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "disputes", Method: "GET", Path: "/v1/purse/disputes", Tag: "佣金", Summary: "我的疑问与答复，从新到旧",
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*disputesOutput, error) {
		page, err := a.commission.DisputesOf(ctx, memberOf(ctx), docstore.Paging{First: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &disputesOutput{}
		out.Body.Disputes, out.Body.Next = make([]disputeView, len(page.Items)), page.Next
		for i, d := range page.Items {
			out.Body.Disputes[i] = viewDispute(d)
		}
		return out, nil
	})
}

func viewDispute(d *commission.Dispute) disputeView {
	v := disputeView{
		ID: d.ID, Entry: d.Entry, Words: d.Words, OpenedAt: d.OpenedAt, Sentence: d.Sentence, Evidence: d.Evidence,
		State: d.State, Answer: d.Answer, AnsweredAt: d.AnsweredAt,
	}
	switch d.State {
	case commission.DisputeOpen:
		v.StateText = "等待答复"
	case commission.DisputeUpheld:
		v.StateText = "已更正"
	case commission.DisputeDeclined:
		v.StateText = "核对无误"
	}
	return v
}
