// Package communities is the room of the console where the brand looks after the hosts' communities: their pickup points
// and who belongs to them.
package communities

import (
	"context"
	"time"

	"guanxi/community"
	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// Communities is the hosts' communities; *community.Service satisfies it.
type Communities interface {
	List(ctx context.Context, p docstore.Paging) (docstore.Page[community.Community], error)
	ByHost(ctx context.Context, host string, p docstore.Paging) (docstore.Page[community.Community], error)
	Get(ctx context.Context, community string) (*community.Community, error)
	MemberCount(ctx context.Context, community string) (int, error)
	InState(ctx context.Context, community string, in community.State, p docstore.Paging) (docstore.Page[community.Membership], error)
	Membership(ctx context.Context, community, member string) (*community.Membership, error)
	Decide(ctx context.Context, d community.BrandMove) (*community.Membership, error)
	BrandClosePoint(ctx context.Context, community, point string) error
}

type desk struct {
	room        *room.Room
	communities Communities
}

// CommunityPath names a community.
type CommunityPath struct {
	Community string `path:"community" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

// Subject is the thing's name in the audit log.
func (p CommunityPath) Subject() string { return "community/" + p.Community }

// MemberPath names somebody in a community.
type MemberPath struct {
	CommunityPath
	Member string `path:"member" minLength:"1" maxLength:"100" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

// Subject is the thing's name in the audit log.
func (p MemberPath) Subject() string { return p.CommunityPath.Subject() + "/" + p.Member }

// CommunityView is a community as the brand sees it.
type CommunityView struct {
	ID        string      `json:"id"`
	Host      string      `json:"host"`
	Name      string      `json:"name"`
	Words     string      `json:"words,omitempty"`
	Notice    string      `json:"notice,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	Points    []PointView `json:"pickup_points"`
	Members   int         `json:"members,omitempty" doc:"成员数，最多数到 10000；只在单个查看时给出"`
}

// PointView is a pickup point.
type PointView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Address string `json:"address"`
	Hours   string `json:"hours,omitempty"`
	Keeper  string `json:"keeper,omitempty"`
	Closed  bool   `json:"closed,omitempty"`
}

// MembershipView is somebody in a community, and how they came and went.
type MembershipView struct {
	Member   string          `json:"member"`
	State    community.State `json:"state" enum:"active,left,removed"`
	JoinedAt time.Time       `json:"joined_at"`
	History  []MoveView      `json:"history" doc:"从旧到新"`
}

// MoveView is one line of it.
type MoveView struct {
	Step   community.Step `json:"step" enum:"join,leave,remove,readmit"`
	By     string         `json:"by,omitempty" doc:"员工编号；空为本人或团长"`
	Reason string         `json:"reason,omitempty"`
	At     time.Time      `json:"at"`
}

type listInput struct {
	edge.Paged
	Host string `query:"host" maxLength:"100" doc:"只列这位团长的"`
}

type communitiesOutput struct {
	Body struct {
		room.Nicknames
		Communities []CommunityView `json:"communities" doc:"从新到旧"`
		Next        string          `json:"next,omitempty"`
	}
}

type communityOutput struct {
	Body struct {
		room.Nicknames
		CommunityView
	}
}

type membersInput struct {
	CommunityPath
	edge.Paged
	State community.State `query:"state" enum:"active,left,removed" default:"active"`
}

type communityMembersOutput struct {
	Body struct {
		room.People
		room.Nicknames
		Members []MembershipView `json:"members" doc:"最近加入的在前"`
		Next    string           `json:"next,omitempty"`
	}
}

type communityMemberOutput struct {
	Body struct {
		room.People
		room.Nicknames
		MembershipView
	}
}

type reason struct {
	Reason string `json:"reason" minLength:"2" maxLength:"200"`
}

type decideMemberInput struct {
	edge.Keyed
	MemberPath
	Body reason
}

type closePointInput struct {
	edge.Keyed
	CommunityPath
	Point string `path:"point" minLength:"1" maxLength:"64"`
	Body  reason
}

const tag = "社群"

// Declare puts the room's operations on the router.
func Declare(r *room.Room, s Communities) {
	c := &desk{r, s}
	read, manage := string(staff.CommunityRead), string(staff.CommunityManage)
	room.Read(r, edge.Operation{
		ID: "communities", Method: "GET", Path: "/console/api/communities", Tag: tag, Summary: "所有社群", Permission: read,
	}, c.list)
	room.Read(r, edge.Operation{
		ID: "community", Method: "GET", Path: "/console/api/communities/{community}", Tag: tag, Summary: "一个社群与它的自提点", Permission: read,
	}, func(ctx context.Context, in *CommunityPath) (*communityOutput, error) {
		return c.show(ctx, in.Community)
	})
	room.Read(r, edge.Operation{
		ID: "community-members", Method: "GET", Path: "/console/api/communities/{community}/members", Tag: tag, Summary: "社群成员", Permission: read,
	}, c.members)
	room.Read(r, edge.Operation{
		ID: "community-member", Method: "GET", Path: "/console/api/communities/{community}/members/{member}", Tag: tag,
		Summary: "一位成员在社群中的来去", Permission: read,
	}, func(ctx context.Context, in *MemberPath) (*communityMemberOutput, error) {
		m, err := s.Membership(ctx, in.Community, in.Member)
		return c.showMember(ctx, m, err)
	})
	for _, one := range []struct {
		step    community.Step
		summary string
	}{
		{community.StepRemove, "移出成员：不能自行再加入"},
		{community.StepReadmit, "让被移出的成员重新加入"},
	} {
		room.Write(r, edge.Operation{
			ID: string(one.step) + "-member", Method: "POST", Path: "/console/api/communities/{community}/members/{member}/" + string(one.step), Tag: tag,
			Summary: one.summary, Permission: manage,
		}, func(ctx context.Context, in *decideMemberInput, d *room.Deed) (*communityMemberOutput, error) {
			return c.decide(ctx, in, one.step, d)
		})
	}
	room.Write(r, edge.Operation{
		ID: "close-pickup-point", Method: "POST", Path: "/console/api/communities/{community}/pickup-points/{point}/close", Tag: tag,
		Summary: "停用自提点：不再接新订单，已下的订单不变", Permission: manage,
	}, func(ctx context.Context, in *closePointInput, d *room.Deed) (*communityOutput, error) {
		d.After = "close " + in.Point + ": " + in.Body.Reason
		if err := s.BrandClosePoint(ctx, in.Community, in.Point); err != nil {
			return nil, err
		}
		return c.show(ctx, in.Community)
	})
}

func (c *desk) list(ctx context.Context, in *listInput) (*communitiesOutput, error) {
	var page docstore.Page[community.Community]
	var err error
	if in.Host != "" {
		page, err = c.communities.ByHost(ctx, in.Host, room.Paging(in.Paged))
	} else {
		page, err = c.communities.List(ctx, room.Paging(in.Paged))
	}
	if err != nil {
		return nil, err
	}
	out := &communitiesOutput{}
	out.Body.Communities, out.Body.Next = room.Each(page.Items, view), page.Next
	out.Body.Nicknames, err = c.room.NicknamesOf(ctx, room.Each(page.Items, func(one *community.Community) string { return one.Host })...)
	return out, err
}

func (c *desk) show(ctx context.Context, number string) (*communityOutput, error) {
	found, err := c.communities.Get(ctx, number)
	if err != nil {
		return nil, err
	}
	out := &communityOutput{}
	out.Body.CommunityView = view(found)
	if out.Body.Members, err = c.communities.MemberCount(ctx, number); err != nil {
		return nil, err
	}
	people := []string{found.Host}
	for _, p := range found.Points {
		people = append(people, p.Keeper)
	}
	out.Body.Nicknames, err = c.room.NicknamesOf(ctx, people...)
	return out, err
}

func (c *desk) members(ctx context.Context, in *membersInput) (*communityMembersOutput, error) {
	page, err := c.communities.InState(ctx, in.Community, in.State, room.Paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &communityMembersOutput{}
	b := &out.Body
	b.Members, b.Next = room.Each(page.Items, viewMember), page.Next
	var members, people []string
	for _, m := range page.Items {
		members = append(members, m.Member)
		people = append(people, deciders(m)...)
	}
	if b.People, err = c.room.PeopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.room.NicknamesOf(ctx, members...)
	return out, err
}

func (c *desk) decide(ctx context.Context, in *decideMemberInput, step community.Step, d *room.Deed) (*communityMemberOutput, error) {
	d.After = string(step) + ": " + in.Body.Reason
	found, err := c.communities.Get(ctx, in.Community)
	if err != nil {
		return nil, err
	}
	if err := room.Impartial(ctx, in.Member, found.Host); err != nil {
		return nil, err
	}
	was, err := c.communities.Membership(ctx, in.Community, in.Member)
	if err != nil {
		return nil, err
	}
	d.Before = string(was.State)
	m, err := c.communities.Decide(ctx, community.BrandMove{
		Community: in.Community, Member: in.Member, Step: step, By: edge.Caller(ctx), Reason: in.Body.Reason,
	})
	return c.showMember(ctx, m, err)
}

func (c *desk) showMember(ctx context.Context, m *community.Membership, err error) (*communityMemberOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &communityMemberOutput{}
	b := &out.Body
	b.MembershipView = viewMember(m)
	if b.People, err = c.room.PeopleOf(ctx, deciders(m)...); err != nil {
		return nil, err
	}
	b.Nicknames, err = c.room.NicknamesOf(ctx, m.Member)
	return out, err
}

func deciders(m *community.Membership) []string {
	return room.Each(m.History, func(one community.Move) string { return one.By })
}

func view(c *community.Community) CommunityView {
	return CommunityView{
		ID: c.ID, Host: c.Host, Name: c.Name, Words: c.Words, Notice: c.Notice, CreatedAt: c.CreatedAt,
		Points: room.Each(c.Points, func(p community.Point) PointView {
			return PointView{p.ID, p.Name, p.Address, p.Hours, p.Keeper, p.Closed}
		}),
	}
}

func viewMember(m *community.Membership) MembershipView {
	return MembershipView{m.Member, m.State, m.JoinedAt, room.Each(m.History, func(one community.Move) MoveView {
		return MoveView{one.Step, one.By, one.Reason, one.At}
	})}
}
