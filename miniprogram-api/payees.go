package miniprogramapi

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/internal/edge"
	"guanxi/internal/money"
)

type payeeView struct {
	Kind     tax.Kind `json:"kind" doc:"resident 居民个人，business 个体户或企业，foreign 非居民个人"`
	RealName string   `json:"real_name,omitempty" doc:"只露出最后一个字"`
	IDNumber string   `json:"id_number,omitempty" doc:"只露出最后四位"`
}

type payeeOutput struct{ Body payeeView }

type setPayeeInput struct {
	edge.Keyed
	Body struct {
		RealName string `json:"real_name" minLength:"2" maxLength:"50"`
		IDNumber string `json:"id_number,omitempty" maxLength:"40" doc:"报税用；提现满 2000 元须有姓名"`
	}
}

// MonthPath names a month in a path.
type MonthPath struct {
	Month string `path:"month" minLength:"7" maxLength:"7" pattern:"^20[0-9]{2}-(0[1-9]|1[0-2])$" doc:"2026-10"`
}

type monthOutput struct {
	Body struct {
		Month     string      `json:"month"`
		Opening   balanceView `json:"opening"`
		Kinds     []monthKind `json:"kinds"`
		Closing   balanceView `json:"closing"`
		FirstLine int64       `json:"first_line" doc:"明细从第几行"`
		LastLine  int64       `json:"last_line" doc:"到第几行"`
	}
}

type balanceView struct {
	Pending     money.Fen `json:"pending_fen"`
	Available   money.Fen `json:"available_fen"`
	Withdrawing money.Fen `json:"withdrawing_fen"`
	Withdrawn   money.Fen `json:"withdrawn_fen"`
}

type monthKind struct {
	Kind   commission.Kind `json:"kind"`
	Count  int64           `json:"count"`
	Change balanceView     `json:"change"`
}

type taxInput struct {
	Year  string `path:"year" minLength:"4" maxLength:"4" pattern:"^20[0-9]{2}$"`
	Month int    `query:"month" minimum:"0" maximum:"12" doc:"不填是全年"`
}

type taxOutput struct {
	Body struct {
		Period string    `json:"period"`
		Gross  money.Fen `json:"gross_fen"`
		Tax    money.Fen `json:"tax_fen"`
		Net    money.Fen `json:"net_fen"`
		Lines  []taxLine `json:"lines"`
	}
}

type taxLine struct {
	At      time.Time `json:"at"`
	Number  string    `json:"number" doc:"提现单号"`
	What    string    `json:"what" doc:"payment 付款，return 退回"`
	Gross   money.Fen `json:"gross_fen"`
	Tax     money.Fen `json:"tax_fen"`
	Net     money.Fen `json:"net_fen"`
	Table   int       `json:"table" doc:"适用的税表版本"`
	Kind    tax.Kind  `json:"kind" enum:"resident,business,foreign,unknown" doc:"付款时的收款人类型；unknown：早期付款没有记录"`
	Regime  tax.Mode  `json:"regime,omitempty" enum:"off,per-payment,cumulative" doc:"付款时的计税方式"`
	Carried money.Fen `json:"carried_fen,omitempty" doc:"应预扣而超过本次付款额的部分，留待以后付款时预扣"`
	Entries []string  `json:"entries" doc:"对应的记账凭证"`
}

func (a *API) declarePayees() {
	edge.Register(a.edge, edge.Operation{
		ID: "payee", Method: "GET", Path: "/v1/purse/payee", Tag: "提现", Summary: "我的收款人资料（打码）",
	}, func(ctx context.Context, _ *readInput) (*payeeOutput, error) {
		return viewPayee(a.withdrawals.Payee(ctx, memberOf(ctx)))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "set-payee", Method: "PUT", Path: "/v1/purse/payee", Tag: "提现", Summary: "填写姓名与证件号：提现满 2000 元和报税需要",
		Recorded: true,
	}, func(ctx context.Context, in *setPayeeInput) (*payeeOutput, error) {
		return viewPayee(a.withdrawals.SetPayee(ctx, withdrawal.PayeeInput{ // how somebody is taxed is staff's to say
			Member: memberOf(ctx), RealName: in.Body.RealName, IDNumber: in.Body.IDNumber, By: memberOf(ctx),
		}))
	})
	edge.Register(a.edge, edge.Operation{
		ID: "purse-month", Method: "GET", Path: "/v1/purse/months/{month}", Tag: "佣金", Summary: "已结账月份的对账单",
	}, a.purseMonth)
	edge.Register(a.edge, edge.Operation{
		ID: "tax-statement", Method: "GET", Path: "/v1/purse/tax/{year}", Tag: "佣金", Summary: "代扣税对账单：全年或一个月",
	}, a.taxStatement)
}

func viewPayee(p *withdrawal.Payee, err error) (*payeeOutput, error) {
	if err != nil {
		return nil, err
	}
	return &payeeOutput{payeeView{
		Kind: p.Kind, RealName: lastOf(p.RealName.Reveal(), 1), IDNumber: lastOf(p.IDNumber.Reveal(), 4),
	}}, nil
}

// lastOf hides everything but the last characters.
func lastOf(text string, shown int) string {
	runes := []rune(text)
	for i := range max(0, len(runes)-shown) {
		runes[i] = '*'
	}
	return string(runes)
}

func viewBalance(b commission.Balance) balanceView {
	return balanceView{b.Pending, b.Available, b.Withdrawing, b.Withdrawn}
}

func (a *API) purseMonth(ctx context.Context, in *struct{ MonthPath }) (*monthOutput, error) {
	d, err := a.commission.PeriodStatement(ctx, memberOf(ctx), in.Month)
	if err != nil {
		return nil, err
	}
	out := &monthOutput{}
	b := &out.Body
	b.Month, b.Opening, b.Closing = d.Month, viewBalance(d.Opening), viewBalance(d.Closing)
	b.FirstLine, b.LastLine = d.FirstLine, d.LastLine
	b.Kinds = make([]monthKind, len(d.Kinds))
	for i, k := range d.Kinds {
		b.Kinds[i] = monthKind{k.Kind, k.Count, viewBalance(k.Change)}
	}
	return out, nil
}

func (a *API) taxStatement(ctx context.Context, in *taxInput) (*taxOutput, error) {
	year, err := strconv.Atoi(in.Year)
	if err != nil {
		return nil, err // the pattern allows digits only
	}
	s, err := a.withdrawals.TaxStatement(ctx, memberOf(ctx), year, in.Month)
	if err != nil {
		return nil, err
	}
	out := &taxOutput{}
	b := &out.Body
	b.Period, b.Gross, b.Tax, b.Net = s.Period, s.Gross, s.Tax, s.Net
	b.Lines = make([]taxLine, len(s.Lines))
	for i, l := range s.Lines {
		b.Lines[i] = taxLine{l.At, l.Number, l.What, l.Gross, l.Tax, l.Net, l.Table, cmp.Or(l.Kind, "unknown"), l.Regime, l.Carried, l.Entries}
	}
	return out, nil
}
