package console

import (
	"context"
	"slices"
	"strconv"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// TaxTables is the book of tax tables; *tax.Book satisfies it.
type TaxTables interface {
	At(ctx context.Context, at time.Time) (*tax.Table, error)
	Table(ctx context.Context, number int) (*tax.Table, error)
	Tables(ctx context.Context) ([]*tax.Table, error)
	Check(ctx context.Context, t tax.Table) (*tax.Table, error)
	Publish(ctx context.Context, t tax.Table) (*tax.Table, error)
	CheckRecall(ctx context.Context, number int) error
	Recall(ctx context.Context, number int, r tax.Recall) (*tax.Table, error)
}

// TaxRules is what a tax table says.
type TaxRules struct {
	Name  string    `json:"name" minLength:"1" maxLength:"60"`
	From  time.Time `json:"from,omitzero" doc:"何时生效：此后同意的付款；不填则尽快"`
	Rules []TaxRule `json:"rules" maxItems:"3" doc:"没有写到的收款人类型不代扣"`
}

// TaxRule is what a table says of one kind of payee.
type TaxRule struct {
	Kind             tax.Kind          `json:"kind" enum:"resident,business,foreign" doc:"resident 居民个人，business 个体户或企业，foreign 非居民个人"`
	Mode             tax.Mode          `json:"mode" enum:"off,per-payment,cumulative" doc:"off 不代扣，per-payment 按次，cumulative 全年累计"`
	Source           string            `json:"source,omitempty" maxLength:"200" doc:"依据的文件；代扣时必填"`
	ExpenseRate      money.BasisPoints `json:"expense_rate_bp,omitempty" minimum:"0" maximum:"10000" doc:"按比例减除的费用"`
	Once             tax.Once          `json:"once,omitempty" enum:"payment,month" doc:"按次：每笔为一次，或一个月为一次"`
	SmallUpTo        money.Fen         `json:"small_up_to_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"按次：不超过此数时改用定额费用"`
	SmallDeduction   money.Fen         `json:"small_deduction_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"按次：定额费用，分界点上须与按比例相等"`
	MonthlyDeduction money.Fen         `json:"monthly_deduction_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"累计：每月基本减除"`
	Months           tax.Months        `json:"months,omitempty" enum:"since-first,since-january,with-payment" doc:"累计：月数怎么数"`
	Brackets         []TaxBracket      `json:"brackets,omitempty" maxItems:"20"`
}

// TaxBracket is one step: tax = taxable × rate − quick deduction.
type TaxBracket struct {
	UpTo  money.Fen         `json:"up_to_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"含；最后一级不填"`
	Rate  money.BasisPoints `json:"rate_bp" minimum:"0" maximum:"9999"`
	Quick money.Fen         `json:"quick_fen,omitempty" minimum:"0" maximum:"10000000000" doc:"速算扣除数，须与级距衔接"`
}

// TaxTableView is a published version.
type TaxTableView struct {
	TaxRules
	Number      int       `json:"number" doc:"0：从未发布，不代扣"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	By          string    `json:"by,omitempty" doc:"复核发布的员工"`
	Draft       string    `json:"draft,omitempty" doc:"由哪份草稿发布"`
	InForce     bool      `json:"in_force,omitempty" doc:"现在适用的就是这一版"`

	Recalled *RecallView `json:"recalled,omitempty" doc:"生效前已由两人撤回"`
}

type taxTableOutput struct {
	Body struct {
		People
		TaxTableView
	}
}

type taxTablesOutput struct {
	Body struct {
		People
		InForce int               `json:"in_force" doc:"现在适用第几版；0：还没有，不代扣"`
		Tables  []taxTableSummary `json:"tables" doc:"从新到旧"`
	}
}

type taxTableSummary struct {
	Number      int       `json:"number"`
	Name        string    `json:"name"`
	From        time.Time `json:"from"`
	PublishedAt time.Time `json:"published_at"`
	By          string    `json:"by,omitempty"`
	InForce     bool      `json:"in_force,omitempty"`
}

type taxProposalsOutput struct {
	Body struct {
		Proposals []taxProposal `json:"proposals"`
	}
}

type taxProposal struct {
	ID    string   `json:"id" enum:"per-payment,cumulative,off"`
	Table TaxRules `json:"table" doc:"官方文件的内容，可原样或修改后作为草稿；本身不生效"`
}

// TaxTablePath names a version.
type TaxTablePath struct {
	Number int `path:"number" minimum:"0" maximum:"1000"`
}

const tagTaxTables = "税表"

func (c *Console) declareTaxTables() {
	edge.Register(c.edge, edge.Operation{
		ID: "tax-tables", Method: "GET", Path: "/console/api/tax/tables", Tag: tagTaxTables, Summary: "各版税表",
		Permission: string(staff.TaxRead),
	}, c.taxTables)
	edge.Register(c.edge, edge.Operation{
		ID: "tax-table", Method: "GET", Path: "/console/api/tax/tables/{number}", Tag: tagTaxTables, Summary: "一版税表的内容",
		Permission: string(staff.TaxRead),
	}, c.taxTable)
	edge.Register(c.edge, edge.Operation{
		ID: "tax-proposals", Method: "GET", Path: "/console/api/tax/proposals", Tag: tagTaxTables, Summary: "可作草稿起点的现成税表",
		Permission: string(staff.TaxRead),
	}, func(context.Context, *readInput) (*taxProposalsOutput, error) {
		out := &taxProposalsOutput{}
		perPayment, cumulative, off := tax.PerPaymentTable(), tax.CumulativeTable(), tax.OffTable()
		out.Body.Proposals = []taxProposal{
			{"per-payment", viewTaxRules(&perPayment)}, {"cumulative", viewTaxRules(&cumulative)}, {"off", viewTaxRules(&off)},
		}
		return out, nil
	})
}

func (c *Console) taxTables(ctx context.Context, _ *readInput) (*taxTablesOutput, error) {
	all, err := c.taxes.Tables(ctx)
	if err != nil {
		return nil, err
	}
	now, err := c.taxes.At(ctx, c.clock.Now())
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	all = all[:min(len(all), 200)]
	out := &taxTablesOutput{}
	out.Body.InForce = now.Number
	out.Body.Tables = each(all, func(t *tax.Table) taxTableSummary {
		return taxTableSummary{t.Number, t.Name, t.From, t.PublishedAt, t.By, t.Number == now.Number}
	})
	out.Body.People, err = c.peopleOf(ctx, each(all, func(t *tax.Table) string { return t.By })...)
	return out, err
}

func (c *Console) taxTable(ctx context.Context, in *TaxTablePath) (*taxTableOutput, error) {
	t, err := c.taxes.Table(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	now, err := c.taxes.At(ctx, c.clock.Now())
	if err != nil {
		return nil, err
	}
	out := &taxTableOutput{}
	out.Body.TaxTableView = TaxTableView{
		TaxRules: viewTaxRules(t), Number: t.Number, PublishedAt: t.PublishedAt, By: t.By, Draft: t.Draft,
		InForce: t.Number == now.Number, Recalled: (*RecallView)(t.Recalled),
	}
	out.Body.People, err = c.peopleOf(ctx, t.By)
	return out, err
}

// table is the book's form of the rules.
func (r *TaxRules) table() tax.Table {
	return tax.Table{Name: r.Name, From: r.From, Rules: each(r.Rules, func(r TaxRule) tax.Rule {
		return tax.Rule{
			Kind: r.Kind, Mode: r.Mode, Source: r.Source, ExpenseRate: r.ExpenseRate, Once: r.Once, SmallUpTo: r.SmallUpTo,
			SmallDeduction: r.SmallDeduction, MonthlyDeduction: r.MonthlyDeduction, Months: r.Months,
			Brackets: someEach(r.Brackets, func(b TaxBracket) tax.Bracket { return tax.Bracket(b) }),
		}
	})}
}

func viewTaxRules(t *tax.Table) TaxRules {
	return TaxRules{Name: t.Name, From: t.From, Rules: each(t.Rules, func(r tax.Rule) TaxRule {
		return TaxRule{
			Kind: r.Kind, Mode: r.Mode, Source: r.Source, ExpenseRate: r.ExpenseRate, Once: r.Once, SmallUpTo: r.SmallUpTo,
			SmallDeduction: r.SmallDeduction, MonthlyDeduction: r.MonthlyDeduction, Months: r.Months,
			Brackets: someEach(r.Brackets, func(b tax.Bracket) TaxBracket { return TaxBracket(b) }),
		}
	})}
}

// someEach is each, but nothing stays nothing: the book compares whole tables.
func someEach[T, V any](found []T, view func(T) V) []V {
	if len(found) == 0 {
		return nil
	}
	return each(found, view)
}

// taxSubject is how a published version is written as the subject of a deed.
func taxSubject(number int) string { return "tax-table/" + strconv.Itoa(number) }
