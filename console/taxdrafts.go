package console

import (
	"context"
	"slices"

	"guanxi/commission/tax"
	"guanxi/internal/edge"
	"guanxi/staff"
)

const draftOfTax = "tax-table"

type taxDraftInput struct {
	edge.Keyed
	Body struct {
		Title string   `json:"title" minLength:"1" maxLength:"100" doc:"给复核人看的标题"`
		Table TaxRules `json:"table"`
	}
}

type taxDraftOutput struct {
	Body struct {
		People
		DraftView
		Table TaxRules `json:"table"`
	}
}

func (c *Console) declareTaxDrafts() {
	edge.Register(c.edge, edge.Operation{
		ID: "tax-drafts", Method: "GET", Path: "/console/api/tax-drafts", Tag: tagTaxTables, Summary: "税表草稿",
		Permission: string(staff.TaxRead),
	}, func(ctx context.Context, in *draftsInput) (*draftsOutput, error) {
		return c.drafts(ctx, draftOfTax, in)
	})
	edge.Register(c.edge, edge.Operation{
		ID: "tax-draft", Method: "GET", Path: "/console/api/tax-drafts/{draft}", Tag: tagTaxTables, Summary: "草稿内容",
		Permission: string(staff.TaxRead),
	}, func(ctx context.Context, in *DraftPath) (*taxDraftOutput, error) {
		d, err := c.draftOf(ctx, draftOfTax, in.Draft)
		return c.showTaxDraft(ctx, d, err)
	})
	write(c, edge.Operation{
		ID: "draft-tax-table", Method: "POST", Path: "/console/api/tax-drafts", Tag: tagTaxTables, Summary: "提交税表草稿，待他人复核发布",
		Permission: string(staff.TaxDraft), Status: 201,
	}, func(ctx context.Context, in *taxDraftInput, d *deed) (*taxDraftOutput, error) {
		t := in.Body.Table.table()
		if err := t.Check(); err != nil {
			return nil, err
		}
		draft, err := c.writeDraft(ctx, staff.DraftInput{Key: in.Key, Kind: draftOfTax, Title: in.Body.Title}, in.Body.Table, d)
		return c.showTaxDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "publish-tax-table", Method: "POST", Path: "/console/api/tax-drafts/{draft}/publish", Tag: tagTaxTables,
		Summary: "复核并发布草稿（不能是经办人）", Permission: string(staff.TaxPublish),
	}, c.publishTaxTable)
	write(c, edge.Operation{
		ID: "refuse-tax-draft", Method: "POST", Path: "/console/api/tax-drafts/{draft}/refuse", Tag: tagTaxTables, Summary: "驳回草稿",
		Permission: string(staff.TaxPublish),
	}, func(ctx context.Context, in *dropInput, d *deed) (*taxDraftOutput, error) {
		draft, err := c.refuseDraft(ctx, draftOfTax, in, d)
		return c.showTaxDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "withdraw-tax-draft", Method: "POST", Path: "/console/api/tax-drafts/{draft}/withdraw", Tag: tagTaxTables, Summary: "撤回自己的草稿",
		Permission: string(staff.TaxDraft),
	}, func(ctx context.Context, in *draftWrite, _ *deed) (*taxDraftOutput, error) {
		draft, err := c.withdrawDraft(ctx, draftOfTax, in.Draft)
		return c.showTaxDraft(ctx, draft, err)
	})
}

func (c *Console) showTaxDraft(ctx context.Context, d *staff.Draft, err error) (*taxDraftOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &taxDraftOutput{}
	out.Body.DraftView = viewDraft(d)
	if out.Body.Table, err = contentOf[TaxRules](d); err != nil {
		return nil, err
	}
	out.Body.People, err = c.peopleOf(ctx, d.Maker, d.Checker)
	return out, err
}

func (c *Console) publishTaxTable(ctx context.Context, in *draftWrite, d *deed) (*taxDraftOutput, error) {
	draft, err := c.carryOut(ctx, draftOfTax, in.Draft, d, func(draft *staff.Draft) (string, error) {
		rules, err := contentOf[TaxRules](draft)
		if err != nil {
			return "", err
		}
		all, err := c.taxes.Tables(ctx)
		if err != nil {
			return "", err
		}
		if i := slices.IndexFunc(all, func(t *tax.Table) bool { return t.Draft == draft.ID }); i >= 0 {
			return taxSubject(all[i].Number), nil
		}
		t := rules.table()
		t.By, t.Draft = edge.Caller(ctx), draft.ID
		published, err := c.taxes.Publish(ctx, t)
		if err != nil {
			return "", err
		}
		return taxSubject(published.Number), nil
	})
	return c.showTaxDraft(ctx, draft, err)
}
