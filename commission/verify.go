package commission

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Report is what Verify found.
type Report struct {
	Entries     int64 // sealed and unsealed
	Unsealed    int64 // of them, not sealed yet
	Seals       int64
	Purses      int64
	Settlements int64
	Vouchers    int64
	Periods     int64
	Checkpoints int64
	Differences []Difference // the first ones, in the order they were found; at most 100
	More        int64        // differences beyond those
	Moving      int64        // purses that changed faster than they could be compared

	Newest time.Time        // when the newest seal was made
	Signed time.Time        // when the newest seal that a checkpoint signs was made
	Facts  map[int64][]byte // heads of the chain of facts that were signed, here or outside: number → hash
}

// Good tells whether nothing differs.
func (r *Report) Good() bool { return len(r.Differences) == 0 }

// Difference is one thing that is not as it must be.
type Difference struct {
	// Rule is chain, seal, entry, balance, accrual, once, claw-back, settlement, payout, voucher, period, checkpoint,
	// purse or statement.
	Rule    string
	Subject string // id of the document
	Text    string
}

// Progress is told now and then while Verify runs.
type Progress struct {
	Seals, OfSeals, Entries int64
}

const maxDifferences = 100

// verification is one run of Verify.
type verification struct {
	*Service
	report   Report
	progress func(Progress)
	cleared  int64
	open     map[string]int64 // entry of an uncleared seal → the seal
	fold     map[string]*verifiedPurse
	folded   int64
	prev     [sha256.Size]byte
	undone   []string // decided, but not yet in the ledger when they were looked for
	office   office
	key      lineKey
	later    lot // claw-backs and settlements found in the ledger, minus those the settlements derive
}

type verifiedPurse struct {
	balance Balance
	lines   int64
	text    uint64 // keyed hash over the statement lines
}

// lot is an order-free sum over a set of ids: two sets with the same sum are the same set.
type lot [sha256.Size]byte

func (l *lot) toggle(id string) {
	h := sha256.Sum256([]byte(id))
	for i := range l {
		l[i] ^= h[i]
	}
}

// join toggles what is in the other one.
func (l *lot) join(other *lot) {
	for i := range l {
		l[i] ^= other[i]
	}
}

// Verify reads the whole book again and proves it: the chain of seals, every entry's content, balance and arithmetic,
// that each is sealed exactly once, that claw-backs and settlements are what the refunds and receipts ask for, and
// that every purse is the fold of the seals. Postings may go on meanwhile. Progress, which may be nil, is called after
// every seal. An error means that it could not be finished; what it found stands in the report.
func (s *Service) Verify(ctx context.Context, progress func(Progress)) (*Report, error) {
	return s.VerifyAgainst(ctx, nil, progress)
}

// VerifyAgainst is Verify, and holds the chain against checkpoints that were kept outside of the store.
func (s *Service) VerifyAgainst(ctx context.Context, anchors []Checkpoint, progress func(Progress)) (*Report, error) {
	book, err := s.book.Bookmark(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	v := &verification{
		Service: s, progress: progress, cleared: book.Cleared, open: map[string]int64{}, fold: map[string]*verifiedPurse{},
		office: office{brand: map[Account]money.Fen{}, payouts: map[string]*payoutTrace{}, early: map[string][]*Entry{}}, key: newLineKey(),
	}
	if v.progress == nil {
		v.progress = func(Progress) {}
	}
	if _, err := s.Policies.List(ctx); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	for _, part := range []func(context.Context) error{
		v.landmarks, v.seals, v.unsealed, v.count, v.settlementsFollow, v.payoutsEnd, v.vouchersFollow, v.purses, v.lookAgain,
		func(ctx context.Context) error { return v.anchored(ctx, anchors) },
	} {
		if err := part(ctx); err != nil {
			return &v.report, fmt.Errorf("verify: %w", err)
		}
	}
	return &v.report, nil
}

func (v *verification) differ(rule, subject, format string, args ...any) {
	if len(v.report.Differences) >= maxDifferences {
		v.report.More++
		return
	}
	v.report.Differences = append(v.report.Differences, Difference{rule, subject, fmt.Sprintf(format, args...)})
}

// seals walks the chain up to the bookmark. Seals are read and checked side by side, and joined in order.
func (v *verification) seals(ctx context.Context) error {
	book, err := v.book.Bookmark(ctx)
	if err != nil {
		return err
	}
	return v.walk(ctx, book.Folded)
}

func (v *verification) walk(ctx context.Context, to int64) error {
	return book.InOrder(ctx, v.folded+1, to, v.readSeal, func(c checkedSeal) error {
		if c.err != nil {
			return c.err
		}
		v.join(&c)
		if err := v.landmark(ctx, &c); err != nil {
			return err
		}
		v.progress(Progress{Seals: c.number, OfSeals: to, Entries: v.report.Entries})
		return nil
	})
}

// join adds a seal to what is known, in order.
func (v *verification) join(c *checkedSeal) {
	v.report.Seals++
	v.folded = c.number
	id := book.SealID(v.config.Book, c.number)
	for _, d := range c.found {
		v.differ(d.Rule, d.Subject, "%s", d.Text)
	}
	if c.seal == nil {
		v.differ("chain", id, "the seal is gone or unreadable")
		return
	}
	if c.seal.Prev != v.prev {
		v.differ("chain", id, "does not follow from the seal before it")
	}
	v.prev, v.report.Newest = c.seal.Hash, c.seal.At
	v.report.Entries += int64(len(c.seal.Entries))
	for i := range c.marks {
		v.checkOnce(&c.marks[i], c.number)
	}
	v.later.join(&c.later)
	for _, e := range c.office {
		v.payoutInOrder(e)
		v.office.take(e)
	}
	if c.twice {
		v.differ("once", id, "holds an entry twice")
	}
	for member, m := range c.moves {
		p := v.fold[member]
		if p == nil {
			p = &verifiedPurse{}
			v.fold[member] = p
		}
		p.balance.Add(m.change)
		p.lines += m.lines
		p.text = p.text*m.power + m.text
	}
	for _, sum := range c.brand {
		v.office.brand[sum.account] += sum.amount
	}
}

// checkOnce proves that no other seal holds the entry: a cleared entry carries its only seal's number.
func (v *verification) checkOnce(m *sealMark, number int64) {
	switch {
	case m.seal != 0 && m.seal != number:
		v.differ("once", m.id, "is in seal %d and marked for seal %d", number, m.seal)
	case m.seal == 0 && number <= v.cleared:
		v.differ("once", m.id, "is in seal %d but not marked", number)
	case number > v.cleared:
		if other := v.open[m.id]; other != 0 {
			v.differ("once", m.id, "is in seal %d and in seal %d", other, number)
		}
		v.open[m.id] = number
	}
}

// unsealed checks what no seal holds yet.
func (v *verification) unsealed(ctx context.Context) error {
	q := docstore.By("unsealed").Between(v.config.Book+"/", book.UnsealedEnd(v.config.Book))
	c := v.newSealCheck(0)
	return v.book.Entries.Each(ctx, q, func(doc *book.EntryDoc) error {
		if v.open[doc.ID] != 0 {
			return nil
		}
		v.report.Entries++
		v.report.Unsealed++
		readable := c.check(doc)
		for _, d := range c.found {
			v.differ(d.Rule, d.Subject, "%s", d.Text)
		}
		c.found = c.found[:0]
		if readable && derived(c.entry) {
			v.later.toggle(c.entry.ID)
		}
		return nil
	})
}
