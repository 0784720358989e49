package console

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// MemberPath names a member, or a person of staff as staff:<id>.
type MemberPath struct {
	Member string `path:"member" minLength:"1" maxLength:"120"`
}

type lineView struct {
	No     int64             `json:"no"`
	Entry  string            `json:"entry"`
	Kind   commission.Kind   `json:"kind"`
	Order  string            `json:"order,omitempty"`
	Number string            `json:"number,omitempty"`
	At     time.Time         `json:"at"`
	Roles  []commission.Role `json:"roles,omitempty"`
	Change balanceView       `json:"change"`
	Reason string            `json:"reason"`
}

type purseOutput struct {
	Body struct {
		Member   string      `json:"member"`
		Nickname string      `json:"nickname,omitempty" doc:"打码昵称"`
		Balance  balanceView `json:"balance"`
		Held     money.Fen   `json:"held_fen" doc:"可提现中，正在申请、尚未入账的部分"`
		Lines    int64       `json:"lines" doc:"明细总行数"`
		Newest   []lineView  `json:"newest" doc:"最近的明细"`
	}
}

type statementOutput struct {
	Body struct {
		Nickname string     `json:"nickname,omitempty" doc:"打码昵称"`
		Lines    []lineView `json:"lines" doc:"从新到旧"`
		Next     string     `json:"next,omitempty"`
	}
}

func viewLine(l commission.Line) lineView {
	return lineView{l.No, l.Entry, l.Kind, l.Order, l.Number, l.At, l.Roles, viewBalance(l.Change), l.Reason}
}

func (c *Console) declarePurses() {
	edge.Register(c.edge, edge.Operation{
		ID: "purse", Method: "GET", Path: "/console/api/purses/{member}", Tag: tagPurses, Summary: "一个人的佣金账户",
		Permission: string(staff.PurseRead),
	}, func(ctx context.Context, in *MemberPath) (*purseOutput, error) {
		p, err := c.ledger.Purse(ctx, in.Member)
		if err != nil {
			return nil, err
		}
		out := &purseOutput{}
		b := &out.Body
		b.Member, b.Balance, b.Held, b.Lines = in.Member, viewBalance(p.Balance), p.Held, p.Lines
		b.Newest = each(p.Newest, viewLine)
		b.Nickname, err = c.nicknameOf(ctx, in.Member)
		return out, err
	})
	edge.Register(c.edge, edge.Operation{
		ID: "purse-statement", Method: "GET", Path: "/console/api/purses/{member}/statement", Tag: tagPurses, Summary: "佣金明细",
		Permission: string(staff.PurseRead),
	}, func(ctx context.Context, in *struct {
		MemberPath
		edge.Paged
	},
	) (*statementOutput, error) {
		s, err := c.ledger.Statement(ctx, in.Member, commission.Page{Size: in.Limit, After: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &statementOutput{}
		out.Body.Lines, out.Body.Next = each(s.Lines, viewLine), s.Next
		out.Body.Nickname, err = c.nicknameOf(ctx, in.Member)
		return out, err
	})
}

const tagPurses = "佣金账户"
