package console

import (
	"context"

	"guanxi/console/room"
	"guanxi/staff"
)

// What every kind of draft has in common: one person prepares, another carries out. A draft is found only under its
// own kind, because each kind has permissions of its own.

// draftOf loads a draft of a kind.
func (c *Console) draftOf(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	return c.room.DraftOf(ctx, kind, draft)
}

// writeDraft stores what the caller prepared.
func (c *Console) writeDraft(ctx context.Context, in staff.DraftInput, content any, d *deed) (*staff.Draft, error) {
	return c.room.WriteDraft(ctx, in, content, &d.Change)
}

// contentOf reads what writeDraft stored.
func contentOf[T any](d *staff.Draft) (content T, err error) { return room.ContentOf[T](d) }

// refuseDraft is a checker's no.
func (c *Console) refuseDraft(ctx context.Context, kind string, in *dropInput, d *deed) (*staff.Draft, error) {
	d.After = in.Body.Why
	return c.room.RefuseDraft(ctx, kind, in.Draft, in.Body.Why)
}

// withdrawDraft is the maker's own change of mind.
func (c *Console) withdrawDraft(ctx context.Context, kind, draft string) (*staff.Draft, error) {
	return c.room.WithdrawDraft(ctx, kind, draft)
}

// carryOut takes a draft for the caller, does what it says and writes the result on it; see room.CarryOut.
func (c *Console) carryOut(
	ctx context.Context, kind, draft string, d *deed, do func(*staff.Draft) (result string, err error),
) (*staff.Draft, error) {
	return c.room.CarryOut(ctx, kind, draft, &d.Change, do)
}
