// Package bonds is the room of the console about who is credited for whom: the bond of a member, changed by two people,
// and the rules that decide bonds, published and recalled by two people.
package bonds

import (
	"context"
	"time"

	"guanxi/console/room"
	"guanxi/distribution"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// Bonds is who is credited for whom; *distribution.Service satisfies it.
type Bonds interface {
	Why(ctx context.Context, member string) (*distribution.Explanation, error)
	BondOf(ctx context.Context, member string) (*distribution.Standing, error)
	Brought(ctx context.Context, by string, p docstore.Paging) (docstore.Page[distribution.Follower], error)
	Rebind(ctx context.Context, in distribution.RebindInput) (*distribution.Standing, error)

	Policy(ctx context.Context) (distribution.Policy, error)
	Policies(ctx context.Context) ([]distribution.Published, error)
	CheckPolicy(ctx context.Context, p distribution.Policy) (distribution.Policy, error)
	PublishPolicy(ctx context.Context, p distribution.Policy) (distribution.Policy, error)
	RecallPolicy(ctx context.Context, version string, r distribution.Recall) error
}

type desk struct {
	room  *room.Room
	bonds Bonds
}

// MemberPath names a member.
type MemberPath struct {
	Member string `path:"member" minLength:"1" maxLength:"100" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

// Subject is the thing's name in the audit log.
func (p MemberPath) Subject() string { return "bond/" + p.Member }

// Holder is one bond.
type Holder struct {
	By     string    `json:"by" doc:"归属的会员"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero" doc:"不填为长期"`
	Why    string    `json:"why" doc:"first-touch, last-touch, permanent, staff"`
	Policy string    `json:"policy" doc:"规则版本"`
}

type bondOutput struct {
	Body struct {
		room.People
		room.Nicknames
		Member  string     `json:"member"`
		Bond    *Holder    `json:"bond,omitempty" doc:"空为没有有效的归属"`
		Summary string     `json:"summary"`
		Lines   []BondLine `json:"lines" doc:"从旧到新"`
	}
}

// BondLine is one thing that led to a bond.
type BondLine struct {
	At    time.Time `json:"at"`
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	By    string    `json:"by,omitempty"`
	Staff string    `json:"staff,omitempty"`
}

type broughtInput struct {
	MemberPath
	edge.Paged
}

type broughtOutput struct {
	Body struct {
		room.Nicknames
		Members []BondOf `json:"members" doc:"最近归属的在前"`
		Next    string   `json:"next,omitempty"`
	}
}

// BondOf is one member that somebody is credited for.
type BondOf struct {
	Member  string    `json:"member"`
	InForce bool      `json:"in_force"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`
}

// Rebinding is another holder of a bond that somebody proposes.
type Rebinding struct {
	Member string `json:"member"`
	Was    string `json:"was" doc:"提议时的归属；空为没有"`
	To     string `json:"to" doc:"空为解除归属"`
	Reason string `json:"reason"`
}

type rebindInput struct {
	edge.Keyed
	MemberPath
	Body struct {
		To     string `json:"to" maxLength:"100" pattern:"^[A-Za-z0-9:_.@|-]*$" doc:"改归哪位会员；空为解除归属"`
		Reason string `json:"reason" minLength:"2" maxLength:"200" doc:"会员看得到"`
	}
}

const tag = "归属"

// Declare puts the room's operations on the router.
func Declare(r *room.Room, b Bonds) {
	d := &desk{r, b}
	read := string(staff.BondRead)
	room.Read(r, edge.Operation{
		ID: "bond", Method: "GET", Path: "/console/api/bonds/{member}", Tag: tag, Summary: "一位会员的归属与由来", Permission: read,
	}, d.show)
	room.Read(r, edge.Operation{
		ID: "brought", Method: "GET", Path: "/console/api/bonds/{member}/brought", Tag: tag, Summary: "归属于这位会员的人", Permission: read,
	}, d.brought)
	moves := d.moves()
	room.Write(r, edge.Operation{
		ID: "rebind", Method: "PUT", Path: "/console/api/bonds/{member}", Tag: tag, Status: 202, Permission: string(staff.BondPropose),
		Summary: "提议更改或解除归属，待他人确认：确认后对此后下的订单有效",
	}, func(ctx context.Context, in *rebindInput, deed *room.Deed) (*room.DraftOutput[Rebinding], error) {
		was, err := d.holder(ctx, in.Member)
		if err != nil {
			return nil, err
		}
		change := Rebinding{in.Member, was, in.Body.To, in.Body.Reason}
		title := "更改 " + in.Member + " 的归属为「" + in.Body.To + "」：" + in.Body.Reason
		draft, err := moves.Offer(ctx, in.Key, title, change, deed)
		return moves.Show(ctx, draft, err)
	})
	moves.Declare()
	d.declarePolicies()
}

func (d *desk) moves() *room.TwoPeople[Rebinding] {
	return &room.TwoPeople[Rebinding]{
		Room: d.room, Kind: "bond", Tag: tag, What: "归属", Read: staff.BondRead, Propose: staff.BondPropose, Confirm: staff.BondConfirm,
		About: func(c Rebinding) []string { return []string{c.Member, c.Was, c.To} },
		Check: func(ctx context.Context, c Rebinding) error {
			if c.To == c.Member {
				return distribution.ErrSelf
			}
			err := d.room.RequireMember(ctx, c.Member)
			if err == nil && c.To != "" {
				err = d.room.RequireMember(ctx, c.To)
			}
			return err
		},
		Do: func(ctx context.Context, draft *staff.Draft, c Rebinding) (room.Done, error) {
			now, err := d.holder(ctx, c.Member)
			if err == nil && now != c.Was && now != c.To {
				err = room.ErrStale
			}
			if err == nil {
				_, err = d.bonds.Rebind(ctx, distribution.RebindInput{Member: c.Member, To: c.To, By: draft.Maker, Reason: c.Reason, Key: draft.ID})
			}
			return room.Done{Result: MemberPath{c.Member}.Subject()}, err
		},
	}
}

// holder is who is credited for a member now; "" is nobody.
func (d *desk) holder(ctx context.Context, member string) (string, error) {
	bond, err := d.bonds.BondOf(ctx, member)
	if err != nil || bond == nil {
		return "", err
	}
	return bond.By, nil
}

func (d *desk) show(ctx context.Context, in *MemberPath) (*bondOutput, error) {
	if err := d.room.RequireMember(ctx, in.Member); err != nil {
		return nil, err
	}
	e, err := d.bonds.Why(ctx, in.Member)
	if err != nil {
		return nil, err
	}
	out := &bondOutput{}
	b := &out.Body
	b.Member, b.Summary = in.Member, e.Summary
	if s := e.Current; s != nil {
		b.Bond = &Holder{s.By, s.Since, s.Until, s.Why, s.Policy}
	}
	members, people := []string{in.Member}, []string(nil)
	b.Lines = room.Each(e.Lines, func(l distribution.Line) BondLine {
		members, people = append(members, l.By), append(people, l.Staff)
		return BondLine{l.At, l.Code, l.Text, l.By, l.Staff}
	})
	if b.People, err = d.room.PeopleOf(ctx, people...); err != nil {
		return nil, err
	}
	b.Nicknames, err = d.room.NicknamesOf(ctx, members...)
	return out, err
}

func (d *desk) brought(ctx context.Context, in *broughtInput) (*broughtOutput, error) {
	page, err := d.bonds.Brought(ctx, in.Member, room.Paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &broughtOutput{}
	out.Body.Next = page.Next
	out.Body.Members = room.Each(page.Items, func(f *distribution.Follower) BondOf {
		return BondOf{f.Member, f.InForce, f.Since, f.Until}
	})
	out.Body.Nicknames, err = d.room.NicknamesOf(ctx, room.Each(page.Items, func(f *distribution.Follower) string { return f.Member })...)
	return out, err
}
