package console

import (
	"context"
	"slices"
	"strings"

	"guanxi/commission"
	"guanxi/member"
)

// Members is what the console may know of members; *member.Service satisfies it.
type Members interface {
	Profiles(ctx context.Context, ids []string) (map[string]member.Profile, error)
}

// Nicknames gives the masked nicknames of the members that an answer mentions, by id.
type Nicknames struct {
	Nicknames map[string]string `json:"nicknames,omitempty" doc:"会员编号 → 打码昵称"`
}

// nicknamesOf looks up members; people of staff, unknown ids and whatever exceeds one look-up are left out.
func (c *Console) nicknamesOf(ctx context.Context, ids ...string) (Nicknames, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(one string) bool { return one == "" || ofStaff(one) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return Nicknames{}, nil
	}
	profiles, err := c.members.Profiles(ctx, ids[:min(len(ids), member.MaxProfiles)])
	if err != nil {
		return Nicknames{}, err
	}
	names := make(map[string]string, len(profiles))
	for who, p := range profiles {
		names[who] = maskName(p.Nickname)
	}
	return Nicknames{names}, nil
}

// nicknameOf is the masked nickname of one member; "" for a person of staff or an unknown id.
func (c *Console) nicknameOf(ctx context.Context, who string) (string, error) {
	names, err := c.nicknamesOf(ctx, who)
	return names.Nicknames[who], err
}

// requireMember refuses ids that nobody has: what staff writes down about a member must not be about a slip of the pen.
// Purses of staff pass.
func (c *Console) requireMember(ctx context.Context, who string) error {
	if ofStaff(who) {
		return nil
	}
	profiles, err := c.members.Profiles(ctx, []string{who})
	if err == nil && profiles[who].ID == "" {
		return ErrNoMember
	}
	return err
}

// ofStaff tells whether a purse is that of a person of staff.
func ofStaff(purse string) bool { return strings.HasPrefix(purse, commission.Staff("")) }

// membersOf are the members whose purses an entry moves.
func membersOf(e *commission.Entry) []string {
	var ids []string
	for _, p := range e.Postings {
		if who, _, ok := p.Account.Member(); ok {
			ids = append(ids, who)
		}
	}
	return ids
}

// maskName leaves the first character of a nickname, and nothing of one that has no other. The word for those without
// one stays as it is.
func maskName(name string) string {
	if name == member.Unnamed {
		return name
	}
	runes := []rune(name)
	if len(runes) < 2 {
		return "**"
	}
	return string(runes[0]) + "**"
}

// maskEnd leaves at most the last characters of a text, and never more than half of it.
func maskEnd(text string, shown int) string {
	runes := []rune(text)
	for i := range len(runes) - min(shown, len(runes)/2) {
		runes[i] = '*'
	}
	return string(runes)
}
