package console

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/commission/policy"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

type dryRunInput struct {
	Body struct {
		Draft  string       `json:"draft,omitempty" maxLength:"64" doc:"已提交的草稿；与 policy 二选一"`
		Policy *PolicyRules `json:"policy,omitempty"`
		From   time.Time    `json:"from" doc:"从何时起（含）"`
		To     time.Time    `json:"to" doc:"到何时止（不含），最多 400 天"`
	}
}

// DryRunLine is one line of a dry run's answer: progress, or at the end the result.
type DryRunLine struct {
	Progress *dryRunProgress `json:"progress,omitempty"`
	Result   *dryRunView     `json:"result,omitempty"`
	Problem  *edge.Problem   `json:"problem,omitempty"`
}

type dryRunProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

type dryRunView struct {
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Sales   int64          `json:"sales" doc:"这段时间入账的销售"`
	Lines   int64          `json:"lines"`
	Paid    money.Fen      `json:"paid_fen" doc:"买家实付，退款之前"`
	Refunds int64          `json:"refunds" doc:"其中的退款笔数，已按比例扣除"`
	Earlier int64          `json:"earlier_refunds" doc:"更早销售的退款，不在任何金额内"`
	Changed int64          `json:"changed_sales" doc:"有人会拿到不同金额的销售"`
	NoPlace int64          `json:"without_community" doc:"没有记录社群的销售"`
	NoGrade int64          `json:"without_grade" doc:"没有记录团长等级的销售"`
	Total   comparedView   `json:"total"`
	People  comparisonView `json:"beneficiaries" doc:"每个受益人"`
	Goods   comparisonView `json:"products" doc:"每件商品"`
	Rules   comparisonView `json:"rules" doc:"每条规则"`
}

type comparedView struct {
	Old    money.Fen `json:"old_fen"`
	New    money.Fen `json:"new_fen"`
	Change money.Fen `json:"change_fen"`
	Sales  int64     `json:"sales"`
}

type comparisonView struct {
	Rows   []comparedRow `json:"rows" doc:"变化大的在前，最多 1000 行"`
	Others comparedView  `json:"others" doc:"其余各行之和"`
	Rest   int64         `json:"rest" doc:"其余的行数"`
	Rough  bool          `json:"rough,omitempty" doc:"行数过多，个别行可能不全；合计始终准确"`
}

type comparedRow struct {
	Name  string         `json:"name"`
	Sum   comparedView   `json:"sum"`
	Roles []comparedRole `json:"roles,omitempty"`
}

type comparedRole struct {
	Role commission.Role `json:"role"`
	Sum  comparedView    `json:"sum"`
}

const longestDryRun = 400 * 24 * time.Hour

func (c *Console) declareDryRun() {
	edge.RegisterLines(c.edge, edge.Operation{
		ID: "dry-run", Method: "POST", Path: "/console/api/policies/dry-run", Tag: tagPolicies,
		Summary: "把规则套到过去的销售上试算（不写入；逐行返回进度，最后一行是结果）", Permission: string(staff.PolicyRead),
		Weight: 8, Patience: longPatience, MaxBody: policyBody,
	}, c.dryRun)
}

func (c *Console) dryRun(ctx context.Context, in *dryRunInput, send func(DryRunLine) error) error {
	draft, err := c.drafted(ctx, in)
	if err != nil {
		return err
	}
	return c.alone(func() error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		due := ticker()
		result, err := c.ledger.DryRun(ctx, draft, in.Body.From, in.Body.To, func(done, total int64) {
			if due() && send(DryRunLine{Progress: &dryRunProgress{done, total}}) != nil {
				cancel() // nobody reads any more
			}
		})
		if err != nil {
			return err
		}
		return send(DryRunLine{Result: viewDryRun(result)})
	})
}

// drafted is the policy to try: one that was sent, or a stored draft.
func (c *Console) drafted(ctx context.Context, in *dryRunInput) (policy.Policy, error) {
	b := &in.Body
	switch {
	case (b.Draft == "") == (b.Policy == nil):
		return policy.Policy{}, edge.ErrInput.With("body.policy", "policy 与 draft 须且只须填一个 / either policy or draft")
	case b.To.Sub(b.From) > longestDryRun:
		return policy.Policy{}, edge.ErrInput.With("body.to", "最多 400 天 / at most 400 days")
	case b.Policy != nil:
		return b.Policy.policy(), nil
	}
	d, err := c.draftOf(ctx, draftOfPolicy, b.Draft)
	if err != nil {
		return policy.Policy{}, err
	}
	rules, err := contentOf[policyDraft](d)
	if err == nil && rules.Recall > 0 {
		return policy.Policy{}, staff.ErrDraftMissing // it has no rules of its own
	}
	return rules.policy(), err
}

func viewDryRun(r *commission.DryRun) *dryRunView {
	return &dryRunView{
		From: r.From, To: r.To, Sales: r.Sales, Lines: r.Lines, Paid: r.Paid, Refunds: r.Refunds, Earlier: r.Earlier,
		Changed: r.Changed, NoPlace: r.WithoutCommunity, NoGrade: r.WithoutGrade, Total: viewCompared(r.Total),
		People: viewComparison(r.Beneficiaries), Goods: viewComparison(r.Products), Rules: viewComparison(r.Rules),
	}
}

func viewCompared(c commission.Compared) comparedView {
	return comparedView{c.Old, c.New, c.Change(), c.Sales}
}

func viewComparison(c commission.Comparison) comparisonView {
	return comparisonView{
		Others: viewCompared(c.Others), Rest: c.Rest, Rough: c.Rough,
		Rows: each(c.Rows, func(r commission.ComparedRow) comparedRow {
			return comparedRow{r.Name, viewCompared(r.Compared), each(r.Roles, func(o commission.ComparedRole) comparedRole {
				return comparedRole{o.Role, viewCompared(o.Compared)}
			})}
		}),
	}
}
