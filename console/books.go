package console

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"guanxi/commission"
	"guanxi/commission/tax"
	"guanxi/console/room"
	"guanxi/internal/clock"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/reconcile"
	"guanxi/staff"
)

const (
	// longPatience bounds what reads a whole book or a whole month.
	longPatience = 10 * time.Minute
	// progressEvery is how often a long calculation tells how far it is.
	progressEvery = 250 * time.Millisecond
	tagExports    = "导出"
)

type checkpointsOutput struct {
	Body struct {
		Checkpoints []checkpointView `json:"checkpoints" doc:"从新到旧"`
		Next        string           `json:"next,omitempty"`
	}
}

type checkpointView struct {
	Number int64     `json:"number"`
	Seal   int64     `json:"seal"`
	At     time.Time `json:"at"`
	Hash   string    `json:"hash" doc:"该账页的哈希"`
	Key    string    `json:"key" doc:"公钥"`
	Signed bool      `json:"signed" doc:"签名与内容相符"`
	Line   string    `json:"line" doc:"可保存在别处的一行原文"`
}

// VerifyLine is one line of a verification's answer: progress, or at the end the report.
type VerifyLine struct {
	Progress *verifyProgress `json:"progress,omitempty"`
	Report   *verifyReport   `json:"report,omitempty"`
	Problem  *edge.Problem   `json:"problem,omitempty"`
}

type verifyProgress struct {
	Seals   int64 `json:"seals"`
	OfSeals int64 `json:"of_seals"`
	Entries int64 `json:"entries"`
}

type verifyReport struct {
	Good        bool             `json:"good"`
	Entries     int64            `json:"entries"`
	Unsealed    int64            `json:"unsealed"`
	Seals       int64            `json:"seals"`
	Purses      int64            `json:"purses"`
	Settlements int64            `json:"settlements"`
	Vouchers    int64            `json:"vouchers"`
	Periods     int64            `json:"periods"`
	Checkpoints int64            `json:"checkpoints"`
	Moving      int64            `json:"moving" doc:"变动太快、未能比对的账户"`
	Differences []differenceView `json:"differences" doc:"最先发现的在前，最多 100 条"`
	More        int64            `json:"more" doc:"此外还有多少"`
}

type differenceView struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// EntryLine is one line of an export of entries.
type EntryLine struct {
	Entry   *EntryView    `json:"entry,omitempty"`
	Problem *edge.Problem `json:"problem,omitempty"`
}

// BillRow is one line of an export of a bill.
type BillRow struct {
	Line    *BillLine     `json:"line,omitempty"`
	Problem *edge.Problem `json:"problem,omitempty"`
}

// FilingLine is one line of a tax filing. The person's name and number are given in the export of the command line only.
type FilingLine struct {
	Row     *filingView   `json:"row,omitempty"`
	Problem *edge.Problem `json:"problem,omitempty"`
}

type filingView struct {
	taxAs
	Member         string    `json:"member"`
	Named          bool      `json:"named" doc:"已登记真实姓名"`
	Period         string    `json:"period"`
	Item           string    `json:"item" doc:"所得项目"`
	Income         money.Fen `json:"income_fen"`
	Tax            money.Fen `json:"tax_fen"`
	YearIncome     money.Fen `json:"year_income_fen"`
	YearTax        money.Fen `json:"year_tax_fen"`
	Opening        money.Fen `json:"opening_fen,omitempty" doc:"累计预扣的期初收入，不在 year_income_fen 内"`
	OpeningTax     money.Fen `json:"opening_tax_fen,omitempty"`
	Corrections    money.Fen `json:"corrections_fen" doc:"退回的以前年度收入，应更正当年申报"`
	CorrectionsTax money.Fen `json:"corrections_tax_fen"`
	Entries        []string  `json:"entries"`
}

func (c *Console) declareBooks() {
	edge.Register(c.edge, edge.Operation{
		ID: "checkpoints", Method: "GET", Path: "/console/api/checkpoints", Tag: tagBooks, Summary: "账本的签名存证",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *struct{ edge.Paged }) (*checkpointsOutput, error) {
		page, err := c.ledger.Checkpoints(ctx, paging(in.Paged))
		if err != nil {
			return nil, err
		}
		out := &checkpointsOutput{}
		out.Body.Next = page.Next
		out.Body.Checkpoints = each(page.Items, func(p *commission.Checkpoint) checkpointView {
			return checkpointView{p.Number, p.Seal, p.At, hex.EncodeToString(p.Hash), hex.EncodeToString(p.Key), p.Signed(), p.Line()}
		})
		return out, nil
	})
	edge.RegisterLines(c.edge, edge.Operation{
		ID: "verify", Method: "POST", Path: "/console/api/verify", Tag: tagBooks, Summary: "重新核对整本账（逐行返回进度，最后一行是结果）",
		Permission: string(staff.EntryRead), Weight: 8, Patience: longPatience,
	}, c.verify)
}

