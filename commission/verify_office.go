package commission

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// office is what Verify remembers of everything that is no sale.
type office struct {
	brand    map[Account]money.Fen
	payouts  map[string]*payoutTrace // withdrawals that are not at an end
	returns  []string                // numbers
	early    map[string][]*Entry     // by number: who stands before something it follows from, should that come
	vouchers []*Entry
	periods  []*Period // to come, in order
	marks    []*Checkpoint
}

// payoutTrace follows one withdrawal through the ledger.
type payoutTrace struct {
	member           string
	asked, left      money.Fen // reserved; still in withdrawing
	outcomes, strays int
}

func (o *office) take(e *Entry) {
	switch e.Kind {
	case Withdraw, Confirm, Fail, TaxWithheld:
		o.payout(e)
	case Return:
		o.returns = append(o.returns, e.Number)
	case Adjust, Incentive, Transfer:
		o.vouchers = append(o.vouchers, e)
	}
}

func (o *office) payout(e *Entry) {
	t := o.payouts[e.Number]
	if t == nil {
		t = &payoutTrace{}
		o.payouts[e.Number] = t
	}
	for i := range e.Postings {
		p := &e.Postings[i]
		member, pot, ok := p.Account.Member()
		if !ok {
			continue
		}
		if t.member == "" {
			t.member = member
		}
		if member != t.member {
			t.strays++
		}
		if pot == Withdrawing {
			t.left += p.Amount
			if e.Kind == Withdraw {
				t.asked += p.Amount
			}
		}
	}
	if e.Kind == Confirm || e.Kind == Fail {
		t.outcomes++
	}
	if t.outcomes == 1 && t.asked > 0 && t.left == 0 && t.strays == 0 {
		delete(o.payouts, e.Number)
	}
}

// payoutsEnd proves that every withdrawal that has an outcome left nothing behind, and that none has one without having
// been asked for.
func (v *verification) payoutsEnd(ctx context.Context) error {
	for _, number := range slices.Sorted(maps.Keys(v.office.payouts)) {
		t := v.office.payouts[number]
		switch {
		case t.strays > 0:
			v.differ("payout", number, "moves the purses of several members")
		case t.asked <= 0:
			if err := v.askedLater(ctx, number); err != nil {
				return err
			}
		case t.outcomes == 0 && t.left != t.asked:
			v.differ("payout", number, "%s of %s yuan left without an outcome", (t.asked - t.left).Yuan(), t.asked.Yuan())
		case t.outcomes > 0:
			if err := v.taxComing(ctx, number, t); err != nil {
				return err
			}
		}
	}
	for _, number := range v.office.returns {
		paid, err := v.book.Entry(ctx, book.NumberID(Confirm, number))
		if err != nil {
			return err
		}
		if paid == nil || paid.Kind != Confirm {
			v.differ("payout", number, "came back, but was never paid")
		}
	}
	return nil
}

// askedLater forgives a reservation that two processes let be sealed after its outcome.
func (v *verification) askedLater(ctx context.Context, number string) error {
	asked, err := v.book.Entry(ctx, book.NumberID(Withdraw, number))
	if err != nil {
		return err
	}
	if asked == nil || asked.Seal != 0 && asked.Seal <= v.folded {
		v.differ("payout", number, "has an outcome, but was never asked for")
	}
	return nil
}

// taxComing forgives a tax entry that was posted while Verify ran.
func (v *verification) taxComing(ctx context.Context, number string, t *payoutTrace) error {
	tax, err := v.book.Entry(ctx, book.NumberID(TaxWithheld, number))
	if err != nil {
		return err
	}
	if tax == nil || tax.Seal != 0 && tax.Seal <= v.folded || !tax.Moves(Withdrawing.Of(t.member), -t.left) {
		v.differ("payout", number, "has an outcome, but %s yuan are still on their way", t.left.Yuan())
	}
	return nil
}

