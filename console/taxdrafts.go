package console

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"guanxi/commission/tax"
	"guanxi/console/room"
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
		Table *TaxRules `json:"table,omitempty"`
		Recalling
	}
}

// taxDraft is the content of a draft: a table to publish, or one to recall.
type taxDraft struct {
	TaxRules
	Recalling
}

type recallTaxInput struct {
	edge.Keyed
	TaxTablePath
	Body recallBody
}

type checkTaxInput struct{ Body TaxRules }

type checkedTaxOutput struct {
	Body struct {
		Good bool      `json:"good"`
		From time.Time `json:"from" doc:"现在发布的话，何时生效"`
	}
}

func (c *Console) declareTaxDrafts() {
	edge.Register(c.edge, edge.Operation{
		ID: "tax-drafts", Method: "GET", Path: "/console/api/tax-drafts", Tag: tagTaxTables, Summary: "税表草稿",
		Permission: string(staff.TaxRead),
	}, func(ctx context.Context, in *draftsInput) (*room.DraftsOutput, error) {
		return c.room.Drafts(ctx, draftOfTax, in)
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
		// as with policies: a date too early now need not be when the draft is published
		if _, err := c.taxes.Check(ctx, in.Body.Table.table()); err != nil && !errors.Is(err, tax.ErrTablePast) {
			return nil, err
		}
		draft, err := c.writeDraft(ctx, staff.DraftInput{Key: in.Key, Kind: draftOfTax, Title: in.Body.Title}, in.Body.Table, d)
		return c.showTaxDraft(ctx, draft, err)
	})
	write(c, edge.Operation{
		ID: "publish-tax-table", Method: "POST", Path: "/console/api/tax-drafts/{draft}/publish", Tag: tagTaxTables,
		Summary: "复核并发布草稿（不能是经办人）", Permission: string(staff.TaxPublish),
	}, c.publishTaxTable)
	c.declareTaxRecall()
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

func (c *Console) declareTaxRecall() {
	edge.Register(c.edge, edge.Operation{
		ID: "check-tax-table", Method: "POST", Path: "/console/api/tax/check", Tag: tagTaxTables,
		Summary: "检查税表是否可以发布（不保存）", Permission: string(staff.TaxRead),
	}, func(ctx context.Context, in *checkTaxInput) (*checkedTaxOutput, error) {
		t, err := c.taxes.Check(ctx, in.Body.table())
		if err != nil {
			return nil, err
		}
		out := &checkedTaxOutput{}
		out.Body.Good, out.Body.From = true, t.From
		return out, nil
	})
	write(c, edge.Operation{
		ID: "recall-tax-table", Method: "POST", Path: "/console/api/tax/tables/{number}/recall", Tag: tagTaxTables, Status: 201,
		Summary: "提议撤回尚未生效的一版：成为草稿，由另一人复核（publish）后撤回", Permission: string(staff.TaxDraft),
	}, func(ctx context.Context, in *recallTaxInput, d *deed) (*taxDraftOutput, error) {
		if err := c.taxes.CheckRecall(ctx, in.Number); err != nil {
			return nil, err
		}
		title := "撤回第 " + strconv.Itoa(in.Number) + " 版税表"
		draft, err := c.writeDraft(ctx, staff.DraftInput{Key: in.Key, Kind: draftOfTax, Title: title},
			taxDraft{Recalling: Recalling{in.Number, in.Body.Why}}, d)
		return c.showTaxDraft(ctx, draft, err)
	})
}

func (c *Console) showTaxDraft(ctx context.Context, d *staff.Draft, err error) (*taxDraftOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &taxDraftOutput{}
	out.Body.DraftView = viewDraft(d)
	content, err := contentOf[taxDraft](d)
	if err != nil {
		return nil, err
	}
	if out.Body.Recalling = content.Recalling; content.Recall == 0 {
		out.Body.Table = &content.TaxRules
	}
	out.Body.People, err = c.peopleOf(ctx, d.Maker, d.Checker)
	return out, err
}

func (c *Console) publishTaxTable(ctx context.Context, in *draftWrite, d *deed) (*taxDraftOutput, error) {
	draft, err := c.carryOut(ctx, draftOfTax, in.Draft, d, func(draft *staff.Draft) (string, error) {
		content, err := contentOf[taxDraft](draft)
		if err != nil {
			return "", err
		}
		if content.Recall > 0 {
			_, err := c.taxes.Recall(ctx, content.Recall, tax.Recall{Maker: draft.Maker, Checker: edge.Caller(ctx), Why: content.Why})
			return taxSubject(content.Recall), err
		}
		all, err := c.taxes.Tables(ctx)
		if err != nil {
			return "", err
		}
		if i := slices.IndexFunc(all, func(t *tax.Table) bool { return t.Draft == draft.ID }); i >= 0 {
			return taxSubject(all[i].Number), nil
		}
		t := content.table()
		t.By, t.Draft = edge.Caller(ctx), draft.ID
		published, err := c.taxes.Publish(ctx, t)
		if err != nil {
			return "", err
		}
		return taxSubject(published.Number), nil
	})
	return c.showTaxDraft(ctx, draft, err)
}
