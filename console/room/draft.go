package room

import (
	"context"
	"encoding/json"
	"strconv"

	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/staff"
)

// What every kind of draft has in common: one person prepares, another carries out. A draft is found only under its
// own kind, because each kind has permissions of its own.

// DraftOf loads a draft of a kind. Codes: STF_DRAFT_NOT_FOUND.
func (r *Room) DraftOf(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	d, err := r.Staff.Draft(ctx, draft)
	if err == nil && d.Kind != kind {
		return nil, staff.ErrDraftMissing
	}
	return d, err
}

// WriteDraft stores what the caller prepared.
func (r *Room) WriteDraft(ctx context.Context, in staff.DraftInput, content any, d *staff.Change) (*staff.Draft, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	in.Maker, in.Content = edge.Caller(ctx), string(raw)
	draft, err := r.Staff.WriteDraft(ctx, in)
	if err == nil {
		d.Subject, d.Before, d.After = "draft/"+draft.ID, "", staff.Digest(raw)
	}
	return draft, err
}

// ContentOf reads what WriteDraft stored. Codes: CON_DRAFT_DAMAGED.
func ContentOf[T any](d *staff.Draft) (content T, err error) {
	if err := json.Unmarshal([]byte(d.Content), &content); err != nil {
		return content, ErrDraft.Because(err)
	}
	return content, nil
}

// RefuseDraft is a checker's no.
func (r *Room) RefuseDraft(ctx context.Context, kind, draft, why string) (*staff.Draft, error) {
	if _, err := r.DraftOf(ctx, kind, draft); err != nil {
		return nil, err
	}
	return r.Staff.DropDraft(ctx, draft, edge.Caller(ctx), why)
}

// WithdrawDraft is the maker's own change of mind. Codes: CON_NOT_YOURS.
func (r *Room) WithdrawDraft(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	d, err := r.DraftOf(ctx, kind, draft)
	if err != nil {
		return nil, err
	}
	if d.Maker != edge.Caller(ctx) {
		return nil, ErrNotYours
	}
	return r.Staff.DropDraft(ctx, draft, edge.Caller(ctx), "")
}

// CarryOut takes a draft for the caller, does what it says and writes the result on it. Whoever died in between can repeat
// it, so do must find what was made of this draft before and not make it again.
func (r *Room) CarryOut(
	ctx context.Context, kind, draft string, d *staff.Change, do func(*staff.Draft) (result string, err error),
) (*staff.Draft, error) {
	if _, err := r.DraftOf(ctx, kind, draft); err != nil {
		return nil, err
	}
	checker := edge.Caller(ctx)
	taken, err := r.Staff.TakeDraft(ctx, draft, checker)
	if err != nil || taken.State == staff.DraftTaken {
		return taken, err
	}
	result, err := do(taken)
	if err != nil {
		return nil, r.giveBack(ctx, taken, checker, err)
	}
	d.Subject, d.Before, d.After = "draft/"+draft, staff.Digest([]byte(taken.Content)), result
	return r.Staff.FinishDraft(ctx, draft, checker, result)
}

// giveBack opens a draft again that the domain refused. After an unclear answer the draft stays with its checker.
func (r *Room) giveBack(ctx context.Context, draft *staff.Draft, checker string, err error) error {
	if f := fault.Of(err); f == nil || f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		return err
	}
	if _, failed := r.Staff.ReturnDraft(ctx, draft.ID, checker); failed != nil {
		return failed
	}
	return err
}

func lines(n int) string { return strconv.Itoa(n) + " lines" }
