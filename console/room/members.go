package room

import (
	"context"
	"slices"

	"guanxi/member"
)

// Nicknames gives the masked nicknames of the members that an answer mentions, by id.
type Nicknames struct {
	Nicknames map[string]string `json:"nicknames,omitempty" doc:"会员编号 → 打码昵称"`
}

// NicknamesOf looks up members; people of staff, unknown ids and whatever exceeds one look-up are left out.
func (r *Room) NicknamesOf(ctx context.Context, ids ...string) (Nicknames, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(one string) bool { return one == "" || OfStaff(one) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return Nicknames{}, nil
	}
	profiles, err := r.Members.Profiles(ctx, ids[:min(len(ids), member.MaxProfiles)])
	if err != nil {
		return Nicknames{}, err
	}
	names := make(map[string]string, len(profiles))
	for who, p := range profiles {
		names[who] = MaskName(p.Nickname)
	}
	return Nicknames{names}, nil
}

// MaskName leaves the first character of a nickname, and nothing of one that has no other. The word for those without
// one stays as it is.
func MaskName(name string) string {
	if name == member.Unnamed {
		return name
	}
	runes := []rune(name)
	if len(runes) < 2 {
		return "**"
	}
	return string(runes[0]) + "**"
}
