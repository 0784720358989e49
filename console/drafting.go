package console

import (
	"context"
	"encoding/json"

	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/staff"
)

// What every kind of draft has in common: one person prepares, another carries out. A draft is found only under its
// own kind, because each kind has permissions of its own.

// draftOf loads a draft of a kind.
func (c *Console) draftOf(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	d, err := c.staff.Draft(ctx, draft)
	if err == nil && d.Kind != kind {
		return nil, staff.ErrDraftMissing
	}
	return d, err
}

// drafts lists those of a kind.
func (c *Console) drafts(ctx context.Context, kind string, in *draftsInput) (*draftsOutput, error) {
	page, err := c.staff.Drafts(ctx, kind, in.State, paging(in.Paged))
	if err != nil {
		return nil, err
	}
	out := &draftsOutput{}
	out.Body.Drafts, out.Body.Next = each(page.Items, viewDraft), page.Next
	var people []string
	for _, d := range page.Items {
		people = append(people, d.Maker, d.Checker)
	}
	out.Body.People, err = c.peopleOf(ctx, people...)
	return out, err
}

// writeDraft stores what the caller prepared.
func (c *Console) writeDraft(ctx context.Context, in staff.DraftInput, content any, d *deed) (*staff.Draft, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	in.Maker, in.Content = edge.Caller(ctx), string(raw)
	draft, err := c.staff.WriteDraft(ctx, in)
	if err == nil {
		d.say("draft/"+draft.ID, "", staff.Digest(raw))
	}
	return draft, err
}

// contentOf reads what writeDraft stored.
func contentOf[T any](d *staff.Draft) (content T, err error) {
	if err := json.Unmarshal([]byte(d.Content), &content); err != nil {
		return content, ErrDraft.Because(err)
	}
	return content, nil
}

// refuseDraft is a checker's no.
func (c *Console) refuseDraft(ctx context.Context, kind string, in *dropInput, d *deed) (*staff.Draft, error) {
	d.After = in.Body.Why
	if _, err := c.draftOf(ctx, kind, in.Draft); err != nil {
		return nil, err
	}
	return c.staff.DropDraft(ctx, in.Draft, edge.Caller(ctx), in.Body.Why)
}

// withdrawDraft is the maker's own change of mind.
func (c *Console) withdrawDraft(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	d, err := c.draftOf(ctx, kind, draft)
	if err != nil {
		return nil, err
	}
	if d.Maker != edge.Caller(ctx) {
		return nil, ErrNotYours
	}
	return c.staff.DropDraft(ctx, draft, edge.Caller(ctx), "")
}

// carryOut takes a draft for the caller, does what it says and writes the result on it. Whoever died in between can repeat
// it, so do must find what was made of this draft before and not make it again.
func (c *Console) carryOut(
	ctx context.Context, kind, draft string, d *deed, do func(*staff.Draft) (result string, err error),
) (*staff.Draft, error) {
	if _, err := c.draftOf(ctx, kind, draft); err != nil {
		return nil, err
	}
	checker := edge.Caller(ctx)
	taken, err := c.staff.TakeDraft(ctx, draft, checker)
	if err != nil || taken.State == staff.DraftTaken {
		return taken, err
	}
	result, err := do(taken)
	if err != nil {
		return nil, c.giveBack(ctx, taken, checker, err)
	}
	d.say("draft/"+draft, staff.Digest([]byte(taken.Content)), result)
	return c.staff.FinishDraft(ctx, draft, checker, result)
}

// giveBack opens a draft again that the domain refused. After an unclear answer the draft stays with its checker.
func (c *Console) giveBack(ctx context.Context, draft *staff.Draft, checker string, err error) error {
	if f := fault.Of(err); f == nil || f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		return err
	}
	if _, failed := c.staff.ReturnDraft(ctx, draft.ID, checker); failed != nil {
		return failed
	}
	return err
}
