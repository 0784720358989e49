package miniprogramapi

import (
	"context"
	"time"

	"guanxi/commission/withdrawal"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

// WithdrawalPath names a withdrawal in a path.
type WithdrawalPath struct {
	Withdrawal string `path:"withdrawal" minLength:"1" maxLength:"32" pattern:"^[A-Za-z0-9]+$"`
}

type askWithdrawalInput struct {
	edge.Keyed
	Body struct {
		Amount money.Fen `json:"amount_fen" minimum:"1" maximum:"1000000000" doc:"提现金额（税前）"`
		Device string    `json:"device,omitempty" maxLength:"200" pattern:"^[A-Za-z0-9_.:-]*$" doc:"设备标识，只用于风控，只存摘要"`
	}
}

type withdrawalView struct {
	Number    string           `json:"number"`
	State     withdrawal.State `json:"state"`
	StateText string           `json:"state_text"`
	Amount    money.Fen        `json:"amount_fen" doc:"税前"`
	Tax       money.Fen        `json:"tax_fen" doc:"代扣个人所得税"`
	Net       money.Fen        `json:"net_fen,omitempty" doc:"到账金额；提交付款后确定"`
	TaxSteps  []string         `json:"tax_steps,omitempty" doc:"税额怎么算出来的"`
	Why       string           `json:"why,omitempty" doc:"没有成功的原因"`
	AskedAt   time.Time        `json:"asked_at"`
	EndedAt   time.Time        `json:"ended_at,omitzero"`
	Confirm   *confirmView     `json:"confirm,omitempty" doc:"传给 wx.requestMerchantTransfer，由本人在微信里确认收款"`
	ConfirmBy time.Time        `json:"confirm_by,omitzero" doc:"过期未确认会自动退回可提现"`
	CanCancel bool             `json:"can_cancel"`
}

type confirmView struct {
	MchID   string `json:"mch_id"`
	AppID   string `json:"app_id"`
	Package string `json:"package"`
}

type withdrawalOutput struct{ Body withdrawalView }

type withdrawalsOutput struct {
	Body struct {
		Withdrawals []withdrawalView `json:"withdrawals"`
		Next        string           `json:"next,omitempty"`
	}
}

type outlookOutput struct {
	Body struct {
		Now       money.Fen `json:"now_fen" doc:"现在最多可提"`
		Free      money.Fen `json:"free_fen" doc:"账上可提现（扣除处理中的提现）"`
		Min       money.Fen `json:"min_fen"`
		LeftTimes int       `json:"left_times" doc:"今天还可申请几次"`
		LeftToday money.Fen `json:"left_today_fen"`
		LeftMonth money.Fen `json:"left_month_fen"`
		NameFrom  money.Fen `json:"name_from_fen,omitempty" doc:"达到这个金额须先填写真实姓名"`
		Reasons   []string  `json:"reasons" doc:"为什么不能提更多"`
	}
}

func (a *API) declareWithdrawals() {
	edge.Register(a.edge, edge.Operation{
		ID: "withdrawal-outlook", Method: "GET", Path: "/v1/purse/outlook", Tag: "提现", Summary: "现在能提多少，为什么不能更多",
	}, a.outlook)
	edge.Register(a.edge, edge.Operation{
		ID: "ask-withdrawal", Method: "POST", Path: "/v1/purse/withdrawals", Tag: "提现", Status: 201, Weight: 5,
		Summary: "申请提现",
	}, func(ctx context.Context, in *askWithdrawalInput) (*withdrawalOutput, error) {
		return a.viewWithdrawal(a.withdrawals.Ask(ctx, withdrawal.AskInput{
			Key: in.Key, Member: memberOf(ctx), Amount: in.Body.Amount, Device: in.Body.Device,
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "withdrawals", Method: "GET", Path: "/v1/purse/withdrawals", Tag: "提现", Summary: "我的提现，从新到旧",
	}, a.myWithdrawals)
	edge.Register(a.edge, edge.Operation{
		ID: "withdrawal", Method: "GET", Path: "/v1/purse/withdrawals/{withdrawal}", Tag: "提现", Summary: "一笔提现", ETag: true,
	}, func(ctx context.Context, in *struct{ WithdrawalPath }) (*withdrawalOutput, error) {
		return a.viewWithdrawal(a.withdrawals.GetMine(ctx, memberOf(ctx), in.Withdrawal))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "cancel-withdrawal", Method: "POST", Path: "/v1/purse/withdrawals/{withdrawal}/cancel", Tag: "提现", Weight: 5, Recorded: true,
		Summary: "撤销提现：还没付出的立即退回，等待确认的由微信撤销",
	}, func(ctx context.Context, in *struct {
		edge.Keyed
		WithdrawalPath
	},
	) (*withdrawalOutput, error) {
		return a.viewWithdrawal(a.withdrawals.Cancel(ctx, memberOf(ctx), in.Withdrawal))
	})
}

func (a *API) outlook(ctx context.Context, _ *readInput) (*outlookOutput, error) {
	o, err := a.withdrawals.Outlook(ctx, memberOf(ctx))
	if err != nil {
		return nil, err
	}
	out := &outlookOutput{}
	b := &out.Body
	b.Now, b.Free, b.Min, b.NameFrom = o.Now, o.Free, o.Min, o.Needs
	b.LeftTimes, b.LeftToday, b.LeftMonth = o.LeftTimes, o.LeftToday, o.LeftMonth
	b.Reasons = make([]string, len(o.Reasons))
	for i, r := range o.Reasons {
		b.Reasons[i] = r.Words
	}
	return out, nil
}

func (a *API) myWithdrawals(ctx context.Context, in *struct{ edge.Paged }) (*withdrawalsOutput, error) {
	page, err := a.withdrawals.Mine(ctx, memberOf(ctx), docstore.Paging{First: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &withdrawalsOutput{}
	out.Body.Withdrawals, out.Body.Next = make([]withdrawalView, len(page.Items)), page.Next
	for i, w := range page.Items {
		out.Body.Withdrawals[i] = a.withdrawalViewOf(w)
	}
	return out, nil
}

func (a *API) viewWithdrawal(w *withdrawal.Withdrawal, err error) (*withdrawalOutput, error) {
	if err != nil {
		return nil, err
	}
	return &withdrawalOutput{a.withdrawalViewOf(w)}, nil
}

func (a *API) withdrawalViewOf(w *withdrawal.Withdrawal) withdrawalView {
	moving := w.State == withdrawal.Waiting && w.Platform == withdrawal.TransferTransferring // too late to confirm and to cancel
	v := withdrawalView{
		Number: w.Number(), State: w.State, StateText: withdrawalText(w.State), Amount: w.Gross, Tax: w.Tax, Net: w.Net,
		TaxSteps: w.TaxSteps, Why: w.Why, AskedAt: w.AskedAt, EndedAt: w.EndedAt,
		CanCancel: w.State == withdrawal.Held || w.State == withdrawal.Approved ||
			w.CancelAt.IsZero() && (w.State == withdrawal.Waiting && !moving && !a.withdrawals.Late(w) || w.State == withdrawal.Sent && w.Refusals > 0),
	}
	if until := a.withdrawals.ConfirmUntil(w); !until.IsZero() {
		v.Confirm = &confirmView{MchID: a.wallet.MchID, AppID: a.wallet.AppID, Package: w.Package}
		v.ConfirmBy = until
	}
	switch {
	case w.State.Ended():
	case moving:
		v.StateText = "已确认，微信支付正在转账"
	case !w.CancelAt.IsZero():
		v.StateText = "正在撤销，以微信支付的结果为准"
	case a.withdrawals.Late(w):
		v.StateText = "确认时间已过，正在等微信支付给出最终结果；没有到账的话，金额会自动退回可提现"
	case w.State == withdrawal.Waiting && v.Confirm == nil:
		v.StateText = "微信支付处理中，请稍后再看"
	case w.State == withdrawal.Sent && w.Refusals >= 3:
		v.StateText = "微信支付暂时没有受理，工作人员正在处理；您也可以撤销，金额退回可提现"
	}
	return v
}

func withdrawalText(s withdrawal.State) string {
	switch s {
	case withdrawal.Asked:
		return "正在受理"
	case withdrawal.Refused:
		return "未受理"
	case withdrawal.Held:
		return "人工审核中"
	case withdrawal.Rejected:
		return "审核未通过，已退回"
	case withdrawal.Approved, withdrawal.Sent:
		return "付款处理中"
	case withdrawal.Waiting:
		return "请在微信里确认收款"
	case withdrawal.Paid:
		return "已到账"
	case withdrawal.Failed:
		return "付款失败，已退回"
	case withdrawal.Expired:
		return "逾期未确认，已退回"
	case withdrawal.Cancelled:
		return "已撤销，已退回"
	case withdrawal.Returned:
		return "到账后退回"
	}
	return string(s)
}
