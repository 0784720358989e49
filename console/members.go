package console

import (
	"context"

	"guanxi/commission"
	"guanxi/console/room"
)

// Members is what the console may know of members; *member.Service satisfies it.
type Members = room.Members

// Nicknames gives the masked nicknames of the members that an answer mentions, by id.
type Nicknames = room.Nicknames

func (c *Console) nicknamesOf(ctx context.Context, ids ...string) (Nicknames, error) {
	return c.room.NicknamesOf(ctx, ids...)
}

// nicknameOf is the masked nickname of one member; "" for a person of staff or an unknown id.
func (c *Console) nicknameOf(ctx context.Context, who string) (string, error) {
	names, err := c.nicknamesOf(ctx, who)
	return names.Nicknames[who], err
}

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

// maskEnd leaves at most the last characters of a text, and never more than half of it.
func maskEnd(text string, shown int) string {
	runes := []rune(text)
	for i := range len(runes) - min(shown, len(runes)/2) {
		runes[i] = '*'
	}
	return string(runes)
}
