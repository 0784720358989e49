package commission

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

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

// Verify reads the whole book again and proves it: the chain of seals, every entry's content, balance and arithmetic,
// that each is sealed exactly once, that claw-backs and settlements are what the refunds and receipts ask for, and
// that every purse is the fold of the seals. Postings may go on meanwhile. Progress, which may be nil, is called after
// every seal. An error means that it could not be finished; what it found stands in the report.
func (s *Service) Verify(ctx context.Context, progress func(Progress)) (*Report, error) {
	return s.VerifyAgainst(ctx, nil, progress)
}

// VerifyAgainst is Verify, and holds the chain against checkpoints that were kept outside of the store.
func (s *Service) VerifyAgainst(ctx context.Context, anchors []Checkpoint, progress func(Progress)) (*Report, error) {
	book, err := s.bookmark(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	v := &verification{
		Service: s, progress: progress, cleared: book.Cleared, open: map[string]int64{}, fold: map[string]*verifiedPurse{},
		office: office{brand: map[Account]money.Fen{}, payouts: map[string]*payoutTrace{}}, key: newLineKey(),
	}
	if v.progress == nil {
		v.progress = func(Progress) {}
	}
	if _, err := s.Policies(ctx); err != nil {
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

// checkedSeal is one seal with everything that could be checked without its neighbours.
type checkedSeal struct {
	number  int64
	seal    *Seal
	entries []*Entry
	found   []Difference
	moves   map[string]stretch
	brand   map[Account]money.Fen
	err     error
}

// seals walks the chain up to the bookmark. Seals are read and checked side by side, and joined in order.
func (v *verification) seals(ctx context.Context) error {
	book, err := v.bookmark(ctx)
	if err != nil {
		return err
	}
	return v.walk(ctx, book.Folded)
}

func (v *verification) walk(ctx context.Context, to int64) error {
	return inOrder(ctx, v.folded+1, to, v.readSeal, func(c checkedSeal) error {
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

func (v *verification) readSeal(ctx context.Context, n int64) checkedSeal {
	c := checkedSeal{number: n}
	doc, err := v.Service.seals.Get(ctx, sealID(v.config.Book, n))
	if missing(err) {
		return c
	}
	if err != nil {
		c.err = err
		return c
	}
	if c.seal, err = parseSeal(doc); err != nil {
		c.found = append(c.found, Difference{"seal", doc.ID, "the seal cannot be read"})
		return c
	}
	if c.seal.digest() != c.seal.Hash {
		c.found = append(c.found, Difference{"seal", doc.ID, "its content does not match its hash"})
	}
	docs, err := v.entries.GetMany(ctx, c.seal.Entries)
	if err != nil {
		c.err = err
		return c
	}
	for i, id := range c.seal.Entries {
		if docs[id] == nil {
			c.found = append(c.found, Difference{"entry", id, fmt.Sprintf("sealed by seal %d, but gone", n)})
			continue
		}
		e, found := v.checkEntry(docs[id])
		c.found = append(c.found, found...)
		if e == nil {
			continue
		}
		if e.Hash != c.seal.Hashes[i] {
			c.found = append(c.found, Difference{"seal", id, fmt.Sprintf("is not what seal %d has sealed", n)})
		}
		c.entries = append(c.entries, e)
	}
	c.moves, c.brand = v.stretches(c.entries), brandSums(c.entries)
	return c
}

// join adds a seal to what is known, in order.
func (v *verification) join(c *checkedSeal) {
	v.report.Seals++
	v.folded = c.number
	id := sealID(v.config.Book, c.number)
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
	v.prev = c.seal.Hash
	v.report.Entries += int64(len(c.seal.Entries))
	for _, e := range c.entries {
		v.checkOnce(e, c.number)
		if e.Kind == Settle || e.Kind == ClawBack {
			v.later.toggle(e.ID)
		}
		v.office.take(e)
	}
	seen := slices.Clone(c.seal.Entries)
	slices.Sort(seen)
	if len(slices.Compact(seen)) < len(c.seal.Entries) {
		v.differ("once", id, "holds an entry twice")
	}
	for member, m := range c.moves {
		p := v.fold[member]
		if p == nil {
			p = &verifiedPurse{}
			v.fold[member] = p
		}
		p.balance.add(m.change)
		p.lines += m.lines
		p.text = p.text*m.power + m.text
	}
	for account, amount := range c.brand {
		v.office.brand[account] += amount
	}
}

// checkOnce proves that no other seal holds the entry: a cleared entry carries its only seal's number.
func (v *verification) checkOnce(e *Entry, number int64) {
	switch {
	case e.Seal != 0 && e.Seal != number:
		v.differ("once", e.ID, "is in seal %d and marked for seal %d", number, e.Seal)
	case e.Seal == 0 && number <= v.cleared:
		v.differ("once", e.ID, "is in seal %d but not marked", number)
	case number > v.cleared:
		if other := v.open[e.ID]; other != 0 {
			v.differ("once", e.ID, "is in seal %d and in seal %d", other, number)
		}
		v.open[e.ID] = number
	}
}

// checkEntry proves one entry by itself.
func (v *verification) checkEntry(doc *entryDoc) (*Entry, []Difference) {
	var found []Difference
	differ := func(rule, text string) { found = append(found, Difference{rule, doc.ID, text}) }
	if len(doc.Hash) != sha256.Size || hashOf(doc.ID, doc.Text) != [sha256.Size]byte(doc.Hash) {
		differ("entry", "its content does not match its hash")
	}
	e, err := parseEntry(doc)
	if err != nil {
		differ("entry", "its text cannot be read")
		return nil, found
	}
	sum, known := money.Fen(0), true
	for i := range e.Postings {
		sum += e.Postings[i].Amount
		known = known && e.Postings[i].Account.known()
	}
	if sum != 0 {
		differ("balance", "its postings sum to "+sum.Yuan()+" yuan, not to zero")
	}
	if !known {
		differ("entry", "it posts to an account that does not exist")
	}
	if want := e.naturalID(); e.ID != want && (e.Kind != Settle || !strings.HasPrefix(e.ID, want+"/")) {
		differ("entry", "its content says it is "+want)
	}
	if e.Kind == Accrue && !v.computes(e) {
		differ("accrual", "policy version "+fmt.Sprint(e.Policy)+" gives other postings for this sale")
	}
	return e, found
}

func (a Account) known() bool {
	_, pot, ok := a.Member()
	return ok && slices.Contains(pots, pot) || !ok && slices.Contains(BrandAccounts(), a)
}

// naturalID is the id the content asks for; a partial settlement adds its first line.
func (e *Entry) naturalID() string {
	switch e.Kind {
	case Accrue:
		return accrueID(e.Order)
	case ClawBack:
		return clawBackID(e.Order, e.Refund)
	case Settle:
		return settleID(e.Order, 0)
	}
	return numberID(e.Kind, e.Number)
}

// computes works an accrual out again from its own facts.
func (v *verification) computes(e *Entry) bool {
	v.policyCache.mu.Lock()
	cached := v.policyCache.policies
	v.policyCache.mu.Unlock()
	i := slices.IndexFunc(cached, func(p *Policy) bool { return p.Version == e.Policy })
	if i < 0 {
		return false
	}
	again := v.compute(cached[i], &Sale{
		Order: e.Order, At: e.At, Campaign: e.Campaign, Host: e.Host, Pickup: e.Pickup, Community: e.Community,
		Grade: e.Grade, HelpSeller: e.HelpSeller, Staff: e.Staff, Referral: e.Referral, Lines: e.Lines,
	})
	return slices.Equal(again.Postings, e.Postings) && again.Capped == e.Capped && again.Cap == e.Cap
}

// unsealed checks what no seal holds yet.
func (v *verification) unsealed(ctx context.Context) error {
	q := docstore.By("unsealed").Between(v.config.Book+"/", unsealedEnd(v.config.Book))
	return v.entries.Each(ctx, q, func(doc *entryDoc) error {
		if v.open[doc.ID] != 0 {
			return nil
		}
		v.report.Entries++
		v.report.Unsealed++
		e, found := v.checkEntry(doc)
		for _, d := range found {
			v.differ(d.Rule, d.Subject, "%s", d.Text)
		}
		if e != nil && (e.Kind == Settle || e.Kind == ClawBack) {
			v.later.toggle(e.ID)
		}
		return nil
	})
}
