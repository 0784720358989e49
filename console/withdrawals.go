package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// WithdrawalPath names a withdrawal.
type WithdrawalPath struct {
	Number string `path:"number" minLength:"1" maxLength:"64"`
}

func (p WithdrawalPath) Subject() string { return "withdrawal/" + p.Number }

// WithdrawalView is a withdrawal as staff sees it: no name, no openid.
type WithdrawalView struct {
	Number    string           `json:"number"`
	Member    string           `json:"member"`
	State     withdrawal.State `json:"state" enum:"asked,refused,held,rejected,approved,sent,waiting,paid,failed,expired,cancelled,returned"`
	Gross     money.Fen        `json:"gross_fen" doc:"从账户扣减"`
	Tax       money.Fen        `json:"tax_fen,omitempty"`
	Net       money.Fen        `json:"net_fen,omitempty" doc:"到账金额"`
	AskedAt   time.Time        `json:"asked_at"`
	HeldAt    time.Time        `json:"held_at,omitzero"`
	DecidedAt time.Time        `json:"decided_at,omitzero"`
	SentAt    time.Time        `json:"sent_at,omitzero"`
	EndedAt   time.Time        `json:"ended_at,omitzero"`
	Needs     int              `json:"needs" doc:"共需几人同意"`
	Findings  []findingView    `json:"findings,omitempty" doc:"风控发现，不给会员看"`
	Approvals []opinionView    `json:"approvals,omitempty"`
	Objection *opinionView     `json:"objection,omitempty"`
	Stopped   *opinionView     `json:"stopped,omitempty" doc:"谁停止了付款"`
	Returning []opinionView    `json:"returning,omitempty" doc:"谁确认款项已退回"`
	TaxKind   tax.Kind         `json:"tax_kind,omitempty"`
	TaxTable  int              `json:"tax_table,omitempty"`
	TaxSteps  []string         `json:"tax_steps,omitempty" doc:"个税怎么算的"`
	Platform  string           `json:"platform_state,omitempty" doc:"平台最后一次说的状态"`
	Bill      string           `json:"bill,omitempty" doc:"平台单号"`
	Code      string           `json:"code,omitempty"`
	Why       string           `json:"why,omitempty" doc:"给会员的说明"`
	Lost      []opinionView    `json:"lost,omitempty" doc:"谁确认平台没有这笔转账"`
	Incidents []incidentView   `json:"incidents,omitempty" doc:"需要人看的异常"`
	Tries     int              `json:"tries,omitempty"`
	NextAt    time.Time        `json:"next_at,omitzero"`
}

type findingView struct {
	Code  withdrawal.Code `json:"code"`
	Words string          `json:"words"`
}

type opinionView struct {
	By  string    `json:"by"`
	At  time.Time `json:"at"`
	Why string    `json:"why"`
}

type incidentView struct {
	Kind   withdrawal.IncidentKind `json:"kind"`
	Detail string                  `json:"detail"`
	At     time.Time               `json:"at"`
}

type withdrawalOutput struct {
	Body struct {
		People
		WithdrawalView
		Sharers map[string][]string `json:"sharers,omitempty" doc:"与之共用身份、设备或微信的其他会员"`
	}
}

type withdrawalsInput struct {
	edge.Paged
	State     withdrawal.State `query:"state" enum:"asked,refused,held,rejected,approved,sent,waiting,paid,failed,expired,cancelled,returned" default:"held" doc:"从旧到新：等得最久的在前"`
	Member    string           `query:"member" maxLength:"120" doc:"只看这个人的，不论状态"`
	Incidents bool             `query:"incidents" doc:"只看有异常的，不论状态"`
}

type withdrawalsOutput struct {
	Body struct {
		People
		Withdrawals []WithdrawalView `json:"withdrawals"`
		Next        string           `json:"next,omitempty"`
	}
}

