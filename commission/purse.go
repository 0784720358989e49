package commission

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// pageLines is the number of statement lines on one page.
const pageLines = 32

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

// purseDoc is the stored purse, id = member: a fold over the seals, so it can be thrown away and rebuilt.
type purseDoc struct {
	docstore.Doc `bson:",inline"`
	Balance      `bson:",inline"`
	Epoch        int64      `bson:"epoch"` // the rebuild it belongs to
	Seals        []bookMark `bson:"seals"` // the last seal folded, per book
	Lines        int64      `bson:"lines"` // all there ever were
	// Tail holds the newest lines as text: those of the unfinished page, and those of finished pages that were
	// written after the purse took the newest seal and leave with the next.
	Tail string `bson:"tail"`
	// Holds are withdrawals that may not be in Available yet; Spent are the newest ones that are. See Reserve. They
	// outlive a rebuild.
	Holds []purseHold `bson:"holds,omitempty"`
	Spent []string    `bson:"spent,omitempty"`
}

type bookMark struct {
	Book   string `bson:"book"`
	Number int64  `bson:"number"`
}

// pageDoc is one full page of a statement, id <member>/<number from 0>. It is never changed.
type pageDoc struct {
	docstore.Doc `bson:",inline"`
	Lines        string `bson:"lines"`
}

func pageID(member string, number int64) string {
	return member + "/" + strconv.FormatInt(number, 10)
}

// mark is the last seal of the book this purse has taken.
func (p *purseDoc) mark(book string) int64 {
	for _, m := range p.Seals {
		if m.Book == book {
			return m.Number
		}
	}
	return 0
}

func (p *purseDoc) setMark(book string, number int64) {
	for i := range p.Seals {
		if p.Seals[i].Book == book {
			p.Seals[i].Number = number
			return
		}
	}
	p.Seals = append(p.Seals, bookMark{book, number})
}

// fold takes the movement of a seal. Taking it again, or after a later one, changes nothing. A purse of an older epoch
// begins anew; a sealer of an older epoch finds nothing to do here.
func (p *purseDoc) fold(book string, epoch, number int64, m *movement) {
	p.foldSeals(book, epoch, []numbered{{number, m}})
}

// foldSeals takes the movements of several seals, in their order. The full pages of all of them stay in the tail.
func (p *purseDoc) foldSeals(book string, epoch int64, seals []numbered) {
	p.begin(epoch)
	if p.Epoch > epoch {
		return
	}
	var text strings.Builder
	rest, taken := p.Tail[p.finished():], false
	for _, s := range seals {
		if p.mark(book) >= s.number {
			continue
		}
		if !taken {
			taken = true
			text.Grow(len(rest) + textOf(seals, s.number))
			text.WriteString(rest)
		}
		p.setMark(book, s.number)
		p.Balance.add(s.change)
		text.Write(s.text)
		p.Lines += int64(s.lines)
		for _, number := range s.withdrawn {
			p.spend(number)
		}
	}
	if taken {
		p.Tail = text.String()
	}
}

// textOf is how many bytes of lines the seals from a number on have.
func textOf(seals []numbered, from int64) (n int) {
	for _, s := range seals {
		if s.number >= from {
			n += len(s.text)
		}
	}
	return n
}

// begin empties a purse of an older epoch. What is held for withdrawals stays held.
func (p *purseDoc) begin(epoch int64) {
	if p.Epoch < epoch {
		p.Epoch, p.Balance, p.Seals, p.Lines, p.Tail = epoch, Balance{}, nil, 0, ""
	}
}

// first is the number (from 0) of the first line in the tail.
func (p *purseDoc) first() int64 { return p.Lines - int64(strings.Count(p.Tail, "\n")) }

// finished is the number of bytes of the tail that stand on full pages.
func (p *purseDoc) finished() int {
	full := (p.Lines - p.Lines%pageLines) - p.first()
	at := 0
	for range full {
		at += strings.IndexByte(p.Tail[at:], '\n') + 1
	}
	return at
}

// spill gives the full pages that stand in the tail.
func (p *purseDoc) spill(pages map[string]*pageDoc) {
	number, rest := p.first()/pageLines, p.Tail[:p.finished()]
	for rest != "" {
		at := 0
		for range pageLines {
			at += strings.IndexByte(rest[at:], '\n') + 1
		}
		id := pageID(p.ID, number)
		pages[id] = &pageDoc{Doc: docstore.Doc{ID: id}, Lines: rest[:at]}
		number, rest = number+1, rest[at:]
	}
}

// shed drops the full pages at the beginning of the tail that have been written.
func (p *purseDoc) shed(written map[string]*pageDoc) {
	if len(written) == 0 || p.finished() == 0 {
		return
	}
	full := map[string]*pageDoc{}
	p.spill(full)
	for number := p.first() / pageLines; ; number++ {
		id := pageID(p.ID, number)
		if full[id] == nil || written[id] == nil || full[id].Lines != written[id].Lines {
			return
		}
		p.Tail = p.Tail[len(full[id].Lines):]
	}
}

func (b *Balance) add(c Balance) {
	b.Pending += c.Pending
	b.Available += c.Available
	b.Withdrawing += c.Withdrawing
	b.Withdrawn += c.Withdrawn
}

func (b *Balance) pot(p Pot) *money.Fen {
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

// purseHold keeps a withdrawal's money out of the next withdrawal's reach until its entry is folded.
type purseHold struct {
	Number string    `bson:"number"`
	Amount money.Fen `bson:"amount"`
}

// The bounds of what a purse remembers of withdrawals. A number that fell out of Spent is still known by its entry; Spent
// only bridges the moment between looking for the entry and holding the money.
const (
	maxHolds = 64
	maxSpent = 64
)

// spend lets a hold go: its entry is in Available now.
func (p *purseDoc) spend(number string) {
	p.Holds = slices.DeleteFunc(p.Holds, func(h purseHold) bool { return h.Number == number })
	if slices.Contains(p.Spent, number) {
		return
	}
	if len(p.Spent) >= maxSpent {
		p.Spent = p.Spent[len(p.Spent)-maxSpent+1:]
	}
	p.Spent = append(p.Spent, number)
}

func (p *purseDoc) held() money.Fen {
	sum := money.Fen(0)
	for _, h := range p.Holds {
		sum += h.Amount
	}
	return sum
}
