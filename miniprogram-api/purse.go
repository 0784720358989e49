package miniprogramapi

import (
	"context"
	"time"

	"guanxi/commission"
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
	No        int64           `json:"no"`
	Entry     string          `json:"entry" doc:"记账凭证编号"`
	Kind      commission.Kind `json:"kind"`
	Order     string          `json:"order,omitempty"`
	At        time.Time       `json:"at"`
	Pending   money.Fen       `json:"pending_fen"`
	Available money.Fen       `json:"available_fen"`
	Reason    string          `json:"reason" doc:"一句话：为什么是这个数"`
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
			No: l.No, Entry: l.Entry, Kind: l.Kind, Order: l.Order, At: l.At,
			Pending: l.Change.Pending, Available: l.Change.Available, Reason: l.Reason,
		}
	}
	return out
}

func (a *API) declarePurse() {
	register(a, operation{
		id: "purse", method: "GET", path: "/v1/purse", tag: "佣金", summary: "我的佣金账户", etag: true,
	}, func(ctx context.Context, _ *readInput) (*purseOutput, error) {
		p, err := a.commission.Purse(ctx, memberOf(ctx))
		if err != nil {
			return nil, err
		}
		out := &purseOutput{}
		out.Body.Pending, out.Body.Available = p.Pending, p.Available
		out.Body.Withdrawing, out.Body.Withdrawn = p.Withdrawing, p.Withdrawn
		out.Body.Newest = viewStatement(p.Newest)
		return out, nil
	})
	register(a, operation{
		id: "statement", method: "GET", path: "/v1/purse/statement", tag: "佣金", summary: "佣金明细，从新到旧",
	}, func(ctx context.Context, in *struct{ Paged }) (*statementOutput, error) {
		page, err := a.commission.Statement(ctx, memberOf(ctx), commission.Page{Size: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &statementOutput{}
		out.Body.Lines, out.Body.Next = viewStatement(page.Lines), page.Next
		return out, nil
	})
	register(a, operation{
		id: "explain", method: "GET", path: "/v1/purse/explain", tag: "佣金", summary: "这一笔为什么是这个数",
	}, a.explain)
}
