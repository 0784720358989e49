package console

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// AdjustmentPath names a voucher.
type AdjustmentPath struct {
	Adjustment string `path:"adjustment" minLength:"1" maxLength:"64"`
}

func (p AdjustmentPath) Subject() string { return "adjustment/" + p.Adjustment }

// AdjustmentView is a voucher.
type AdjustmentView struct {
	ID        string                  `json:"id"`
	Kind      commission.Kind         `json:"kind" enum:"adjust,incentive,transfer"`
	From      commission.Account      `json:"from" doc:"转出科目"`
	To        commission.Account      `json:"to" doc:"转入科目"`
	Amount    money.Fen               `json:"amount_fen"`
	Reason    string                  `json:"reason"`
	Corrects  string                  `json:"corrects,omitempty" doc:"所更正的分录"`
	Dispute   string                  `json:"dispute,omitempty" doc:"所答复的申诉"`
	State     commission.VoucherState `json:"state" enum:"proposed,approved,rejected"`
	Maker     string                  `json:"maker"`
	MadeAt    time.Time               `json:"made_at"`
	Checker   string                  `json:"checker,omitempty"`
	CheckedAt time.Time               `json:"checked_at,omitzero"`
	Why       string                  `json:"why,omitempty" doc:"复核人的话"`
	Entry     string                  `json:"entry,omitempty" doc:"复核后入账的分录"`
}

type adjustmentOutput struct {
	Body struct {
		People
		AdjustmentView
	}
}

type adjustmentsInput struct {
	edge.Paged
	State commission.VoucherState `query:"state" enum:"proposed,approved,rejected" default:"proposed"`
}

type adjustmentsOutput struct {
	Body struct {
		People
		Adjustments []AdjustmentView `json:"adjustments" doc:"从新到旧"`
		Next        string           `json:"next,omitempty"`
	}
}

type proposeInput struct {
	edge.Keyed
	Body struct {
		Kind     commission.Kind    `json:"kind" enum:"adjust,incentive,transfer" doc:"adjust 调整会员余额；incentive 员工激励；transfer 品牌科目间划转"`
		From     commission.Account `json:"from" minLength:"1" maxLength:"160" doc:"如 brand:adjustment、member:<会员>:available"`
		To       commission.Account `json:"to" minLength:"1" maxLength:"160"`
		Amount   money.Fen          `json:"amount_fen" minimum:"1" maximum:"10000000000"`
		Reason   string             `json:"reason" minLength:"2" maxLength:"500"`
		Corrects string             `json:"corrects,omitempty" maxLength:"200"`
		Dispute  string             `json:"dispute,omitempty" maxLength:"64"`
	}
}