type reviewInput struct {
	edge.Keyed
	WithdrawalPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"200" doc:"理由；驳回时会告诉会员"`
	}
}

type taxInput struct {
	MemberPath
	Year  int `query:"year" required:"true" minimum:"2000" maximum:"9999"`
	Month int `query:"month" minimum:"0" maximum:"12" doc:"0 或不填：全年"`
}

type taxOutput struct{ Body taxStatementView }

type taxSumView struct {
	Gross   money.Fen `json:"gross_fen"`
	Tax     money.Fen `json:"tax_fen"`
	Net     money.Fen `json:"net_fen"`
	Entries []string  `json:"entries" doc:"这些数字来自哪些分录"`
}

type taxLineView struct {
	At     time.Time `json:"at"`
	Number string    `json:"number"`
	What   string    `json:"what"`
	PaidAt time.Time `json:"paid_at"`
	Table  int       `json:"table"`
	taxAs
	Carried money.Fen  `json:"carried_fen,omitempty" doc:"应预扣而超过本次付款额的部分，留待以后付款时预扣"`
	Sum     taxSumView `json:"sum"`
}

// taxAs is what somebody was when paid.
type taxAs struct {
	Kind   tax.Kind `json:"kind" enum:"resident,business,foreign,unknown" doc:"付款时的收款人类型；unknown：早期付款没有记录，须人工核实"`
	Regime tax.Mode `json:"regime,omitempty" enum:"off,per-payment,cumulative" doc:"付款时的计税方式；类型不明时没有"`
}

func viewTaxAs(k tax.Kind, regime tax.Mode) taxAs { return taxAs{cmp.Or(k, "unknown"), regime} }

type taxKindView struct {
	taxAs
	Sum taxSumView `json:"sum"`
}

type taxOpeningView struct {
	Kind  tax.Kind  `json:"kind" enum:"resident,business,foreign"`
	Gross money.Fen `json:"gross_fen"`
	Tax   money.Fen `json:"tax_fen"`
	Since int       `json:"since_month" doc:"从几月起有收入"`
}

type taxMonthView struct {
	Month string     `json:"month"`
	Sum   taxSumView `json:"sum"`
}

type taxStatementView struct {
	Member  string         `json:"member"`
	Period  string         `json:"period"`
	Lines   []taxLineView  `json:"lines"`
	Months  []taxMonthView `json:"months"`
	Kinds   []taxKindView  `json:"kinds" doc:"合计按付款时的收款人类型与计税方式分列"`
	Sum     taxSumView     `json:"sum"`
	Earlier taxSumView     `json:"earlier" doc:"本期退回的以前年度付款：应更正当年申报，不在合计内"`

	Openings []taxOpeningView `json:"openings,omitempty" doc:"全年：累计预扣从这些期初数接着算，不在合计内"`
}

const tagWithdrawals = "提现"

func (c *Console) viewWithdrawal(w *withdrawal.Withdrawal) WithdrawalView {
	v := WithdrawalView{
		Number: w.Number(), Member: w.Member, State: w.State, Gross: w.Gross, Tax: w.Tax, Net: w.Net, AskedAt: w.AskedAt,
		HeldAt: w.HeldAt, DecidedAt: w.DecidedAt, SentAt: w.SentAt, EndedAt: w.EndedAt, Needs: c.payouts.Needs(w),
		Findings:  each(w.Findings, func(f withdrawal.Finding) findingView { return findingView{f.Code, f.Words} }),
		Approvals: each(w.Approvals, viewOpinion), Returning: each(w.Returning, viewOpinion), Lost: each(w.Lost, viewOpinion),
		TaxKind: w.Kind, TaxTable: w.TaxTable, TaxSteps: w.TaxSteps, Platform: string(w.Platform), Bill: w.Bill,
		Code: w.Code, Why: w.Why, Tries: w.Tries, NextAt: w.NextAt,
		Incidents: each(w.Incidents, viewIncident),
	}
	for _, one := range []struct {
		said  *withdrawal.Opinion
		shown **opinionView
	}{{w.Objection, &v.Objection}, {w.Stopped, &v.Stopped}} {
		if one.said != nil {
			shown := viewOpinion(*one.said)
			*one.shown = &shown
		}
	}
	return v
}

func viewOpinion(o withdrawal.Opinion) opinionView { return opinionView{o.By, o.At, o.Why} }

// reviewers are the operators that a withdrawal mentions.
func reviewers(w *withdrawal.Withdrawal) []string {
	var ids []string
	for _, o := range slices.Concat(w.Approvals, w.Returning, w.Lost) {
		ids = append(ids, o.By)
	}
	for _, o := range []*withdrawal.Opinion{w.Objection, w.Stopped} {
		if o != nil {
			ids = append(ids, o.By)
		}
	}
	return ids
}

func (c *Console) showWithdrawal(ctx context.Context, w *withdrawal.Withdrawal, err error) (*withdrawalOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &withdrawalOutput{}
	out.Body.WithdrawalView = c.viewWithdrawal(w)
	if out.Body.Sharers, err = c.payouts.Sharers(ctx, w); err != nil {
		return nil, err
	}
	out.Body.People, err = c.peopleOf(ctx, reviewers(w)...)
	return out, err
}

func (c *Console) declareWithdrawals() {
	edge.Register(c.edge, edge.Operation{
		ID: "withdrawals", Method: "GET", Path: "/console/api/withdrawals", Tag: tagWithdrawals, Summary: "提现列表",
		Permission: string(staff.WithdrawalRead),
	}, c.withdrawals)
	edge.Register(c.edge, edge.Operation{
		ID: "withdrawal", Method: "GET", Path: "/console/api/withdrawals/{number}", Tag: tagWithdrawals, Summary: "一笔提现，及供审核的依据",
		Permission: string(staff.WithdrawalRead),
	}, func(ctx context.Context, in *WithdrawalPath) (*withdrawalOutput, error) {
		w, err := c.payouts.Get(ctx, in.Number)
		return c.showWithdrawal(ctx, w, err)
	})
	for _, one := range []struct {
		id, path, summary string
		may               staff.Permission
		act               func(ctx context.Context, in withdrawal.ReviewInput) (*withdrawal.Withdrawal, error)
	}{
		{"approve-withdrawal", "approve", "同意付款；大额须两人", staff.WithdrawalReview, c.payouts.Approve},
		{"reject-withdrawal", "reject", "驳回，款项退回账户", staff.WithdrawalReview, c.payouts.Reject},
		{"stop-withdrawal", "stop", "停止还没到账的付款：未发出的退回账户，等会员确认的请平台撤销，以平台结果为准", staff.WithdrawalStop, c.payouts.Stop},
		{"return-withdrawal", "return", "确认已付款项被退回；须两人", staff.WithdrawalReview, c.payouts.Return},
		{"declare-withdrawal-lost", "declare-lost", "查过账单，平台没有也不会有这笔转账，款项退回账户；须两人", staff.WithdrawalReview, c.payouts.DeclareLost},
	} {
		write(c, edge.Operation{
			ID: one.id, Method: "POST", Path: "/console/api/withdrawals/{number}/" + one.path, Tag: tagWithdrawals, Summary: one.summary,
			Permission: string(one.may),
		}, func(ctx context.Context, in *reviewInput, d *deed) (*withdrawalOutput, error) {
			d.After = in.Body.Why
			if err := c.mayReview(ctx, in.Number); err != nil {
				return nil, err
			}
			w, err := one.act(ctx, withdrawal.ReviewInput{
				Number: in.Number, By: edge.Caller(ctx), Member: who(ctx).Member, Why: in.Body.Why,
			})
			if err == nil {
				d.After = string(w.State) + ": " + in.Body.Why
			}
			return c.showWithdrawal(ctx, w, err)
		})
	}
	edge.Register(c.edge, edge.Operation{
		ID: "tax-statement", Method: "GET", Path: "/console/api/purses/{member}/tax", Tag: tagPurses, Summary: "一个人的收入与扣税",
		Permission: string(staff.PurseRead),
	}, func(ctx context.Context, in *taxInput) (*taxOutput, error) {
		s, err := c.payouts.TaxStatement(ctx, in.Member, in.Year, in.Month)
		if err != nil {
			return nil, err
		}
		return &taxOutput{viewTax(s)}, nil
	})
}

// mayReview refuses who handed another reviewer of the same withdrawal an enrolment code lately, or was handed one.
func (c *Console) mayReview(ctx context.Context, number string) error {
	w, err := c.payouts.Get(ctx, number)
	if err != nil {
		return err
	}
	var others []string
	for _, o := range slices.Concat(w.Approvals, w.Returning, w.Lost) {
		if o.By != edge.Caller(ctx) {
			others = append(others, o.By)
		}
	}
	return c.staff.MayCheck(ctx, edge.Caller(ctx), others...)
}

func (c *Console) withdrawals(ctx context.Context, in *withdrawalsInput) (*withdrawalsOutput, error) {
	var page docstore.Page[withdrawal.Withdrawal]
	var err error
	switch {
	case in.Member != "":
		page, err = c.payouts.Mine(ctx, in.Member, paging(in.Paged))
	case in.Incidents:
		page, err = c.payouts.WithIncidents(ctx, paging(in.Paged))
	default:
		page, err = c.payouts.ByState(ctx, in.State, paging(in.Paged))
	}
	if err != nil {
		return nil, err
	}
	out := &withdrawalsOutput{}
	out.Body.Withdrawals, out.Body.Next = each(page.Items, c.viewWithdrawal), page.Next
	var people []string
	for _, w := range page.Items {
		people = append(people, reviewers(w)...)
	}
	out.Body.People, err = c.peopleOf(ctx, people...)
	return out, err
}

func viewTaxSum(s tax.Sum) taxSumView {
	return taxSumView{s.Gross, s.Tax, s.Net, append([]string{}, s.Entries...)}
}

func viewTax(s tax.Statement) taxStatementView {
	return taxStatementView{
		Member: s.Member, Period: s.Period, Sum: viewTaxSum(s.Sum), Earlier: viewTaxSum(s.Earlier),
		Lines: each(s.Lines, func(l tax.Line) taxLineView {
			return taxLineView{l.At, l.Number, l.What, l.PaidAt, l.Table, viewTaxAs(l.Kind, l.Regime), l.Carried, viewTaxSum(l.Sum)}
		}),
		Kinds:    each(s.Kinds, func(k tax.KindSum) taxKindView { return taxKindView{viewTaxAs(k.Kind, k.Regime), viewTaxSum(k.Sum)} }),
		Openings: each(s.Openings, func(o tax.Opening) taxOpeningView { return taxOpeningView(o) }),
		Months:   each(s.Months, func(m tax.MonthSum) taxMonthView { return taxMonthView{m.Month, viewTaxSum(m.Sum)} }),
	}
}
