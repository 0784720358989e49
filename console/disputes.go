package console

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// DisputePath names a dispute.
type DisputePath struct {
	Dispute string `path:"dispute" minLength:"1" maxLength:"64"`
}

func (p DisputePath) Subject() string { return "dispute/" + p.Dispute }

// DisputeView is a member's doubt with the evidence as it stood then.
type DisputeView struct {
	ID         string                  `json:"id"`
	Member     string                  `json:"member"`
	Entry      string                  `json:"entry"`
	Words      string                  `json:"words" doc:"会员的疑问"`
	OpenedAt   time.Time               `json:"opened_at"`
	Sentence   string                  `json:"sentence" doc:"当时账本的说明"`
	Evidence   []string                `json:"evidence" doc:"当时的推导过程"`
	State      commission.DisputeState `json:"state" enum:"open,upheld,declined"`
	By         string                  `json:"by,omitempty"`
	AnsweredAt time.Time               `json:"answered_at,omitzero"`
	Answer     string                  `json:"answer,omitempty"`
	Voucher    string                  `json:"voucher,omitempty" doc:"据以补正的凭证"`
}

type disputeOutput struct {
	Body struct {
		People
		DisputeView
	}
}

type disputesInput struct {
	edge.Paged
	State  commission.DisputeState `query:"state" enum:"open,upheld,declined" default:"open"`
	Member string                  `query:"member" maxLength:"120" doc:"只看这位会员的，不论状态"`
}

type disputesOutput struct {
	Body struct {
		People
		Disputes []DisputeView `json:"disputes" doc:"从新到旧"`
		Next     string        `json:"next,omitempty"`
	}
}

type answerInput struct {
	edge.Keyed
	DisputePath
	Body struct {
		State   commission.DisputeState `json:"state" enum:"upheld,declined" doc:"upheld：会员是对的；declined：账本是对的"`
		Words   string                  `json:"words" minLength:"2" maxLength:"1000" doc:"给会员的答复"`
		Voucher string                  `json:"voucher,omitempty" maxLength:"64" doc:"据以补正的凭证"`
	}
}

const tagDisputes = "申诉"

func viewDispute(d *commission.Dispute) DisputeView {
	v := DisputeView{
		ID: d.ID, Member: d.Member, Entry: d.Entry, Words: d.Words, OpenedAt: d.OpenedAt, Sentence: d.Sentence,
		Evidence: d.Evidence, State: d.State, By: d.By, AnsweredAt: d.AnsweredAt, Answer: d.Answer, Voucher: d.Voucher,
	}
	if v.Evidence == nil {
		v.Evidence = []string{}
	}
	return v
}

func (c *Console) showDispute(ctx context.Context, d *commission.Dispute, err error) (*disputeOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &disputeOutput{}
	out.Body.DisputeView = viewDispute(d)
	out.Body.People, err = c.peopleOf(ctx, d.By)
	return out, err
}

func (c *Console) declareDisputes() {
	edge.Register(c.edge, edge.Operation{
		ID: "disputes", Method: "GET", Path: "/console/api/disputes", Tag: tagDisputes, Summary: "会员的申诉",
		Permission: string(staff.DisputeRead),
	}, c.disputes)
	edge.Register(c.edge, edge.Operation{
		ID: "dispute", Method: "GET", Path: "/console/api/disputes/{dispute}", Tag: tagDisputes, Summary: "一条申诉与证据",
		Permission: string(staff.DisputeRead),
	}, func(ctx context.Context, in *DisputePath) (*disputeOutput, error) {
		d, err := c.ledger.Dispute(ctx, in.Dispute)
		return c.showDispute(ctx, d, err)
	})
	write(c, edge.Operation{
		ID: "answer-dispute", Method: "POST", Path: "/console/api/disputes/{dispute}/answer", Tag: tagDisputes, Summary: "答复申诉",
		Permission: string(staff.DisputeAnswer),
	}, func(ctx context.Context, in *answerInput, deed *deed) (*disputeOutput, error) {
		deed.After = string(in.Body.State) + " " + in.Body.Words
		seen, err := c.ledger.Dispute(ctx, in.Dispute)
		if err == nil {
			err = room.Impartial(ctx, seen.Member)
		}
		if err != nil {
			return nil, err
		}
		d, err := c.ledger.AnswerDispute(ctx, commission.DisputeAnswer{
			Dispute: in.Dispute, By: edge.Caller(ctx), Words: in.Body.Words, State: in.Body.State, Voucher: in.Body.Voucher,
		})
		return c.showDispute(ctx, d, err)
	})
}

func (c *Console) disputes(ctx context.Context, in *disputesInput) (*disputesOutput, error) {
	var page docstore.Page[commission.Dispute]
	var err error
	if in.Member != "" {
		page, err = c.ledger.DisputesOf(ctx, in.Member, paging(in.Paged))
	} else {
		page, err = c.ledger.Disputes(ctx, in.State, paging(in.Paged))
	}
	if err != nil {
		return nil, err
	}
	out := &disputesOutput{}
	out.Body.Disputes, out.Body.Next = each(page.Items, viewDispute), page.Next
	out.Body.People, err = c.peopleOf(ctx, each(page.Items, func(d *commission.Dispute) string { return d.By })...)
	return out, err
}