type filingInput struct {
	Year  int `query:"year" required:"true" minimum:"2000" maximum:"9999"`
	Month int `query:"month" required:"true" minimum:"1" maximum:"12"`
}

func (in *filingInput) Subject() string { return fmt.Sprintf("filing/%d-%02d", in.Year, in.Month) }

func (c *Console) declareExports() {
	room.Export(c.room, edge.Operation{
		ID: "export-entries", Method: "GET", Path: "/console/api/periods/{month}/entries", Tag: tagExports,
		Summary: "已结账月份的全部分录，每行一条", Permission: string(staff.ExportRead), Weight: 8, Patience: longPatience,
	}, func(ctx context.Context, in *PeriodPath, send func(EntryLine) error) error {
		p, err := c.period(ctx, in.Month)
		if err != nil || p.Last < p.First {
			return err
		}
		return c.ledger.StreamEntries(ctx, p.First, p.Last, func(_ *commission.Seal, entries []*commission.Entry) error {
			for _, e := range entries {
				v := viewEntry(e)
				if err := send(EntryLine{Entry: &v}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	room.Export(c.room, edge.Operation{
		ID: "export-bill", Method: "GET", Path: "/console/api/reconcile/runs/{statement}/{day}/lines", Tag: tagExports,
		Summary: "平台账单的全部明细，每行一条", Permission: string(staff.ExportRead), Weight: 8, Patience: longPatience,
	}, func(ctx context.Context, in *RunPath, send func(BillRow) error) error {
		return c.reconcile.Lines(ctx, in.Statement, in.Day, func(l reconcile.Line) error {
			v := viewBillLine(l)
			return send(BillRow{Line: &v})
		})
	})
	room.Export(c.room, edge.Operation{
		ID: "export-filing", Method: "GET", Path: "/console/api/tax/filing", Tag: tagExports,
		Summary: "某月扣缴申报明细，每人按付款时的类型与计税方式各一行", Permission: string(staff.ExportRead), Weight: 8, Patience: longPatience,
	}, func(ctx context.Context, in *filingInput, send func(FilingLine) error) error {
		return c.payouts.Filing(ctx, in.Year, in.Month, func(r tax.FilingRow) error { return send(FilingLine{Row: viewFiling(r)}) })
	})
}

func viewFiling(r tax.FilingRow) *filingView {
	return &filingView{
		taxAs: viewTaxAs(r.Kind, r.Regime), Member: r.Member, Named: r.RealName != "", Period: r.Period, Item: r.Item, Income: r.Income, Tax: r.Tax,
		YearIncome: r.YearIncome, YearTax: r.YearTax, Opening: r.Opening, OpeningTax: r.OpeningTax,
		Corrections: r.Corrections, CorrectionsTax: r.CorrectionsTax,
		Entries: append(append([]string{}, r.Entries...), r.CorrectionEntries...),
	}
}

// alone lets one long calculation run at a time in this process.
func (c *Console) alone(run func() error) error {
	select {
	case c.long <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-c.long }()
	return run()
}

// ticker tells when it is time to report progress again.
func ticker() func() bool {
	since := clock.StartStopwatch()
	return func() bool {
		if since.Elapsed() < progressEvery {
			return false
		}
		since = clock.StartStopwatch()
		return true
	}
}

func (c *Console) verify(ctx context.Context, _ *readInput, send func(VerifyLine) error) error {
	return c.alone(func() error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		due := ticker()
		report, err := c.ledger.Verify(ctx, func(p commission.Progress) {
			if due() && send(VerifyLine{Progress: &verifyProgress{p.Seals, p.OfSeals, p.Entries}}) != nil {
				cancel() // nobody reads any more
			}
		})
		if err != nil {
			return err
		}
		return send(VerifyLine{Report: viewReport(report)})
	})
}

func viewReport(r *commission.Report) *verifyReport {
	return &verifyReport{
		Good: r.Good(), Entries: r.Entries, Unsealed: r.Unsealed, Seals: r.Seals, Purses: r.Purses, Settlements: r.Settlements,
		Vouchers: r.Vouchers, Periods: r.Periods, Checkpoints: r.Checkpoints, Moving: r.Moving, More: r.More,
		Differences: each(r.Differences, func(d commission.Difference) differenceView {
			return differenceView{d.Rule, d.Subject, d.Text}
		}),
	}
}
