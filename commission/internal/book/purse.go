package book

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// PageLines is the number of statement lines on one page.
const PageLines = 32

// Balance is what stands in the four pots. Available may be negative: a refund came after the money had become
// available; later earnings fill it first.
type Balance struct {
	Pending     money.Fen `bson:"pending"`
	Available   money.Fen `bson:"available"`
	Withdrawing money.Fen `bson:"withdrawing"`
	Withdrawn   money.Fen `bson:"withdrawn"`
}

// Line is what one entry did to one member.
type Line struct {
	No     int64 // from 1 in the member's statement
	Entry  string
	Kind   Kind
	Order  string // "" for what belongs to no sale
	Number string // of the withdrawal or voucher; "" for sales
	At     time.Time
	Roles  []Role
	Change Balance // signed
	Reason string  // one Chinese sentence
}

// PurseDoc is the stored purse, id = member: a fold over the seals, so it can be thrown away and rebuilt.
type PurseDoc struct {
	docstore.Doc `bson:",inline"`
	Balance      `bson:",inline"`
	Epoch        int64  `bson:"epoch"` // the rebuild it belongs to
	Seals        []Mark `bson:"seals"` // the last seal folded, per book
	Lines        int64  `bson:"lines"` // all there ever were
	// Tail holds the newest lines as text: those of the unfinished page, and those of finished pages that were
	// written after the purse took the newest seal and leave with the next.
	Tail string `bson:"tail"`
	// Holds are withdrawals that may not be in Available yet; Spent are the newest ones that are. See Reserve. They
	// outlive a rebuild.
	Holds []PurseHold `bson:"holds,omitempty"`
	Spent []string    `bson:"spent,omitempty"`
}

// Mark is the last seal of a book that a purse has taken.
type Mark struct {
	Book   string `bson:"book"`
	Number int64  `bson:"number"`
}

// PageDoc is one full page of a statement, id <member>/<number from 0>. It is never changed.
type PageDoc struct {
	docstore.Doc `bson:",inline"`
	Lines        string `bson:"lines"`
}

// PageID is the id of a page.
func PageID(member string, number int64) string {
	return member + "/" + strconv.FormatInt(number, 10)
}

// Mark is the last seal of the book this purse has taken.
func (p *PurseDoc) Mark(book string) int64 {
	for _, m := range p.Seals {
		if m.Book == book {
			return m.Number
		}
	}
	return 0
}

func (p *PurseDoc) setMark(book string, number int64) {
	for i := range p.Seals {
		if p.Seals[i].Book == book {
			p.Seals[i].Number = number
			return
		}
	}
	p.Seals = append(p.Seals, Mark{book, number})
}

// Fold takes the movement of a seal. Taking it again, or after a later one, changes nothing. A purse of an older epoch
// begins anew; a sealer of an older epoch finds nothing to do here.
func (p *PurseDoc) Fold(book string, epoch, number int64, m *Movement) {
	p.FoldSeals(book, epoch, []Numbered{{number, m}})
}

// FoldSeals takes the movements of several seals, in their order. The full pages of all of them stay in the tail.
func (p *PurseDoc) FoldSeals(book string, epoch int64, seals []Numbered) {
	p.Begin(epoch)
	if p.Epoch > epoch {
		return
	}
	var text strings.Builder
	rest, taken := p.Tail[p.finished():], false
	for _, s := range seals {
		if p.Mark(book) >= s.Number {
			continue
		}
		if !taken {
			taken = true
			text.Grow(len(rest) + textOf(seals, s.Number))
			text.WriteString(rest)
		}
		p.setMark(book, s.Number)
		p.Balance.Add(s.Change)
		text.Write(s.Text)
		p.Lines += int64(s.Lines)
		for _, number := range s.withdrawn {
			p.Spend(number)
		}
	}
	if taken {
		p.Tail = text.String()
	}
}

// textOf is how many bytes of lines the seals from a number on have.
func textOf(seals []Numbered, from int64) (n int) {
	for _, s := range seals {
		if s.Number >= from {
			n += len(s.Text)
		}
	}
	return n
}

// Begin empties a purse of an older epoch. What is held for withdrawals stays held.
func (p *PurseDoc) Begin(epoch int64) {
	if p.Epoch < epoch {
		p.Epoch, p.Balance, p.Seals, p.Lines, p.Tail = epoch, Balance{}, nil, 0, ""
	}
}

// First is the number (from 0) of the first line in the tail.
func (p *PurseDoc) First() int64 { return p.Lines - int64(strings.Count(p.Tail, "\n")) }

// finished is the number of bytes of the tail that stand on full pages.
func (p *PurseDoc) finished() int {
	full := (p.Lines - p.Lines%PageLines) - p.First()
	at := 0
	for range full {
		at += strings.IndexByte(p.Tail[at:], '\n') + 1
	}
	return at
}

// Spill gives the full pages that stand in the tail.
func (p *PurseDoc) Spill(pages map[string]*PageDoc) {
	number, rest := p.First()/PageLines, p.Tail[:p.finished()]
	for rest != "" {
		at := 0
		for range PageLines {
			at += strings.IndexByte(rest[at:], '\n') + 1
		}
		id := PageID(p.ID, number)
		pages[id] = &PageDoc{Doc: docstore.Doc{ID: id}, Lines: rest[:at]}
		number, rest = number+1, rest[at:]
	}
}

// Shed drops the full pages at the beginning of the tail that have been written.
func (p *PurseDoc) Shed(written map[string]*PageDoc) {
	if len(written) == 0 || p.finished() == 0 {
		return
	}
	full := map[string]*PageDoc{}
	p.Spill(full)
	for number := p.First() / PageLines; ; number++ {
		id := PageID(p.ID, number)
		if full[id] == nil || written[id] == nil || full[id].Lines != written[id].Lines {
			return
		}
		p.Tail = p.Tail[len(full[id].Lines):]
	}
}

// Add adds what moved.
func (b *Balance) Add(c Balance) {
	b.Pending += c.Pending
	b.Available += c.Available
	b.Withdrawing += c.Withdrawing
	b.Withdrawn += c.Withdrawn
}

// Pot gives the place of one pot; nil when there is none of this name.
func (b *Balance) Pot(p Pot) *money.Fen {
	switch p {
	case Pending:
		return &b.Pending
	case Available:
		return &b.Available
	case Withdrawing:
		return &b.Withdrawing
	case Withdrawn:
		return &b.Withdrawn
	}
	return nil
}

// PurseHold keeps a withdrawal's money out of the next withdrawal's reach until its entry is folded.
type PurseHold struct {
	Number string    `bson:"number"`
	Amount money.Fen `bson:"amount"`
}

// The bounds of what a purse remembers of withdrawals. A number that fell out of Spent is still known by its entry; Spent
// only bridges the moment between looking for the entry and holding the money.
const (
	MaxHolds = 64
	MaxSpent = 64
)

// Spend lets a hold go: its entry is in Available now.
func (p *PurseDoc) Spend(number string) {
	p.Holds = slices.DeleteFunc(p.Holds, func(h PurseHold) bool { return h.Number == number })
	if slices.Contains(p.Spent, number) {
		return
	}
	if len(p.Spent) >= MaxSpent {
		p.Spent = p.Spent[len(p.Spent)-MaxSpent+1:]
	}
	p.Spent = append(p.Spent, number)
}

// Held is what all holds together keep.
func (p *PurseDoc) Held() money.Fen {
	sum := money.Fen(0)
	for _, h := range p.Holds {
		sum += h.Amount
	}
	return sum
}
