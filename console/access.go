package console

import (
	"context"
	"slices"
	"strings"

	"guanxi/commission"
	"guanxi/console/room"
	"guanxi/staff"
)

// AccountChange is what two administrators do to an account together.
type AccountChange struct {
	What     string       `json:"what" enum:"add,roles,reset,enable,link" doc:"add 添加员工；roles 调整岗位；reset 重发登录码；enable 重新启用；link 关联会员"`
	Operator string       `json:"operator" doc:"员工编号"`
	Login    string       `json:"login,omitempty"`
	Name     string       `json:"name,omitempty"`
	Was      []staff.Role `json:"was,omitempty" doc:"原岗位"`
	Roles    []staff.Role `json:"roles,omitempty" doc:"新岗位"`
	Member   string       `json:"member,omitempty" doc:"本人的会员编号；空为解除关联"`
}

// about is whom a change of an account is about: nobody of them may propose or confirm it.
func (a AccountChange) about() []string {
	about := []string{a.Operator, commission.Staff(a.Operator)}
	if a.Member != "" {
		about = append(about, a.Member)
	}
	return about
}

// accounts is the kind of draft by which power is handed out.
func (c *Console) accounts() *room.TwoPeople[AccountChange] {
	return &room.TwoPeople[AccountChange]{
		Room: c.room, Kind: "operator", Tag: tagOperators, What: "员工账号",
		Read: staff.OperatorRead, Propose: staff.OperatorManage, Confirm: staff.OperatorManage, Secret: true,
		About: AccountChange.about,
		Check: c.checkAccount,
		Do:    c.changeAccount,
	}
}

func (c *Console) checkAccount(ctx context.Context, a AccountChange) error {
	switch a.What {
	case "add":
		in := staff.AddInput{Login: a.Login, Name: a.Name, Roles: a.Roles}
		return in.Check()
	case "link":
		if a.Member != "" {
			if room.OfStaff(a.Member) {
				return room.ErrNoMember
			}
			return c.room.RequireMember(ctx, a.Member)
		}
	}
	return nil
}

func (c *Console) changeAccount(ctx context.Context, d *staff.Draft, a AccountChange) (done room.Done, err error) {
	h := staff.Hands{Maker: d.Maker, Checker: room.Who(ctx).Operator}
	var added staff.Added
	switch a.What {
	case "add":
		added, err = c.staff.AddOperator(ctx, staff.AddInput{
			By: h.Checker, Maker: h.Maker, Key: d.ID, Login: a.Login, Name: a.Name, Roles: a.Roles,
		})
	case "reset":
		added, err = c.staff.Reenrol(ctx, h, a.Operator, d.ID)
	case "roles":
		_, err = c.staff.GrantRoles(ctx, h, a.Operator, a.Was, a.Roles)
	case "enable":
		_, err = c.staff.Reopen(ctx, h, a.Operator)
	case "link":
		_, err = c.staff.Link(ctx, h, a.Operator, a.Member)
	default:
		err = room.ErrDraft
	}
	if err != nil {
		return room.Done{}, err
	}
	done.Result = a.What + " " + staff.SubjectOf(a.Operator)
	if added.Password != "" {
		done.Code, done.Until = added.Password, added.Operator.PasswordUntil
	}
	return done, nil
}

func roleNames(roles []staff.Role) string {
	return strings.Join(each(roles, func(r staff.Role) string { return string(r) }), "、")
}

// sortedRoles is how the domain keeps roles.
func sortedRoles(roles []staff.Role) []staff.Role {
	sorted := slices.Clone(roles)
	slices.Sort(sorted)
	return sorted
}
