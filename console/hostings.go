package console

import (
	"context"
	"time"

	"guanxi/commission"
	"guanxi/community/hosting"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// Hostings is who may host; *hosting.Service satisfies it.
type Hostings interface {
	ByState(ctx context.Context, in hosting.State, p docstore.Paging) (docstore.Page[hosting.Hosting], error)
	Standing(ctx context.Context, member string) (*hosting.Hosting, error)
	Decide(ctx context.Context, d hosting.Decision) (*hosting.Hosting, error)
}

// Relations finds what ties members to each other. What it finds is shown to the reviewer and refuses nobody.
type Relations interface {
	Of(ctx context.Context, member string) ([]Relation, error)
}

// Relation is one finding.
type Relation struct {
	Kind    string   `json:"kind" enum:"self,wallet,paper,device,keeper" doc:"同一人、同一微信钱包、同一证件号、同一设备、同一自提点负责人"`
	Members []string `json:"members" doc:"涉及的会员"`
}

// Links tells which member an operator is, when the brand knows.
type Links interface {
	MemberOf(ctx context.Context, operator string) (member string, err error)
}

// benefits refuses operators who would decide about themselves: as staff, or as the member they are.
func (c *Console) benefits(ctx context.Context, members ...string) error {
	me := []string{commission.Staff(edge.Caller(ctx))}
	if c.links != nil {
		linked, err := c.links.MemberOf(ctx, edge.Caller(ctx))
		if err != nil {
			return err
		}
		me = append(me, linked)
	}
	for _, m := range members {
		for _, mine := range me {
			if m != "" && m == mine {
				return ErrOwnCase
			}
		}
	}
	return nil
}

// HostingView is a member's standing as a host.
type HostingView struct {
	Member    string            `json:"member"`
	State     hosting.State     `json:"state" enum:"applied,carried,approved,revoked,refused"`
	Words     string            `json:"words" doc:"最近一次申请的说明"`
	Since     time.Time         `json:"since" doc:"处于这个状态自何时"`
	History   []hostingMoveView `json:"history" doc:"从旧到新"`
	Relations []Relation        `json:"relations,omitempty" doc:"仅供审核参考；只在单个查看时给出"`
}

type hostingMoveView struct {
	Step   hosting.Step `json:"step" enum:"apply,approve,refuse,revoke,reinstate,carry"`
	By     string       `json:"by,omitempty" doc:"员工编号；空为会员本人或规则生效时的清点"`
	Reason string       `json:"reason,omitempty"`
	At     time.Time    `json:"at"`
}

type hostingsInput struct {
	edge.Paged
	State hosting.State `query:"state" required:"true" enum:"applied,carried,approved,revoked,refused"`
}

type hostingsOutput struct {
	Body struct {
		People
		Nicknames
		Hostings []HostingView `json:"hostings" doc:"等得最久的在前"`
		Next     string        `json:"next,omitempty"`
	}
}

type hostingOutput struct {
	Body struct {
		People
		Nicknames
		HostingView
	}
}

type decideHostingInput struct {
	edge.Keyed
	HostPath
	Body struct {
		Reason string `json:"reason" minLength:"2" maxLength:"200" doc:"会员看得到"`
	}
}

const tagHosting = "团长资格"

func (c *Console) declareHostings() {
	edge.Register(c.edge, edge.Operation{
		ID: "hostings", Method: "GET", Path: "/console/api/hostings", Tag: tagHosting,
		Summary: "按状态列出团长资格；carried 是规则生效前就有社群、等待复核的团长", Permission: string(staff.HostingRead),
	}, c.listHostings)
	edge.Register(c.edge, edge.Operation{
		ID: "hosting", Method: "GET", Path: "/console/api/hostings/{host}", Tag: tagHosting, Summary: "一位会员的团长资格、历史与关联提示",
		Permission: string(staff.HostingRead),
	}, func(ctx context.Context, in *HostPath) (*hostingOutput, error) {
		h, err := c.hosting.Standing(ctx, in.Host)
		return c.showHosting(ctx, h, err)
	})
	for _, one := range []struct {
		step    hosting.Step
		summary string
	}{
		{hosting.StepApprove, "通过申请，或复核通过"},
		{hosting.StepRefuse, "不通过申请，说明原因"},
		{hosting.StepRevoke, "暂停资格：立即不再接单，已付款的继续完成，退款由品牌决定"},
		{hosting.StepReinstate, "恢复资格"},
	} {
		write(c, edge.Operation{
			ID: string(one.step) + "-hosting", Method: "POST", Path: "/console/api/hostings/{host}/" + string(one.step), Tag: tagHosting,
			Summary: one.summary, Permission: string(staff.HostingReview),
		}, func(ctx context.Context, in *decideHostingInput, d *deed) (*hostingOutput, error) {
			d.After = string(one.step) + ": " + in.Body.Reason
			if err := c.benefits(ctx, in.Host); err != nil {
				return nil, err
			}
			was, err := c.hosting.Standing(ctx, in.Host)
			if err != nil {
				return nil, err
			}
			d.Before = string(was.State)
			h, err := c.hosting.Decide(ctx, hosting.Decision{Member: in.Host, Step: one.step, By: edge.Caller(ctx), Reason: in.Body.Reason})
			return c.showHosting(ctx, h, err)
		})
	}
}

func viewHosting(h *hosting.Hosting) HostingView {
	return HostingView{Member: h.ID, State: h.State, Words: h.Words, Since: h.Since, History: each(h.History, func(m hosting.Move) hostingMoveView {
		return hostingMoveView{m.Step, m.By, m.Reason, m.At}
	})}
}

func (c *Console) listHostings(ctx context.Context, in *hostingsInput) (*hostingsOutput, error) {
	page, err := c.hosting.ByState(ctx, in.State, paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &hostingsOutput{}
	b := &out.Body
	b.Hostings, b.Next = each(page.Items, viewHosting), page.Next
	var people, members []string
	for _, h := range page.Items {
		members = append(members, h.ID)
		for _, m := range h.History {
			people = append(people, m.By)
		}
	}
	if b.People, err = c.peopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, members...)
	return out, err
}

func (c *Console) showHosting(ctx context.Context, h *hosting.Hosting, err error) (*hostingOutput, error) {
	if err != nil {
		return nil, err
	}
	if h.State == hosting.None {
		return nil, hosting.ErrNotFound
	}
	out := &hostingOutput{}
	b := &out.Body
	b.HostingView = viewHosting(h)
	if b.Relations, err = c.relations.Of(ctx, h.ID); err != nil {
		return nil, err
	}
	members := []string{h.ID}
	for _, r := range b.Relations {
		members = append(members, r.Members...)
	}
	if b.People, err = c.peopleOf(ctx, each(h.History, func(m hosting.Move) string { return m.By })...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.nicknamesOf(ctx, members...)
	return out, err
}
