package console

import (
	"context"
	"slices"
	"time"

	"guanxi/commission"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// PeriodPath names a month.
type PeriodPath struct {
	Month string `path:"month" minLength:"7" maxLength:"7" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"如 2026-10，按北京时间"`
}

func (p PeriodPath) Subject() string { return "period/" + p.Month }

// PeriodView is a closed month.
type PeriodView struct {
	Month    string        `json:"month"`
	First    int64         `json:"first_seal"`
	Last     int64         `json:"last_seal" doc:"小于 first_seal 表示当月没有账"`
	Entries  int64         `json:"entries"`
	Members  int64         `json:"members" doc:"有当月对账单的人数"`
	Accounts []accountView `json:"accounts" doc:"试算平衡表，期末合计为零"`
	By       string        `json:"by"`
	ClosedAt time.Time     `json:"closed_at,omitzero"`
	Closing  bool          `json:"closing,omitempty" doc:"结账已开始、尚未完成；再次结账即可继续"`
}

type accountView struct {
	Account commission.Account `json:"account"`
	Opening money.Fen          `json:"opening_fen"`
	Out     money.Fen          `json:"out_fen" doc:"转出，不大于零"`
	In      money.Fen          `json:"in_fen"`
	Closing money.Fen          `json:"closing_fen"`
}

type balanceView struct {
	Pending     money.Fen `json:"pending_fen"`
	Available   money.Fen `json:"available_fen"`
	Withdrawing money.Fen `json:"withdrawing_fen"`
	Withdrawn   money.Fen `json:"withdrawn_fen"`
}

// MonthStatement is one member's closed month.
type MonthStatement struct {
	Member    string      `json:"member"`
	Month     string      `json:"month"`
	Opening   balanceView `json:"opening"`
	Kinds     []kindView  `json:"kinds"`
	Closing   balanceView `json:"closing"`
	FirstLine int64       `json:"first_line" doc:"明细的第一行号"`
	LastLine  int64       `json:"last_line"`
}

type kindView struct {
	Kind   commission.Kind `json:"kind"`
	Count  int64           `json:"count"`
	Change balanceView     `json:"change"`
}

type periodsOutput struct {
	Body struct {
		People
		Periods []PeriodView `json:"periods" doc:"从新到旧"`
		Next    string       `json:"next,omitempty"`
	}
}

type periodOutput struct {
	Body struct {
		People
		PeriodView
	}
}

type statementsOutput struct {
	Body struct {
		Statements []MonthStatement `json:"statements"`
		Next       string           `json:"next,omitempty"`
	}
}

type monthStatementOutput struct{ Body MonthStatement }

type closeInput struct {
	edge.Keyed
	PeriodPath
}

const (
	tagPeriods    = "会计期间"
	closePatience = 5 * time.Minute
)

func viewBalance(b commission.Balance) balanceView {
	return balanceView{b.Pending, b.Available, b.Withdrawing, b.Withdrawn}
}

func viewPeriod(p *commission.Period) PeriodView {
	return PeriodView{
		Month: p.Month, First: p.First, Last: p.Last, Entries: p.Entries, Members: p.Members, By: p.By, ClosedAt: p.ClosedAt,
		Closing: p.Closing != "",
		Accounts: each(p.Accounts, func(a commission.AccountTotal) accountView {
			return accountView{a.Account, a.Opening, a.Out, a.In, a.Closing}
		}),
	}
}

func viewMonth(s *commission.PeriodStatement) MonthStatement {
	return MonthStatement{
		Member: s.Member, Month: s.Month, Opening: viewBalance(s.Opening), Closing: viewBalance(s.Closing),
		FirstLine: s.FirstLine, LastLine: s.LastLine,
		Kinds: each(s.Kinds, func(k commission.KindTotal) kindView { return kindView{k.Kind, k.Count, viewBalance(k.Change)} }),
	}
}

func (c *Console) declarePeriods() {
	edge.Register(c.edge, edge.Operation{
		ID: "periods", Method: "GET", Path: "/console/api/periods", Tag: tagPeriods, Summary: "已结账的月份",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*periodsOutput, error) {
		page, err := c.ledger.Periods(ctx, paging(in.Paged))
		if err != nil {
			return nil, err
		}
		out := &periodsOutput{}
		out.Body.Periods, out.Body.Next = each(page.Items, viewPeriod), page.Next
		out.Body.People, err = c.peopleOf(ctx, each(page.Items, func(p *commission.Period) string { return p.By })...)
		return out, err
	})
	edge.Register(c.edge, edge.Operation{
		ID: "period", Method: "GET", Path: "/console/api/periods/{month}", Tag: tagPeriods, Summary: "一个月的试算平衡",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *PeriodPath) (*periodOutput, error) {
		p, err := c.period(ctx, in.Month)
		return c.showPeriod(ctx, p, err)
	})
	// Closing may take longer than a client waits: it goes on from where it was when it is asked for again.
	write(c, edge.Operation{
		ID: "close-period", Method: "POST", Path: "/console/api/periods/{month}/close", Tag: tagPeriods, Summary: "结账",
		Permission: string(staff.PeriodClose), Patience: closePatience,
	}, func(ctx context.Context, in *closeInput, d *deed) (*periodOutput, error) {
		p, err := c.ledger.ClosePeriod(ctx, in.Month, edge.Caller(ctx))
		if err == nil {
			d.After = "closed"
		}
		return c.showPeriod(ctx, p, err)
	})
	c.declareStatements()
}

func (c *Console) declareStatements() {
	edge.Register(c.edge, edge.Operation{
		ID: "period-statements", Method: "GET", Path: "/console/api/periods/{month}/statements", Tag: tagPeriods,
		Summary: "当月每个人的对账单", Permission: string(staff.PurseRead),
	}, func(ctx context.Context, in *struct {
		PeriodPath
		edge.Paged
	},
	) (*statementsOutput, error) {
		page, err := c.ledger.PeriodStatements(ctx, in.Month, paging(in.Paged))
		if err != nil {
			return nil, err
		}
		out := &statementsOutput{}
		out.Body.Statements, out.Body.Next = each(page.Items, viewMonth), page.Next
		return out, nil
	})
	edge.Register(c.edge, edge.Operation{
		ID: "period-statement", Method: "GET", Path: "/console/api/periods/{month}/statements/{member}", Tag: tagPeriods,
		Summary: "一个人当月的对账单", Permission: string(staff.PurseRead),
	}, func(ctx context.Context, in *struct {
		PeriodPath
		MemberPath
	},
	) (*monthStatementOutput, error) {
		s, err := c.ledger.PeriodStatement(ctx, in.Member, in.Month)
		if err != nil {
			return nil, err
		}
		return &monthStatementOutput{viewMonth(s)}, nil
	})
}

// maxPeriods is more months than anybody keeps books for.
const maxPeriods = docstore.MaxPage

// period finds a closed month, or one whose close has begun.
func (c *Console) period(ctx context.Context, month string) (*commission.Period, error) {
	page, err := c.ledger.Periods(ctx, docstore.Paging{First: maxPeriods})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(page.Items, func(p *commission.Period) bool { return p.Month == month })
	if i < 0 {
		return nil, ErrNoPeriod
	}
	return page.Items[i], nil
}

func (c *Console) showPeriod(ctx context.Context, p *commission.Period, err error) (*periodOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &periodOutput{}
	out.Body.PeriodView = viewPeriod(p)
	out.Body.People, err = c.peopleOf(ctx, p.By)
	return out, err
}
