package docstoretest

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"path/filepath"
	"testing"
	"time"

	"guanxi/internal/docstore"
)

// Share lets other processes use a driver over a socket, so that several of them work on one store; the embedded one would
// refuse the second. It returns the address for Dial and ends with the test.
func Share(t testing.TB, driver docstore.Driver) (address string) {
	t.Helper()
	address = filepath.Join(t.TempDir(), "store")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", address)
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer()
	if err := server.RegisterName("Driver", &Shared{driver}); err != nil {
		t.Fatal(err)
	}
	registerValues()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(connection)
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return address
}

func registerValues() {
	gob.Register(time.Time{})
}

// Shared is what a process that shares its driver answers. Its methods are those of net/rpc.
type Shared struct{ driver docstore.Driver }

// Ask is one question to a shared driver; each uses the fields it needs.
type Ask struct {
	Spec       SharedSpec
	Collection string
	IDs        []string
	Ops        []docstore.Op
	Query      docstore.Query
	Limit      int
}

// SharedSpec is a docstore.Spec without its functions.
type SharedSpec struct {
	Name    string
	Schema  int
	Indexes []docstore.Index
}

// Reply is the answer.
type Reply struct {
	Records []docstore.Record
	Next    string
	Count   int
	Errors  []Failure // one per operation, or one for all
}

// Failure is an error of the contract on its way.
type Failure struct {
	Kind   int // place in sharedErrors + 1; 0 = none, -1 = an unknown one
	Text   string
	Exists *docstore.ExistsError
}

var sharedErrors = []error{
	docstore.ErrNotFound, docstore.ErrUnavailable, docstore.ErrUnclear, docstore.ErrContended, docstore.ErrInvalid, docstore.ErrStale,
}

func failure(err error) Failure {
	if err == nil {
		return Failure{}
	}
	f := Failure{Kind: -1, Text: err.Error()}
	if errors.As(err, &f.Exists) {
		return f
	}
	for i, known := range sharedErrors {
		if errors.Is(err, known) {
			f.Kind = i + 1
		}
	}
	return f
}

func (f Failure) err() error {
	switch {
	case f.Kind == 0:
		return nil
	case f.Exists != nil:
		return f.Exists
	case f.Kind < 0:
		return errors.New(f.Text)
	}
	return fmt.Errorf("%w: %s", sharedErrors[f.Kind-1], f.Text)
}

// Ensure is the driver's.
func (s *Shared) Ensure(a Ask, r *Reply) error {
	spec := docstore.Spec{Name: a.Spec.Name, Schema: a.Spec.Schema, Indexes: a.Spec.Indexes}
	r.Errors = []Failure{failure(s.driver.Ensure(context.Background(), spec))}
	return nil
}

// Get is the driver's.
func (s *Shared) Get(a Ask, r *Reply) (err error) {
	r.Records, err = s.driver.Get(context.Background(), a.Collection, a.IDs)
	r.Errors = []Failure{failure(err)}
	return nil
}

// Write is the driver's.
func (s *Shared) Write(a Ask, r *Reply) error {
	for _, err := range s.driver.Write(context.Background(), a.Ops) {
		r.Errors = append(r.Errors, failure(err))
	}
	return nil
}

// Find is the driver's.
func (s *Shared) Find(a Ask, r *Reply) (err error) {
	r.Records, r.Next, err = s.driver.Find(context.Background(), a.Collection, a.Query)
	r.Errors = []Failure{failure(err)}
	return nil
}

// Count is the driver's.
func (s *Shared) Count(a Ask, r *Reply) (err error) {
	r.Count, err = s.driver.Count(context.Background(), a.Collection, a.Query, a.Limit)
	r.Errors = []Failure{failure(err)}
	return nil
}

// Dial gives the driver that another process shares. A process that is killed or stopped in the middle of a call leaves it
// done or not done, like one that is cut off a server.
func Dial(address string) (docstore.Driver, error) {
	registerValues()
	client, err := rpc.Dial("unix", address)
	if err != nil {
		return nil, fmt.Errorf("docstoretest: %w", err)
	}
	return &remote{client}, nil
}

type remote struct{ client *rpc.Client }

func (r *remote) ask(ctx context.Context, method string, a Ask) (reply Reply, err error) {
	if err := ctx.Err(); err != nil {
		return reply, fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	if err := r.client.Call("Driver."+method, a, &reply); err != nil {
		return reply, fmt.Errorf("%w: %w", docstore.ErrUnclear, err)
	}
	if len(reply.Errors) == 1 {
		err = reply.Errors[0].err()
	}
	return reply, err
}

// Ensure is the shared driver's.
func (r *remote) Ensure(ctx context.Context, spec docstore.Spec) error {
	_, err := r.ask(ctx, "Ensure", Ask{Spec: SharedSpec{spec.Name, spec.Schema, spec.Indexes}})
	return err
}

// Get is the shared driver's.
func (r *remote) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	reply, err := r.ask(ctx, "Get", Ask{Collection: collection, IDs: ids})
	return reply.Records, err
}

// Write is the shared driver's.
func (r *remote) Write(ctx context.Context, ops []docstore.Op) []error {
	answers := make([]error, len(ops))
	reply, err := r.ask(ctx, "Write", Ask{Ops: ops})
	for i := range answers {
		if answers[i] = err; len(reply.Errors) == len(ops) {
			answers[i] = reply.Errors[i].err()
		}
	}
	return answers
}

// Find is the shared driver's.
func (r *remote) Find(ctx context.Context, collection string, q docstore.Query) ([]docstore.Record, string, error) {
	reply, err := r.ask(ctx, "Find", Ask{Collection: collection, Query: q})
	return reply.Records, reply.Next, err
}

// Count is the shared driver's.
func (r *remote) Count(ctx context.Context, collection string, q docstore.Query, limit int) (int, error) {
	reply, err := r.ask(ctx, "Count", Ask{Collection: collection, Query: q, Limit: limit})
	return reply.Count, err
}

// Ping tells whether the sharing process answers.
func (r *remote) Ping(ctx context.Context) error {
	_, err := r.ask(ctx, "Get", Ask{Collection: "ping", IDs: nil})
	if errors.Is(err, docstore.ErrUnclear) {
		return err
	}
	return nil
}

// Close hangs up.
func (r *remote) Close() error { return r.client.Close() }
