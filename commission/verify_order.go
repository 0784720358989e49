package commission

import (
	"fmt"
	"slices"

	"guanxi/commission/internal/book"
)

// Inversions: what stands in the chain before what it follows from. No purse is wrong at the end, but in between it showed
// what was not so: a payment that nobody had asked for. The sealer makes none; Verify names those it finds, by "order".

// inverted names inversions within one seal, of what follows from sales. Those of withdrawals are found along the chain.
func (c *sealCheck) inverted(i int, e *Entry) {
	if !derived(e) {
		return
	}
	if c.place == nil {
		c.place = make(map[string]int, len(c.seal.Entries))
		for i, id := range c.seal.Entries {
			c.place[id] = i
		}
	}
	if at, here := c.place[book.AccrueID(e.Order)]; here && at > i {
		c.differ("order", e.ID, fmt.Sprintf("stands before %s in seal %d, which it follows from", book.AccrueID(e.Order), c.number))
	}
}

// derivedInOrder names a claw-back or a settlement in an earlier seal than its accrual.
func (v *verification) derivedInOrder(doc, accrual *book.EntryDoc) {
	at, from := v.sealOf(doc), v.sealOf(accrual)
	if at != 0 && at <= v.folded && (from == 0 || from > at) {
		v.differ("order", doc.ID, "is in seal %d, before %s, which it follows from", at, accrual.ID)
	}
}

// sealOf is the seal an entry is in, as far as the chain was walked; 0 when it was not sealed then.
func (v *verification) sealOf(doc *book.EntryDoc) int64 {
	if doc.Seal != 0 {
		return doc.Seal
	}
	return v.open[doc.ID]
}

// payoutInOrder names what stood before the entry though it follows from it. Entries come in the order of the chain, and the
// trace is as it was before this one.
func (v *verification) payoutInOrder(e *Entry) {
	o := &v.office
	for _, early := range o.early[e.Number] {
		if slices.Contains(early.Follows(), e.ID) {
			v.differ("order", early.ID, "stands before %s, which it follows from", e.ID)
		}
	}
	if e.Follows() == nil {
		return
	}
	t := o.payouts[e.Number]
	asked, ended := t != nil && t.asked > 0, t != nil && t.outcomes > 0
	if (e.Kind == Confirm || e.Kind == Fail) && asked || e.Kind == TaxWithheld && ended {
		return
	}
	o.early[e.Number] = append(o.early[e.Number], e)
}
