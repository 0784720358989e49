package miniprogramapi

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

type purseOutput struct {
	Body struct {
		Pending     money.Fen       `json:"pending_fen" doc:"已赚到，等售后期结束"`
		Available   money.Fen       `json:"available_fen" doc:"可提现；为负时由以后的佣金先补足"`
		Withdrawing money.Fen       `json:"withdrawing_fen"`
		Withdrawn   money.Fen       `json:"withdrawn_fen"`
		Newest      []statementLine `json:"newest" doc:"最近的变动，每一笔都有原因"`
	}
}

type statementLine struct {
	No          int64           `json:"no"`
	Entry       string          `json:"entry" doc:"记账凭证编号"`
	Kind        commission.Kind `json:"kind"`
	Order       string          `json:"order,omitempty"`
	Number      string          `json:"number,omitempty" doc:"提现单或凭证编号"`
	At          time.Time       `json:"at"`
	Pending     money.Fen       `json:"pending_fen"`
	Available   money.Fen       `json:"available_fen"`
	Withdrawing money.Fen       `json:"withdrawing_fen"`
	Withdrawn   money.Fen       `json:"withdrawn_fen"`
	Reason      string          `json:"reason" doc:"一句话：为什么是这个数"`
}

type statementOutput struct {
	Body struct {
		Lines []statementLine `json:"lines"`
		Next  string          `json:"next,omitempty"`
	}
}

func viewStatement(lines []commission.Line) []statementLine {
	out := make([]statementLine, len(lines))
	for i, l := range lines {
		out[i] = statementLine{
			No: l.No, Entry: l.Entry, Kind: l.Kind, Order: l.Order, Number: l.Number, At: l.At,
			Pending: l.Change.Pending, Available: l.Change.Available,
			Withdrawing: l.Change.Withdrawing, Withdrawn: l.Change.Withdrawn, Reason: l.Reason,
		}
	}
	return out
}

func (a *API) declarePurse() {
	edge.Register(a.edge, edge.Operation{
		ID: "purse", Method: "GET", Path: "/v1/purse", Tag: "佣金", Summary: "我的佣金账户", ETag: true,
	}, func(ctx context.Context, _ *readInput) (*purseOutput, error) {
		p, err := a.commission.Purse(ctx, memberOf(ctx))
		if err != nil {
			return nil, err
		}
		out := &purseOutput{}
		out.Body.Pending, out.Body.Available = p.Pending, p.Available-p.Held // what is held is on its way out already
		out.Body.Withdrawing, out.Body.Withdrawn = p.Withdrawing+p.Held, p.Withdrawn
		out.Body.Newest = viewStatement(p.Newest)
		return out, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "statement", Method: "GET", Path: "/v1/purse/statement", Tag: "佣金", Summary: "佣金明细，从新到旧",
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*statementOutput, error) {
		page, err := a.commission.Statement(ctx, memberOf(ctx), commission.Page{Size: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &statementOutput{}
		out.Body.Lines, out.Body.Next = viewStatement(page.Lines), page.Next
		return out, nil
	})
	edge.Register(a.edge, edge.Operation{
		ID: "explain", Method: "GET", Path: "/v1/purse/explain", Tag: "佣金", Summary: "这一笔为什么是这个数",
	}, a.explain)
}