// vouchersFollow proves that adjustments, incentives and transfers are exactly what two people approved.
func (v *verification) vouchersFollow(ctx context.Context) error {
	posted := map[string]bool{}
	for _, e := range v.office.vouchers {
		posted[e.Number] = true
		voucher, err := v.Service.vouchers.Get(ctx, e.Number)
		if err != nil && !book.Missing(err) {
			return err
		}
		v.checkVoucher(e, voucher)
	}
	return v.Service.vouchers.Each(ctx, docstore.All(), func(voucher *Voucher) error {
		v.report.Vouchers++
		if voucher.State != VoucherApproved || voucher.Unposted != "" || posted[voucher.ID] {
			return nil
		}
		e, err := v.book.Entry(ctx, book.NumberID(voucher.Kind, voucher.ID))
		if err == nil && e == nil {
			v.differ("voucher", voucher.ID, "was approved, but is not in the ledger")
		}
		return err
	})
}

func (v *verification) checkVoucher(e *Entry, voucher *Voucher) {
	switch {
	case voucher == nil:
		v.differ("voucher", e.ID, "nobody proposed this entry")
	case voucher.State != VoucherApproved || !voucher.proper():
		v.differ("voucher", e.ID, "was not approved by a second person")
	default:
		want := voucher.entry()
		if want.Book = e.Book; want.Text() != e.Text() {
			v.differ("voucher", e.ID, "is not what was approved")
		}
	}
}

