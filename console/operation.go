package console

import (
	"context"
	"errors"
	"time"

	"guanxi/internal/edge"
	"guanxi/staff"
)

// own is the permission of operations on one's own account: every signed-in operator has it, also one who must change
// the password first.
const own = "own"

// who is the operator who asks.
func who(ctx context.Context) staff.Principal {
	p, _ := edge.Principal(ctx).(staff.Principal)
	return p
}

// authenticate refuses who may not call the operation at all.
func (c *Console) authenticate(ctx context.Context, token string, op edge.Operation) (edge.Identity, error) {
	p, err := c.staff.Authenticate(ctx, token)
	if err != nil {
		return edge.Identity{}, err
	}
	if op.Permission != own {
		if err := p.May(staff.Permission(op.Permission)); err != nil {
			return edge.Identity{}, err
		}
	}
	return edge.Identity{ID: p.Operator, Principal: p}, nil
}

// subjected inputs say what a write is done to before it is done.
type subjected interface{ subject() string }

// deed is what a handler tells the audit log about what it did.
type deed struct{ staff.Change }

func (d *deed) say(subject, before, after string) {
	d.Subject, d.Before, d.After = subject, before, after
}

const auditPatience = 5 * time.Second

// write puts a changing operation on the router. The same Idempotency-Key gives the same answer.
func write[I, O any](c *Console, op edge.Operation, handle func(ctx context.Context, in *I, d *deed) (*O, error)) {
	op.Recorded = true
	writeSecret(c, op, handle)
}

// writeSecret is write for what carries a password: a record would keep a hash of the request or the answer itself, so
// these use cases are idempotent by themselves.
//
// The beginning of every write is in the audit log before the handler runs, its outcome before the answer is given. When
// the outcome cannot be stored, the caller is told to try again.
func writeSecret[I, O any](c *Console, op edge.Operation, handle func(ctx context.Context, in *I, d *deed) (*O, error)) {
	edge.Register(c.edge, op, func(ctx context.Context, in *I) (*O, error) {
		begun := staff.Deed{By: edge.Caller(ctx), Operation: op.ID, Request: edge.RequestID(ctx)}
		if s, ok := any(in).(subjected); ok {
			begun.Subject = s.subject()
		}
		number, err := c.staff.Begin(ctx, begun)
		if err != nil {
			return nil, err
		}
		d := &deed{}
		out, err := handle(ctx, in, d)
		outcome, code := staff.OutcomeOf(err)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditPatience)
		defer cancel()
		if failed := c.staff.Finish(end, number, outcome, code, d.Change); failed != nil {
			return nil, errors.Join(failed, err)
		}
		return out, err
	})
}
