package console

import (
	"context"
	"time"

	"guanxi/commission/tax"
	"guanxi/commission/withdrawal"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// PayeeView is what staff sees of a payee: what they are to the tax office, and enough of the particulars to tell whether
// there are any.
type PayeeView struct {
	Member    string    `json:"member"`
	Kind      tax.Kind  `json:"kind" enum:"resident,business,foreign" doc:"resident 居民个人，business 个体户或企业，foreign 非居民个人"`
	RealName  string    `json:"real_name,omitempty" doc:"打码，只露出最后一个字"`
	IDNumber  string    `json:"id_number,omitempty" doc:"打码，最多露出最后四位"`
	By        string    `json:"by,omitempty" doc:"最后由谁填写：会员本人或员工"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
}

type payeeOutput struct {
	Body struct {
		People
		Nicknames
		PayeeView
	}
}

type setKindInput struct {
	edge.Keyed
	MemberPath
	Body struct {
		Kind   tax.Kind `json:"kind" enum:"resident,business,foreign"`
		Reason string   `json:"reason" minLength:"2" maxLength:"200" doc:"依据，如营业执照或居住证明"`
	}
}

func (in *setKindInput) Subject() string { return "payee/" + in.Member }

func (c *Console) showPayee(ctx context.Context, p *withdrawal.Payee, err error) (*payeeOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &payeeOutput{}
	b := &out.Body
	b.PayeeView = PayeeView{
		Member: p.ID, Kind: p.Kind, RealName: maskEnd(p.RealName.Reveal(), 1), IDNumber: maskEnd(p.IDNumber.Reveal(), 4),
		By: p.By, ChangedAt: p.ChangedAt,
	}
	if b.People, err = c.peopleOf(ctx, p.By); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, p.ID)
	return out, err
}

func (c *Console) declarePayees() {
	edge.Register(c.edge, edge.Operation{
		ID: "payee", Method: "GET", Path: "/console/api/purses/{member}/payee", Tag: tagPurses, Summary: "一个人的收款人资料（打码）",
		Permission: string(staff.PayeeRead),
	}, func(ctx context.Context, in *MemberPath) (*payeeOutput, error) {
		p, err := c.payouts.Payee(ctx, in.Member)
		return c.showPayee(ctx, p, err)
	})
	kinds := c.payeeKinds()
	write(c, edge.Operation{
		ID: "set-payee-kind", Method: "PUT", Path: "/console/api/purses/{member}/payee-kind", Tag: tagPurses,
		Summary: "提议认定收款人类型，待他人确认：决定以后的付款怎么扣税", Permission: string(staff.PayeeSet), Status: 202,
	}, func(ctx context.Context, in *setKindInput, d *deed) (*room.DraftOutput[KindChange], error) {
		was, err := c.payouts.Payee(ctx, in.Member)
		if err != nil {
			return nil, err
		}
		change := KindChange{Member: in.Member, Was: was.Kind, Kind: in.Body.Kind, Reason: in.Body.Reason}
		title := "认定 " + in.Member + " 为 " + string(in.Body.Kind) + "：" + in.Body.Reason
		draft, err := kinds.Offer(ctx, in.Key, title, change, d.Deed)
		return kinds.Show(ctx, draft, err)
	})
	kinds.Declare()
}

// KindChange is a kind of payee that somebody proposes.
type KindChange struct {
	Member string   `json:"member"`
	Was    tax.Kind `json:"was" doc:"提议时的类型"`
	Kind   tax.Kind `json:"kind" enum:"resident,business,foreign"`
	Reason string   `json:"reason"`
}

func (c *Console) payeeKinds() *room.TwoPeople[KindChange] {
	return &room.TwoPeople[KindChange]{
		Room: c.room, Kind: "payee", Tag: tagPurses, What: "收款人类型",
		Read: staff.PayeeRead, Propose: staff.PayeeSet, Confirm: staff.PayeeConfirm,
		About: func(k KindChange) []string { return []string{k.Member} },
		Check: func(ctx context.Context, k KindChange) error { return c.room.RequireMember(ctx, k.Member) },
		Do: func(ctx context.Context, d *staff.Draft, k KindChange) (room.Done, error) {
			now, err := c.payouts.Payee(ctx, k.Member)
			if err == nil && now.Kind != k.Was && now.Kind != k.Kind {
				err = room.ErrStale
			}
			if err == nil {
				_, _, err = c.payouts.SetKind(ctx, withdrawal.KindInput{Member: k.Member, Kind: k.Kind, By: d.Maker})
			}
			return room.Done{Result: "payee/" + k.Member}, err
		},
	}
}
