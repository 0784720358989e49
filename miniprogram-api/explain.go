package miniprogramapi

import (
	"context"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/internal/money"
)

type explainInput struct {
	Entry string `query:"entry" required:"true" minLength:"1" maxLength:"200" doc:"明细里的 entry"`
}

type explainOutput struct {
	Body struct {
		Entry    string          `json:"entry"`
		Kind     commission.Kind `json:"kind"`
		Order    string          `json:"order,omitempty"`
		Number   string          `json:"number,omitempty" doc:"提现单或凭证编号"`
		At       time.Time       `json:"at"`
		Sentence string          `json:"sentence" doc:"一句话说明"`
		Steps    []string        `json:"steps" doc:"一步一步怎么算出来的"`
		NotYet   string          `json:"not_yet,omitempty" doc:"为什么还不能提现"`
		Policy   int             `json:"policy,omitempty" doc:"所依据的佣金政策版本"`
		Parts    []explainPart   `json:"parts"`
		Seal     int64           `json:"seal,omitempty" doc:"封存在第几号账页"`
	}
}

type explainPart struct {
	Line      int             `json:"line"`
	Product   string          `json:"product"`
	Role      commission.Role `json:"role"`
	Rule      string          `json:"rule"`
	Base      money.Fen       `json:"base_fen" doc:"买家为这一行实付"`
	Full      money.Fen       `json:"full_fen" doc:"封顶之前"`
	Amount    money.Fen       `json:"amount_fen"`
	TakenBack money.Fen       `json:"taken_back_fen" doc:"因退款扣回"`
	Due       time.Time       `json:"due,omitzero" doc:"何时可提现"`
	Settled   bool            `json:"settled"`
}

func (a *API) explain(ctx context.Context, in *explainInput) (*explainOutput, error) {
	e, err := a.commission.Explain(ctx, memberOf(ctx), in.Entry)
	if err != nil {
		return nil, err
	}
	out := &explainOutput{}
	b := &out.Body
	b.Entry, b.Kind, b.Order, b.Number, b.At, b.Sentence = e.Entry, e.Kind, e.Order, e.Number, e.At, e.Sentence
	b.Steps, b.NotYet, b.Policy, b.Seal = e.Steps, e.NotYet, e.Policy, e.Sealed
	if b.Steps == nil {
		b.Steps = []string{}
	}
	if err := a.sayNames(ctx, e.Parts, b.Steps); err != nil {
		return nil, err
	}
	b.Parts = make([]explainPart, len(e.Parts))
	for i, p := range e.Parts {
		b.Parts[i] = explainPart{
			Line: p.Line, Product: p.Product, Role: p.Role, Rule: p.Rule, Base: p.Base, Full: p.Full, Amount: p.Amount,
			TakenBack: p.TakenBack, Due: p.Due, Settled: p.Settled,
		}
	}
	return out, nil
}

// sayNames puts products' names where the ledger, which knows no names, says ids.
func (a *API) sayNames(ctx context.Context, parts []commission.Part, steps []string) error {
	ids := make([]string, len(parts))
	for i, p := range parts {
		ids[i] = p.Product
	}
	products, err := a.catalog.Products(ctx, ids)
	if err != nil {
		return err
	}
	for docID, p := range products {
		for i := range steps {
			steps[i] = strings.ReplaceAll(steps[i], docID, p.Name)
		}
	}
	return nil
}
