package crosscheck

import (
	"context"
	"errors"

	"guanxi/commission"
	"guanxi/commission/sharing"
	"guanxi/internal/money"
)

// Sharings is what is read of the payouts out of orders' payments (sharing.Archive).
type Sharings interface {
	Each(ctx context.Context, visit func(*sharing.Sharing) error) error
	// Get answers sharing.ErrNotFound for an order that has none.
	Get(ctx context.Context, order string) (*sharing.Sharing, error)
	// Find answers sharing.ErrNotFound for a number nobody has.
	Find(ctx context.Context, number string) (*sharing.Sharing, *sharing.Part, error)
}

// sharings walks the sharings and asks the ledger for each part.
func (r *run) sharings(ctx context.Context) error {
	if r.Sharings == nil {
		return nil
	}
	batch := make([]*sharing.Sharing, 0, r.Config.Batch)
	flush := func() error {
		if err := r.sharingBatch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
		r.progress(Progress{"sharings", r.report.Sharings})
		return nil
	}
	err := r.Sharings.Each(ctx, func(d *sharing.Sharing) error {
		if r.sharingMoves(d) {
			r.report.Young++
			return nil
		}
		if batch = append(batch, d); len(batch) < r.Config.Batch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// sharingMoves tells whether the entries of a sharing may still be under way.
func (r *run) sharingMoves(d *sharing.Sharing) bool {
	for i := range d.Parts {
		if p := &d.Parts[i]; p.State.Ended() && !p.Posted && r.young(p.EndedAt) {
			return true
		}
	}
	return false
}

func (r *run) sharingBatch(ctx context.Context, batch []*sharing.Sharing) error {
	var ids []string
	for _, d := range batch {
		ids = append(ids, sharingIDs(d)...)
	}
	entries, err := r.entries(ctx, ids)
	if err != nil {
		return err
	}
	for _, d := range batch {
		r.report.Sharings++
		if len(shared(d, entries)) == 0 {
			continue
		}
		if err := r.sharingAgain(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func sharingIDs(d *sharing.Sharing) []string {
	ids := make([]string, 0, 4*len(d.Parts))
	for i := range d.Parts {
		four := trailIDs(d.Parts[i].Number)
		ids = append(ids, four[:]...)
	}
	return ids
}

// sharingAgain looks a second time, on fresh copies; the sharing is read last, because it is written before its entries.
func (r *run) sharingAgain(ctx context.Context, d *sharing.Sharing) error {
	entries, err := r.entries(ctx, sharingIDs(d))
	if err != nil {
		return err
	}
	if d, err = r.Sharings.Get(ctx, d.ID); err != nil {
		return err
	}
	if r.sharingMoves(d) {
		r.report.Young++
		return nil
	}
	r.tell(shared(d, entries))
	return nil
}

// shared says what is wrong with the ledger's answers to the parts of a sharing, and with the platform's.
func shared(d *sharing.Sharing, entries map[string]*commission.Entry) []Difference {
	var all []Difference
	for i := range d.Parts {
		all = append(all, sharedPart(&d.Parts[i], trailOf(d.Parts[i].Number, entries))...)
	}
	if d.Trouble != "" {
		all = append(all, differ(ruleTransfer, d.ID, "the platform's word does not fit: %s", d.Trouble))
	}
	return all
}

func sharedPart(p *sharing.Part, t trail) []Difference {
	var all []Difference
	wrong := func(format string, args ...any) { all = append(all, differ(ruleSharing, p.Number, format, args...)) }
	need := func(what string, e *commission.Entry, kind commission.Kind, pot commission.Pot, amount money.Fen) {
		switch {
		case e == nil:
			wrong("it is %s, and the ledger has no %s", p.State, what)
		case e.Kind != kind:
			wrong("it is %s, and the ledger's %s is a %s", p.State, what, e.Kind)
		case moved(e, pot.Of(p.Member)) != amount:
			wrong("%s should move %s yuan, and moves %s", what, amount.Yuan(), moved(e, pot.Of(p.Member)).Yuan())
		}
	}
	if t.hold != nil || p.State != sharing.PartPlanned && p.State != sharing.PartLeft {
		need("reservation", t.hold, commission.Withdraw, commission.Available, -p.Amount)
	}
	switch {
	case p.State == sharing.PartPaid:
		need("outcome", t.outcome, commission.Confirm, commission.Withdrawn, p.Amount)
	case p.State == sharing.PartClosed, p.State == sharing.PartLeft && t.hold != nil:
		need("outcome", t.outcome, commission.Fail, commission.Available, p.Amount)
	case t.outcome != nil:
		wrong("it is %s, and the ledger has an outcome (%s)", p.State, t.outcome.Kind)
	}
	for _, e := range []*commission.Entry{t.tax, t.back} {
		if e != nil {
			wrong("nothing is withheld and nothing comes back, and the ledger has a %s", e.Kind)
		}
	}
	return all
}

// sharedFor says what an entry about a part of a sharing lacks; ok is false when it is about none.
func (r *run) sharedFor(ctx context.Context, e *commission.Entry) (ok bool, err error) {
	if r.Sharings == nil {
		return false, nil
	}
	_, p, err := r.Sharings.Find(ctx, e.Number)
	if errors.Is(err, sharing.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	right := false
	switch e.Kind {
	case commission.Withdraw:
		right = true
	case commission.Confirm:
		right = p.State == sharing.PartPaid
	case commission.Fail:
		right = p.State == sharing.PartClosed || p.State == sharing.PartLeft
	}
	if !right {
		r.tell([]Difference{differ(ruleSharing, e.ID, "%s, but the part is %s", e.Kind, p.State)})
	}
	return true, nil
}
