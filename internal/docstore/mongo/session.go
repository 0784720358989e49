package mongo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/bson/primitive"
	"go.mongodb.org/mongo-driver/event"
	"go.mongodb.org/mongo-driver/mongo"

	"guanxi/internal/docstore"
)

// horizon is the cluster time of the newest write this process has been told of. Reads wait for it: right
// after a failover the new primary may not yet know that the writes it holds are committed.
type horizon struct {
	mu   sync.Mutex
	time primitive.Timestamp
}

func (h *horizon) advance(t *primitive.Timestamp) {
	if t == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.After(h.time) {
		h.time = *t
	}
}

func (h *horizon) last() primitive.Timestamp {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.time
}

// read runs one reading operation in its own session. Its errors are those of readError.
func (d *Driver) read(ctx context.Context, operation string, run func(context.Context) error) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	return d.peek(ctx, operation, run)
}

// peek is read for those who have entered already.
func (d *Driver) peek(ctx context.Context, operation string, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	session, err := d.client.StartSession()
	if err != nil {
		return readError(operation, err)
	}
	defer session.EndSession(ctx)
	if last := d.seen.last(); !last.IsZero() {
		if err := session.AdvanceOperationTime(&last); err != nil {
			return readError(operation, err)
		}
	}
	return readError(operation, run(mongo.NewSessionContext(ctx, session)))
}

// write runs one writing command in its own session and gives what is known of its outcome.
func (d *Driver) write(ctx context.Context, run func(context.Context) error) (witness, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return witness{}, err
	}
	seen := &observation{}
	session, err := d.client.StartSession()
	if err != nil {
		return witness{}, fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	defer session.EndSession(ctx)
	err = run(mongo.NewSessionContext(context.WithValue(ctx, observationKey{}, seen), session))
	d.seen.advance(session.OperationTime())
	return witness{attempts: int(seen.sent.Load()), matched: int(seen.matched.Load())}, err
}

// witness is what the wire saw of one command.
type witness struct {
	attempts int // times it was handed to a connection
	matched  int // n of the last answer
}

// observation collects a witness. Error values do not always tell whether a command had been sent; the command
// monitor does.
type observation struct {
	sent    atomic.Int32
	matched atomic.Int64
}

type observationKey struct{}

func noteSent(ctx context.Context, _ *event.CommandStartedEvent) {
	if o, ok := ctx.Value(observationKey{}).(*observation); ok {
		o.sent.Add(1)
	}
}

func noteAnswered(ctx context.Context, e *event.CommandSucceededEvent) {
	o, ok := ctx.Value(observationKey{}).(*observation)
	if !ok {
		return
	}
	if n, ok := e.Reply.Lookup("n").AsInt64OK(); ok {
		o.matched.Store(n)
	}
}