// landmarks loads what stands along the chain: the ends of closed months, and the checkpoints.
func (v *verification) landmarks(ctx context.Context) error {
	all := docstore.All().Between(v.config.Book+"/", v.config.Book+"0")
	err := v.Service.periods.Each(ctx, all, func(p *Period) error {
		if p.Closing == "" {
			v.office.periods = append(v.office.periods, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = v.Service.book.Checkpoints.Each(ctx, all, func(c *Checkpoint) error {
		v.office.marks = append(v.office.marks, c)
		return nil
	})
	if err != nil {
		return err
	}
	var before *Checkpoint
	for _, c := range v.office.marks {
		v.report.Checkpoints++
		v.signedFacts(c)
		v.checkMark(c, before)
		before = c
	}
	return v.closedBy(ctx, 0)
}

// signedFacts keeps what a checkpoint signs of the chain of facts, for whoever proves that chain.
func (v *verification) signedFacts(c *Checkpoint) {
	if c.Facts > 0 && c.Signed() {
		if v.report.Facts == nil {
			v.report.Facts = map[int64][]byte{}
		}
		v.report.Facts[c.Facts] = c.FactsHash
	}
}

func (v *verification) checkMark(c, before *Checkpoint) {
	number, prev := int64(1), []byte(nil)
	if before != nil {
		number, prev = before.Number+1, before.Digest()
	}
	switch {
	case !c.Signed():
		v.differ("checkpoint", c.ID, "its signature is not right")
	case len(v.config.Key) > 0 && !bytes.Equal(c.Key, v.config.Key.Public().(ed25519.PublicKey)): //nolint:forcetypeassert // always is one
		v.differ("checkpoint", c.ID, "is signed by another key")
	case c.Number != number || !bytes.Equal(c.Prev, prev):
		v.differ("checkpoint", c.ID, "does not follow from the checkpoint before it")
	}
}

// landmark compares what stands at this place of the chain.
func (v *verification) landmark(ctx context.Context, c *checkedSeal) error {
	if c.seal != nil {
		for _, mark := range v.office.marks {
			if mark.Seal == c.number {
				v.report.Signed = c.seal.At
			}
			if mark.Seal == c.number && !bytes.Equal(mark.Hash, c.seal.Hash[:]) {
				v.differ("checkpoint", mark.ID, "seal %d is not the one that was signed", c.number)
			}
		}
	}
	return v.closedBy(ctx, c.number)
}

// closedBy checks the months whose stretch ends at this seal; 0 is before the first.
func (v *verification) closedBy(ctx context.Context, number int64) error {
	for len(v.office.periods) > 0 && v.office.periods[0].Last <= number {
		if err := v.checkPeriod(ctx, v.office.periods[0]); err != nil {
			return err
		}
		v.office.periods = v.office.periods[1:]
	}
	return nil
}

// anchored proves that the chain still reaches as far as was signed, here or outside.
func (v *verification) anchored(ctx context.Context, anchors []Checkpoint) error {
	for _, p := range v.office.periods {
		there, err := v.ahead(ctx, p.Last, nil)
		if err != nil {
			return err
		}
		if !there {
			v.differ("period", p.ID, "was closed with seal %d, the chain ends at %d", p.Last, v.folded)
		}
	}
	for _, c := range v.office.marks {
		if err := v.reaches(ctx, c.ID, c); err != nil {
			return err
		}
	}
	for i := range anchors {
		if err := v.checkAnchor(ctx, &anchors[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) reaches(ctx context.Context, id string, c *Checkpoint) error {
	there, err := v.ahead(ctx, c.Seal, c.Hash)
	if err == nil && !there {
		v.differ("chain", id, "seal %d was signed, the chain ends at %d", c.Seal, v.folded)
	}
	return err
}

// ahead tells whether a seal behind those that were walked is there: while purses are rebuilt, the bookmark stands before
// seals that exist. They are walked when the rebuild is through; what was signed of them is looked at now.
func (v *verification) ahead(ctx context.Context, number int64, hash []byte) (bool, error) {
	if number <= v.folded {
		return true, nil
	}
	seal, err := v.book.LoadSeal(ctx, number)
	if errors.Is(err, book.ErrSeal) {
		return false, nil
	}
	if err != nil || seal == nil {
		return false, err
	}
	return seal.Digest() == seal.Hash && (hash == nil || bytes.Equal(hash, seal.Hash[:])), nil
}

func (v *verification) checkAnchor(ctx context.Context, a *Checkpoint) error {
	id := "anchor " + book.SealID(a.Book, a.Number)
	switch i := slices.IndexFunc(v.office.marks, func(c *Checkpoint) bool { return c.Number == a.Number }); {
	case a.Book != v.config.Book:
		return nil
	case !a.Signed():
		v.differ("checkpoint", id, "its signature is not right")
		return nil
	case i < 0:
		v.differ("checkpoint", id, "is gone from the store")
	case v.office.marks[i].Line() != a.Line():
		v.differ("checkpoint", id, "the store has another one")
	}
	v.signedFacts(a)
	return v.reaches(ctx, id, a)
}

// checkPeriod proves a closed month at the end of its stretch: the trial balance and everybody's closing.
func (v *verification) checkPeriod(ctx context.Context, p *Period) error {
	v.report.Periods++
	totals := map[Account]money.Fen{}
	maps.Copy(totals, v.office.brand)
	for member, purse := range v.fold {
		for _, pot := range book.Pots {
			totals[sumAccount(member, pot)] += *purse.balance.Pot(pot)
		}
	}
	sum := money.Fen(0)
	for _, a := range p.Accounts {
		sum += a.Closing
		if a.Closing != totals[a.Account] || a.Opening+a.Out+a.In != a.Closing {
			v.differ("period", p.ID, "%s closes with %s yuan, the entries make %s", a.Account, a.Closing.Yuan(), totals[a.Account].Yuan())
		}
		delete(totals, a.Account)
	}
	for account, amount := range totals {
		if amount != 0 {
			v.differ("period", p.ID, "%s is missing from its trial balance", account)
		}
	}
	if sum != 0 {
		v.differ("period", p.ID, "its trial balance sums to %s yuan, not to zero", sum.Yuan())
	}
	statements := int64(0)
	err := v.statements.Each(ctx, docstore.All().Between(p.ID+"/", p.ID+"0"), func(d *PeriodStatement) error {
		statements++
		v.checkStatement(d)
		return nil
	})
	if err == nil && statements != p.Members {
		v.differ("period", p.ID, "has %d statements, was closed with %d", statements, p.Members)
	}
	return err
}

func (v *verification) checkStatement(d *PeriodStatement) {
	want, sum := v.fold[d.Member], d.Opening
	if want == nil {
		want = &verifiedPurse{}
	}
	for _, k := range d.Kinds {
		sum.Add(k.Change)
	}
	if d.Closing != want.balance || sum != d.Closing || d.LastLine != want.lines {
		v.differ("period", d.ID, "does not close with what the entries make")
	}
}
