package commission

import (
	"context"
	"strings"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
)

// count finds entries that are neither sealed nor waiting for a seal. While postings go on, counts taken at different
// moments disagree; then the search is left to the scan, which looks at each entry by itself.
func (v *verification) count(ctx context.Context) error {
	total, err := v.book.Entries.Count(ctx, docstore.All(), 0)
	if err != nil || int64(total) == v.report.Entries {
		return err
	}
	seals := map[int64]map[string]bool{} // of the seals strangers claim to be in
	return v.book.Entries.Each(ctx, docstore.All(), func(doc *book.EntryDoc) error {
		if doc.Unsealed != "" || doc.Seal > v.folded {
			return nil // waits, or was sealed since
		}
		members, ok := seals[doc.Seal]
		if !ok {
			var err error
			if members, err = v.membersOf(ctx, doc.Seal); err != nil {
				return err
			}
			clear(seals) // ids are not ordered by seal: keep memory small, at the price of time
			seals[doc.Seal] = members
		}
		if !members[doc.ID] {
			v.differ("once", doc.ID, "is marked for seal %d, which does not hold it", doc.Seal)
		}
		return nil
	})
}

func (v *verification) membersOf(ctx context.Context, number int64) (map[string]bool, error) {
	seal, err := v.book.LoadSeal(ctx, number)
	if err != nil || seal == nil {
		return nil, err
	}
	members := make(map[string]bool, len(seal.Entries))
	for _, id := range seal.Entries {
		members[id] = true
	}
	return members, nil
}

// settlementsFollow proves that the ledger holds exactly the claw-backs and settlements that refunds and receipts ask for.
func (v *verification) settlementsFollow(ctx context.Context) error {
	q := docstore.All().First(500)
	for {
		page, err := v.settlements.Find(ctx, q)
		if err != nil {
			return err
		}
		if err := v.settlementPage(ctx, page.Items); err != nil {
			return err
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	if v.later == (lot{}) {
		return nil
	}
	return v.nameStrays(ctx)
}

func (v *verification) settlementPage(ctx context.Context, settlements []*Settlement) error {
	ids := make([]string, len(settlements))
	for i, d := range settlements {
		ids[i] = book.AccrueID(d.ID)
	}
	accruals, err := v.book.Entries.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	wanted, from, order := map[string]*Entry{}, map[string]*book.EntryDoc{}, []string(nil)
	for _, d := range settlements {
		v.report.Settlements++
		doc := accruals[book.AccrueID(d.ID)]
		if doc == nil {
			if len(d.Steps) > 0 {
				v.differ("settlement", d.ID, "was settled, but never accrued")
			}
			continue // a refund or receipt that waits for its accrual
		}
		accrual, err := book.ParseEntry(doc)
		if err != nil {
			continue // named before
		}
		for _, e := range d.entries(accrual) {
			wanted[e.ID], from[e.ID], order = e, doc, append(order, e.ID)
		}
	}
	stored, err := v.book.Entries.GetMany(ctx, order)
	if err != nil {
		return err
	}
	for _, id := range order {
		v.follows(wanted[id], stored[id])
		if stored[id] != nil {
			v.derivedInOrder(stored[id], from[id])
		}
	}
	return nil
}

func (v *verification) follows(want *Entry, doc *book.EntryDoc) {
	if doc == nil {
		v.undone = append(v.undone, want.ID)
		return
	}
	v.later.toggle(want.ID)
	if doc.Text != want.Text() {
		v.differ(ruleOf(want.ID), want.ID, "is not what follows from the accrual and the refunds")
	}
}

func ruleOf(id string) string {
	if strings.HasPrefix(id, string(ClawBack)) {
		return "claw-back"
	}
	return "settlement"
}

// lookAgain gives what was decided while Verify ran time to arrive in the ledger.
func (v *verification) lookAgain(ctx context.Context) error {
	stored, err := v.book.Entries.GetMany(ctx, v.undone)
	if err != nil {
		return err
	}
	for _, id := range v.undone {
		if stored[id] == nil {
			v.differ(ruleOf(id), id, "was decided, but is not in the ledger")
		}
	}
	return nil
}

// nameStrays looks for claw-backs and settlements nobody asked for. What was posted while Verify ran is not one.
func (v *verification) nameStrays(ctx context.Context) error {
	for _, kind := range []Kind{ClawBack, Settle} {
		q := docstore.All().Between(string(kind)+"/", string(kind)+"0")
		err := v.book.Entries.Each(ctx, q, func(doc *book.EntryDoc) error {
			e, err := book.ParseEntry(doc)
			if err != nil {
				return nil //nolint:nilerr // named before
			}
			return v.nameStray(ctx, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) nameStray(ctx context.Context, e *Entry) error {
	settlement, err := v.settlements.Get(ctx, e.Order)
	if err != nil && !book.Missing(err) {
		return err
	}
	accrual, err := v.book.Entry(ctx, book.AccrueID(e.Order))
	if err != nil {
		return err
	}
	if settlement != nil && accrual != nil {
		for _, want := range settlement.entries(accrual) {
			if want.ID == e.ID {
				return nil
			}
		}
	}
	v.differ("settlement", e.ID, "nobody asked for this entry")
	return nil
}
