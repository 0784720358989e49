package console

import (
	"context"
	"strconv"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// TaxOpening is an opening position that somebody proposes: what a person was paid as one kind of payee, and what was
// withheld, elsewhere in the year.
type TaxOpening struct {
	Member string    `json:"member"`
	Year   int       `json:"year"`
	Kind   tax.Kind  `json:"kind" enum:"resident,business,foreign"`
	Gross  money.Fen `json:"gross_fen"`
	Tax    money.Fen `json:"tax_fen"`
	Since  int       `json:"since_month" doc:"从几月起有收入"`
	Reason string    `json:"reason"`
}

type taxOpeningInput struct {
	edge.Keyed
	MemberPath
	Body struct {
		Year   int       `json:"year" minimum:"2000" maximum:"9999" doc:"今年或去年"`
		Kind   tax.Kind  `json:"kind" enum:"resident,business,foreign"`
		Gross  money.Fen `json:"gross_fen" minimum:"0" maximum:"10000000000" doc:"本系统代扣以外，当年已付的收入"`
		Tax    money.Fen `json:"tax_fen" minimum:"0" maximum:"10000000000" doc:"其中已预扣的税"`
		Since  int       `json:"since_month" minimum:"1" maximum:"12" doc:"从几月起有收入：累计减除费用从这个月数起"`
		Reason string    `json:"reason" minLength:"2" maxLength:"200" doc:"依据，如此前的扣缴申报表"`
	}
}

func (in *taxOpeningInput) Subject() string { return "tax-year/" + in.Member }

func (o TaxOpening) input() withdrawal.OpeningInput {
	return withdrawal.OpeningInput{
		Opening: tax.Opening{Kind: o.Kind, Gross: o.Gross, Tax: o.Tax, Since: o.Since}, Member: o.Member, Year: o.Year, Why: o.Reason,
	}
}

func (c *Console) declareTaxOpenings() {
	openings := &room.TwoPeople[TaxOpening]{
		Room: c.room, Kind: "tax-opening", Tag: tagTaxTables, What: "累计预扣期初数",
		Read: staff.TaxRead, Propose: staff.TaxDraft, Confirm: staff.TaxPublish,
		About: func(o TaxOpening) []string { return []string{o.Member} },
		Check: func(ctx context.Context, o TaxOpening) error {
			if err := c.room.RequireMember(ctx, o.Member); err != nil {
				return err
			}
			return c.payouts.CheckOpening(o.input())
		},
		Do: func(ctx context.Context, d *staff.Draft, o TaxOpening) (room.Done, error) {
			in := o.input()
			in.Maker, in.Checker, in.Draft = d.Maker, edge.Caller(ctx), d.ID
			return room.Done{Result: "tax-year/" + o.Member + "/" + strconv.Itoa(o.Year)}, c.payouts.SetOpening(ctx, in)
		},
	}
	write(c, edge.Operation{
		ID: "offer-tax-opening", Method: "POST", Path: "/console/api/purses/{member}/tax-openings", Tag: tagTaxTables, Status: 202,
		Summary:    "提议一个人当年的期初数（此前已付的收入与已预扣的税），待他人确认：累计预扣从它接着算",
		Permission: string(staff.TaxDraft),
	}, func(ctx context.Context, in *taxOpeningInput, d *deed) (*room.DraftOutput[TaxOpening], error) {
		b := &in.Body
		o := TaxOpening{in.Member, b.Year, b.Kind, b.Gross, b.Tax, b.Since, b.Reason}
		title := strconv.Itoa(b.Year) + " 年 " + in.Member + " 的期初：收入 " + b.Gross.Yuan() + " 元，已扣 " + b.Tax.Yuan() + " 元"
		draft, err := openings.Offer(ctx, in.Key, title, o, d.Deed)
		return openings.Show(ctx, draft, err)
	})
	openings.Declare()
}