type decideInput struct {
	edge.Keyed
	AdjustmentPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"500" doc:"复核意见"`
	}
}

type adjustmentWrite struct {
	edge.Keyed
	AdjustmentPath
}

const tagAdjustments = "调账、激励与划转"

func viewAdjustment(v *commission.Voucher) AdjustmentView {
	shown := AdjustmentView{
		ID: v.ID, Kind: v.Kind, From: v.From, To: v.To, Amount: v.Amount, Reason: v.Reason, Corrects: v.Corrects,
		Dispute: v.Dispute, State: v.State, Maker: v.Maker, MadeAt: v.MadeAt, Checker: v.Checker, CheckedAt: v.CheckedAt, Why: v.Why,
	}
	if v.State == commission.VoucherApproved {
		shown.Entry = string(v.Kind) + "/" + v.ID
	}
	return shown
}

func (c *Console) showAdjustment(ctx context.Context, v *commission.Voucher, err error) (*adjustmentOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &adjustmentOutput{}
	out.Body.AdjustmentView = viewAdjustment(v)
	out.Body.People, err = c.peopleOf(ctx, v.Maker, v.Checker)
	return out, err
}

func (c *Console) declareAdjustments() {
	edge.Register(c.edge, edge.Operation{
		ID: "adjustments", Method: "GET", Path: "/console/api/adjustments", Tag: tagAdjustments, Summary: "凭证列表",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *adjustmentsInput) (*adjustmentsOutput, error) {
		page, err := c.ledger.Vouchers(ctx, in.State, paging(in.Paged))
		if err != nil {
			return nil, err
		}
		out := &adjustmentsOutput{}
		out.Body.Adjustments, out.Body.Next = each(page.Items, viewAdjustment), page.Next
		var people []string
		for _, v := range page.Items {
			people = append(people, v.Maker, v.Checker)
		}
		out.Body.People, err = c.peopleOf(ctx, people...)
		return out, err
	})
	edge.Register(c.edge, edge.Operation{
		ID: "adjustment", Method: "GET", Path: "/console/api/adjustments/{adjustment}", Tag: tagAdjustments, Summary: "一张凭证",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *AdjustmentPath) (*adjustmentOutput, error) {
		v, err := c.ledger.Voucher(ctx, in.Adjustment)
		return c.showAdjustment(ctx, v, err)
	})
	write(c, edge.Operation{
		ID: "propose-adjustment", Method: "POST", Path: "/console/api/adjustments", Tag: tagAdjustments,
		Summary: "提交凭证，待他人复核", Permission: string(staff.AdjustmentPropose), Status: 201,
	}, c.propose)
	c.declareDecisions()
}

func (c *Console) declareDecisions() {
	write(c, edge.Operation{
		ID: "approve-adjustment", Method: "POST", Path: "/console/api/adjustments/{adjustment}/approve", Tag: tagAdjustments,
		Summary: "复核并入账（不能是经办人）", Permission: string(staff.AdjustmentApprove),
	}, func(ctx context.Context, in *decideInput, d *deed) (*adjustmentOutput, error) {
		d.After = in.Body.Why
		v, err := c.ledger.Voucher(ctx, in.Adjustment)
		if err == nil {
			err = c.mayApprove(ctx, v)
		}
		if err == nil {
			v, err = c.ledger.ApproveVoucher(ctx, in.Adjustment, edge.Caller(ctx), in.Body.Why)
		}
		return c.showAdjustment(ctx, v, err)
	})
	write(c, edge.Operation{
		ID: "reject-adjustment", Method: "POST", Path: "/console/api/adjustments/{adjustment}/reject", Tag: tagAdjustments,
		Summary: "驳回", Permission: string(staff.AdjustmentApprove),
	}, func(ctx context.Context, in *decideInput, d *deed) (*adjustmentOutput, error) {
		d.After = in.Body.Why
		v, err := c.ledger.RejectVoucher(ctx, in.Adjustment, edge.Caller(ctx), in.Body.Why)
		return c.showAdjustment(ctx, v, err)
	})
	write(c, edge.Operation{
		ID: "withdraw-adjustment", Method: "POST", Path: "/console/api/adjustments/{adjustment}/withdraw", Tag: tagAdjustments,
		Summary: "撤回自己提交的凭证", Permission: string(staff.AdjustmentPropose),
	}, func(ctx context.Context, in *adjustmentWrite, _ *deed) (*adjustmentOutput, error) {
		v, err := c.ledger.Voucher(ctx, in.Adjustment)
		if err == nil && v.Maker != edge.Caller(ctx) {
			err = ErrNotYours
		}
		if err == nil {
			v, err = c.ledger.RejectVoucher(ctx, in.Adjustment, edge.Caller(ctx), "")
		}
		return c.showAdjustment(ctx, v, err)
	})
}

// mayApprove refuses who prepared a voucher, whom it benefits, and who handed one of the others an enrolment code lately.
func (c *Console) mayApprove(ctx context.Context, v *commission.Voucher) error {
	if v.Maker == edge.Caller(ctx) {
		return commission.ErrVoucherOwn
	}
	if err := room.Impartial(ctx, purses(v.From, v.To)...); err != nil {
		return err
	}
	makers := []string{v.Maker}
	for _, a := range v.Approvals {
		if a.By != edge.Caller(ctx) {
			makers = append(makers, a.By)
		}
	}
	return c.staff.MayCheck(ctx, edge.Caller(ctx), makers...)
}

// purses are the owners of the purses among the accounts.
func purses(accounts ...commission.Account) []string {
	var owners []string
	for _, a := range accounts {
		if owner, _, ok := a.Member(); ok {
			owners = append(owners, owner)
		}
	}
	return owners
}

func (c *Console) propose(ctx context.Context, in *proposeInput, d *deed) (*adjustmentOutput, error) {
	b := &in.Body
	owners := purses(b.From, b.To)
	if err := room.Impartial(ctx, owners...); err != nil {
		return nil, err
	}
	for _, owner := range owners {
		if err := c.room.RequireMember(ctx, owner); err != nil {
			return nil, err
		}
	}
	v, err := c.ledger.ProposeVoucher(ctx, commission.VoucherInput{
		Key: in.Key, Maker: edge.Caller(ctx), Kind: b.Kind, From: b.From, To: b.To, Amount: b.Amount, Reason: b.Reason,
		Corrects: b.Corrects, Dispute: b.Dispute,
	})
	if err == nil {
		d.say("adjustment/"+v.ID, "", string(v.From)+" → "+string(v.To)+" "+v.Amount.Yuan()+" "+v.Reason)
	}
	return c.showAdjustment(ctx, v, err)
}
