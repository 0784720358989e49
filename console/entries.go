package console

import (
	"context"
	"encoding/hex"
	"time"

	"guanxi/commission"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// EntryView is an entry with everything it says.
type EntryView struct {
	ID       string          `json:"id"`
	Book     string          `json:"book"`
	Kind     commission.Kind `json:"kind"`
	Order    string          `json:"order,omitempty"`
	Number   string          `json:"number,omitempty" doc:"提现或凭证编号"`
	At       time.Time       `json:"at"`
	Policy   int             `json:"policy,omitempty"`
	Postings []postingView   `json:"postings" doc:"合计为零"`
	Notes    []noteView      `json:"notes,omitempty"`
	Hash     string          `json:"hash"`
	Seal     int64           `json:"seal,omitempty" doc:"封存在第几号账页"`
}

type postingView struct {
	Account commission.Account `json:"account"`
	Amount  money.Fen          `json:"amount_fen"`
	Line    int                `json:"line,omitempty"`
	Role    commission.Role    `json:"role,omitempty"`
	Rule    string             `json:"rule,omitempty"`
	Full    money.Fen          `json:"full_fen,omitempty" doc:"封顶之前"`
}

type noteView struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// FoundEntry is an entry as a search shows it: with the stored text and, for everybody it moves, the explanation.
type FoundEntry struct {
	EntryView
	Text         string            `json:"text" doc:"入账原文，哈希即据此计算"`
	Explanations []ExplanationView `json:"explanations"`
}

// ExplanationView says why an entry moved somebody's purse by exactly that much.
type ExplanationView struct {
	Entry    string          `json:"entry"`
	Kind     commission.Kind `json:"kind"`
	Order    string          `json:"order,omitempty"`
	Number   string          `json:"number,omitempty"`
	At       time.Time       `json:"at"`
	Change   balanceView     `json:"change"`
	Sentence string          `json:"sentence"`
	Steps    []string        `json:"steps"`
	NotYet   string          `json:"not_yet,omitempty" doc:"为什么还不能提现"`
	Policy   int             `json:"policy,omitempty"`
	Referral *referralView   `json:"referral,omitempty"`
	Parts    []partView      `json:"parts"`
	Seal     int64           `json:"seal,omitempty"`
}

type referralView struct {
	Policy string `json:"policy,omitempty"`
	Direct string `json:"direct,omitempty"`
	Upline string `json:"upline,omitempty"`
	Why    string `json:"why,omitempty"`
	Share  string `json:"share,omitempty"`
	Touch  string `json:"touch,omitempty"`
}

type partView struct {
	Line      int               `json:"line"`
	SKU       string            `json:"sku,omitempty"`
	Product   string            `json:"product,omitempty"`
	Role      commission.Role   `json:"role"`
	Rule      string            `json:"rule"`
	Rate      money.BasisPoints `json:"rate_bp,omitempty"`
	Fixed     money.Fen         `json:"fixed_fen,omitempty"`
	Base      money.Fen         `json:"base_fen"`
	Units     int64             `json:"units"`
	Full      money.Fen         `json:"full_fen"`
	Amount    money.Fen         `json:"amount_fen"`
	Refunded  money.Fen         `json:"refunded_fen" doc:"基数中已退款"`
	TakenBack money.Fen         `json:"taken_back_fen"`
	Left      money.Fen         `json:"left_fen"`
	Due       time.Time         `json:"due,omitzero"`
	Settled   bool              `json:"settled"`
}

type entriesInput struct {
	About string `query:"about" required:"true" minLength:"1" maxLength:"200" doc:"分录编号、订单号、提现编号或凭证编号"`
}

type entriesOutput struct {
	Body struct {
		Nicknames
		Entries []FoundEntry `json:"entries" doc:"按时间先后，最多 100 条"`
	}
}

type explainInput struct {
	Entry  string `query:"entry" required:"true" minLength:"1" maxLength:"200"`
	Member string `query:"member" required:"true" minLength:"1" maxLength:"120" doc:"会员，或 staff:<员工>"`
}

type explanationOutput struct {
	Body struct {
		Nicknames
		ExplanationView
	}
}

const tagBooks = "账本"

func viewEntry(e *commission.Entry) EntryView {
	return EntryView{
		ID: e.ID, Book: e.Book, Kind: e.Kind, Order: e.Order, Number: e.Number, At: e.At, Policy: e.Policy,
		Hash: hex.EncodeToString(e.Hash[:]), Seal: e.Seal,
		Notes: each(e.Notes, func(n commission.Note) noteView { return noteView{n.Key, n.Value} }),
		Postings: each(e.Postings, func(p commission.Posting) postingView {
			return postingView{p.Account, p.Amount, p.Line, p.Role, p.Rule, p.Full}
		}),
	}
}

func viewFound(e commission.EntryView) FoundEntry {
	return FoundEntry{viewEntry(e.Entry), e.Text, each(e.Members, viewExplanation)}
}

func viewExplanation(x commission.Explanation) ExplanationView {
	v := ExplanationView{
		Entry: x.Entry, Kind: x.Kind, Order: x.Order, Number: x.Number, At: x.At, Change: viewBalance(x.Change),
		Sentence: x.Sentence, Steps: append([]string{}, x.Steps...), NotYet: x.NotYet, Policy: x.Policy, Seal: x.Sealed,
		Parts: each(x.Parts, func(p commission.Part) partView {
			return partView{
				p.Line, p.SKU, p.Product, p.Role, p.Rule, p.Pay.Rate, p.Pay.Fixed, p.Base, p.Units, p.Full, p.Amount, p.Refunded,
				p.TakenBack, p.Left, p.Due, p.Settled,
			}
		}),
	}
	if r := x.Referral; r != (commission.Referral{}) {
		v.Referral = &referralView{r.Policy, r.Direct, r.Upline, r.Why, r.Share, r.Touch}
	}
	return v
}

func (c *Console) declareEntries() {
	edge.Register(c.edge, edge.Operation{
		ID: "entries", Method: "GET", Path: "/console/api/entries", Tag: tagBooks, Summary: "按编号、订单或提现查分录，并说明每一分钱",
		Permission: string(staff.EntryRead), Weight: 4,
	}, func(ctx context.Context, in *entriesInput) (*entriesOutput, error) {
		found, err := c.ledger.FindEntries(ctx, in.About)
		if err != nil {
			return nil, err
		}
		out := &entriesOutput{}
		out.Body.Entries = each(found, viewFound)
		var members []string
		for _, e := range found {
			members = append(members, membersOf(e.Entry)...)
			for _, x := range e.Members {
				members = append(members, x.Referral.Direct, x.Referral.Upline)
			}
		}
		out.Body.Nicknames, err = c.nicknamesOf(ctx, members...)
		return out, err
	})
	edge.Register(c.edge, edge.Operation{
		ID: "explain-entry", Method: "GET", Path: "/console/api/entries/explanation", Tag: tagBooks, Summary: "一笔账对一个人为什么是这个数",
		Permission: string(staff.EntryRead),
	}, func(ctx context.Context, in *explainInput) (*explanationOutput, error) {
		x, err := c.ledger.Explain(ctx, in.Member, in.Entry)
		if err != nil {
			return nil, err
		}
		out := &explanationOutput{}
		out.Body.ExplanationView = viewExplanation(x)
		out.Body.Nicknames, err = c.nicknamesOf(ctx, in.Member, x.Referral.Direct, x.Referral.Upline)
		return out, err
	})
}
