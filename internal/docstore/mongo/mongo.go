// Package mongo keeps documents in MongoDB: a replica set or a sharded cluster.
//
// What it promises beyond docstore.Driver:
//
//   - A write answered nil is on the disks of a majority. Reads ask the primary for majority-committed data and
//     wait for the last write this process was told of, so a process reads its own writes across a failover.
//   - Every find names its native index, and every step of it is an equality prefix with one range: it costs
//     what it returns, however far a cursor has gone.
//   - A write whose reply was lost is repeated once by the client under the same transaction number (the server
//     carries it out once). What is still unknown then is ErrUnclear; what was never sent is ErrUnavailable.
//   - It uses insert, find, getMore, update (whole documents), delete, createIndexes, ping. No transactions, no
//     update operators, no aggregation.
//
// On a sharded cluster the operator shards each collection by the Spec.ShardKey before the first start; a
// unique index must then begin with that key, as MongoDB demands.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/event"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/mongo/readconcern"
	"go.mongodb.org/mongo-driver/mongo/readpref"
	"go.mongodb.org/mongo-driver/mongo/writeconcern"

	"guanxi/internal/docstore"
)

// Options say where the database is and how long to wait for it.
type Options struct {
	// URL is a MongoDB connection string; it carries hosts, replica set, credentials and TLS. Required.
	URL string
	// Database is the database's name. Required.
	Database string
	// MaxPool is the most connections kept per server. Default 32.
	MaxPool int
	// Timeout bounds one operation from its start to its answer. Default 10 s.
	Timeout time.Duration
	// Selection bounds the wait for a primary, and the time to connect to one. Default 5 s.
	Selection time.Duration
	// AppName appears in the server's log and currentOp. Default "guanxi".
	AppName string
}

func (o *Options) complete() error {
	if o.URL == "" || o.Database == "" {
		return fmt.Errorf("%w: mongo needs a URL and a database", docstore.ErrInvalid)
	}
	if o.MaxPool < 0 || o.Timeout < 0 || o.Selection < 0 {
		return fmt.Errorf("%w: mongo limits must not be negative", docstore.ErrInvalid)
	}
	if o.MaxPool == 0 {
		o.MaxPool = 32
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Selection == 0 {
		o.Selection = 5 * time.Second
	}
	if o.AppName == "" {
		o.AppName = "guanxi"
	}
	return nil
}

// Driver is a docstore.Driver over a connected client.
type Driver struct {
	client   *mongo.Client
	database *mongo.Database
	timeout  time.Duration
	lanes    chan struct{} // bounds the writes in flight
	seen     horizon

	building sync.Mutex // one Ensure at a time

	mu     sync.RWMutex // shapes
	shapes map[string]*collection

	gate   sync.RWMutex // held for reading by every operation, for writing by Close
	closed bool
}

// Open connects and makes sure that a primary answers.
// Errors: ErrInvalid for unusable options, ErrUnavailable when nobody answers.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	client, err := mongo.Connect(ctx, clientOptions(o))
	if err != nil {
		return nil, fmt.Errorf("mongo: connect: %w: %w", docstore.ErrInvalid, err)
	}
	d := &Driver{
		client: client, database: client.Database(o.Database), timeout: o.Timeout,
		lanes: make(chan struct{}, max(1, o.MaxPool-o.MaxPool/4)), shapes: map[string]*collection{},
	}
	if err := d.Ping(ctx); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return d, nil
}

func clientOptions(o Options) *options.ClientOptions {
	journaled := true
	return options.Client().ApplyURI(o.URL).
		SetAppName(o.AppName).
		SetMaxPoolSize(uint64(o.MaxPool)).
		SetServerSelectionTimeout(o.Selection).
		SetConnectTimeout(o.Selection).
		SetRetryWrites(true).
		SetRetryReads(true).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled, WTimeout: o.Timeout * 8 / 10}).
		SetMonitor(&event.CommandMonitor{Started: noteSent, Succeeded: noteAnswered})
}

// Ping tells whether a primary answers.
func (d *Driver) Ping(ctx context.Context) error {
	return d.read(ctx, "ping", func(ctx context.Context) error { return d.client.Ping(ctx, readpref.Primary()) })
}

// Close waits for running operations, then closes the connections. Operations after it are ErrUnavailable.
func (d *Driver) Close() error {
	d.gate.Lock()
	defer d.gate.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	if err := d.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongo: close: %w", err)
	}
	return nil
}

var errClosed = errors.New("mongo: driver is closed")

// enter lets one operation in, until leave is called.
func (d *Driver) enter() (leave func(), err error) {
	d.gate.RLock()
	if d.closed {
		d.gate.RUnlock()
		return nil, fmt.Errorf("%w: %w", docstore.ErrUnavailable, errClosed)
	}
	return d.gate.RUnlock, nil
}

func (d *Driver) collection(name string) (*collection, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.shapes[name]
	if c == nil {
		return nil, fmt.Errorf("mongo: collection %s: %w: not declared with Ensure", name, docstore.ErrInvalid)
	}
	return c, nil
}
