package commission

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"guanxi/commission/internal/book"
	"guanxi/commission/policy"
	"guanxi/internal/money"
)

// checkedSeal is one seal with everything that could be checked without its neighbours.
type checkedSeal struct {
	number int64
	seal   *Seal // nil: gone or unreadable
	found  []Difference
	marks  []sealMark // what checkOnce has to see
	later  lot        // of its claw-backs and settlements
	office []*Entry   // those that are no sales
	moves  map[string]*stretch
	brand  []accountSum
	twice  bool // it holds an entry twice
	err    error
}

// sealMark is the seal an entry says it is in.
type sealMark struct {
	id   string
	seal int64
}

type accountSum struct {
	account Account
	amount  money.Fen
}

// sealCheck reads one seal. All its entries are read into one and worked out in the same memory: of an entry that is as
// it must be nothing is left but sums.
type sealCheck struct {
	checkedSeal
	v       *verification
	entry   *Entry
	parties []book.Party
	line    []byte
	again   policy.Reckoner
	place   map[string]int // of the seal's entries, when somebody has asked
}

func (v *verification) newSealCheck(number int64) *sealCheck {
	return &sealCheck{checkedSeal: checkedSeal{number: number, moves: map[string]*stretch{}}, v: v, entry: &Entry{}}
}

func (c *sealCheck) differ(rule, subject, text string) {
	c.found = append(c.found, Difference{rule, subject, text})
}

func (v *verification) readSeal(ctx context.Context, n int64) checkedSeal {
	c := v.newSealCheck(n)
	c.err = c.read(ctx)
	return c.checkedSeal
}

func (c *sealCheck) read(ctx context.Context) error {
	doc, err := c.v.Service.book.Seals.Get(ctx, book.SealID(c.v.config.Book, c.number))
	if book.Missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.seal, err = book.ParseSeal(doc); err != nil {
		c.differ("seal", doc.ID, "the seal cannot be read")
		return nil //nolint:nilerr // named
	}
	if c.seal.Digest() != c.seal.Hash {
		c.differ("seal", doc.ID, "its content does not match its hash")
	}
	c.twice = repeats(c.seal.Entries)
	return c.v.book.EachEntry(ctx, c.seal.Entries, func(i int, doc *book.EntryDoc) error {
		c.take(i, doc)
		return nil
	})
}

// repeats tells whether an id stands twice in a list. Only when two hashes are the same the ids themselves are compared.
func repeats(ids []string) bool {
	seed, hashes := maphash.MakeSeed(), make([]uint64, len(ids))
	for i, id := range ids {
		hashes[i] = maphash.String(seed, id)
	}
	slices.Sort(hashes)
	if len(slices.Compact(hashes)) == len(ids) {
		return false
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return len(slices.Compact(ids)) < len(hashes)
}

// take checks entry i and adds it up.
func (c *sealCheck) take(i int, doc *book.EntryDoc) {
	if doc == nil {
		c.differ("entry", c.seal.Entries[i], fmt.Sprintf("sealed by seal %d, but gone", c.number))
		return
	}
	if !c.check(doc) {
		return
	}
	e := c.entry
	if e.Hash != c.seal.Hashes[i] {
		c.differ("seal", c.seal.Entries[i], fmt.Sprintf("is not what seal %d has sealed", c.number))
	}
	if e.Seal != c.number || c.number > c.v.cleared {
		c.marks = append(c.marks, sealMark{e.ID, e.Seal})
	}
	if derived(e) {
		c.later.toggle(e.ID)
	}
	c.inverted(i, e)
	c.move(e)
	if e.Kind != Accrue && !derived(e) {
		c.office, c.entry = append(c.office, e), &Entry{}
	}
}

// derived tells whether the entry follows from a refund or a receipt.
func derived(e *Entry) bool { return e.Kind == Settle || e.Kind == ClawBack }

// move adds an entry's lines and what it does to the brand's accounts.
func (c *sealCheck) move(e *Entry) {
	for i := range e.Postings {
		p := &e.Postings[i]
		if _, _, ok := p.Account.Member(); !ok {
			c.spend(p)
		}
	}
	if c.parties = e.Parties(c.parties[:0]); len(c.parties) == 0 {
		return
	}
	c.line = book.AppendSubject(c.line[:0], e)
	subject, key := len(c.line), &c.v.key
	for i := range c.parties {
		p := &c.parties[i]
		s := c.moves[p.Member]
		if s == nil {
			s = &stretch{hashed: hashed{power: 1}}
			c.moves[strings.Clone(p.Member)] = s // the entry's text can go
		}
		c.line = book.AppendShare(c.line[:subject], p.Change, p.Roles)
		s.change.Add(p.Change)
		s.lines++
		s.text, s.power = s.text*key.base+maphash.Bytes(key.seed, c.line), s.power*key.base
	}
}

func (c *sealCheck) spend(p *Posting) {
	for i := range c.brand {
		if c.brand[i].account == p.Account {
			c.brand[i].amount += p.Amount
			return
		}
	}
	c.brand = append(c.brand, accountSum{Account(strings.Clone(string(p.Account))), p.Amount})
}

// check proves one entry by itself; false when it cannot be read.
func (c *sealCheck) check(doc *book.EntryDoc) bool {
	if len(doc.Hash) != sha256.Size || book.HashOf(doc.ID, doc.Text) != [sha256.Size]byte(doc.Hash) {
		c.differ("entry", doc.ID, "its content does not match its hash")
	}
	e := c.entry
	if err := e.Read(doc); err != nil {
		c.differ("entry", doc.ID, "its text cannot be read")
		return false
	}
	sum, known := money.Fen(0), true
	for i := range e.Postings {
		sum += e.Postings[i].Amount
		known = known && e.Postings[i].Account.Known()
	}
	if sum != 0 {
		c.differ("balance", doc.ID, "its postings sum to "+sum.Yuan()+" yuan, not to zero")
	}
	if !known {
		c.differ("entry", doc.ID, "it posts to an account that does not exist")
	}
	if !rightlyNamed(e) {
		c.differ("entry", doc.ID, "its content says it is "+naturalID(e))
	}
	if e.Kind == Accrue && !c.computes(e) {
		c.differ("accrual", doc.ID, "policy version "+fmt.Sprint(e.Policy)+" gives other postings for this sale")
	}
	return true
}

// computes works an accrual out again from its own facts.
func (c *sealCheck) computes(e *Entry) bool {
	if c.again.Book == nil || c.again.Book.Policy.Version != e.Policy {
		policy := c.v.Policies.Known(e.Policy)
		if policy == nil {
			return false
		}
		c.again.Book = c.v.Policies.Rulebook(policy)
	}
	postings, capped, limit := c.again.Postings(e)
	return slices.Equal(postings, e.Postings) && capped == e.Capped && limit == e.Cap
}

// rightlyNamed tells whether the entry has the id its content asks for.
func rightlyNamed(e *Entry) bool {
	if e.Kind == Accrue {
		first, order, _ := strings.Cut(e.ID, "/")
		return first == string(Accrue) && order == e.Order && len(e.ID) == len(first)+1+len(order)
	}
	want := naturalID(e)
	return e.ID == want || e.Kind == Settle && strings.HasPrefix(e.ID, want+"/")
}

// naturalID is the id the content asks for; a partial settlement adds its first line.
func naturalID(e *Entry) string {
	switch e.Kind {
	case Accrue:
		return book.AccrueID(e.Order)
	case ClawBack:
		return book.ClawBackID(e.Order, e.Refund)
	case Settle:
		return book.SettleID(e.Order, 0)
	}
	return book.NumberID(e.Kind, e.Number)
}
