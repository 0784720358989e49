package console

import (
	"context"

	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/staff"
)

// own is the permission of operations on one's own account.
const own = room.Own

// who is the operator who asks.
func who(ctx context.Context) staff.Principal { return room.Who(ctx) }

// authenticate says whose token this is.
func (c *Console) authenticate(ctx context.Context, token string, _ edge.Operation) (edge.Identity, error) {
	p, err := c.staff.Authenticate(ctx, token)
	if err != nil {
		return edge.Identity{}, err
	}
	return edge.Identity{ID: p.Operator, Principal: p}, nil
}

// deed is what a handler tells the audit log about what it did.
type deed struct{ *room.Deed }

func (d *deed) say(subject, before, after string) { d.Say(subject, before, after) }

// write puts a changing operation on the router. The same Idempotency-Key gives the same answer.
func write[I, O any](c *Console, op edge.Operation, handle func(ctx context.Context, in *I, d *deed) (*O, error)) {
	room.Write(c.room, op, func(ctx context.Context, in *I, d *room.Deed) (*O, error) { return handle(ctx, in, &deed{d}) })
}

// writeSecret is write for what carries a password; see room.WriteSecret.
func writeSecret[I, O any](c *Console, op edge.Operation, handle func(ctx context.Context, in *I, d *deed) (*O, error)) {
	room.WriteSecret(c.room, op, func(ctx context.Context, in *I, d *room.Deed) (*O, error) { return handle(ctx, in, &deed{d}) })
}
