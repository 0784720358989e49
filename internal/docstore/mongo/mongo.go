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
//   - It uses insert, find, getMore, update (whole documents), delete, hello, ping, listCollections, listIndexes,
//     createIndexes, and dropIndexes for what Spec.Retired names. No transactions, no update operators, no
//     aggregation.
//   - "Invalid" and "unavailable" are only said of refusals of which it is known that the server makes them before
//     it does anything; every other trouble of a write is ErrUnclear.
//
// On a sharded cluster the operator shards each collection that has a Spec.ShardKey by it before the first start;
// one without stays whole on the database's primary shard.
package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"
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
	// URL is a MongoDB connection string; it carries hosts, replica set, credentials and TLS. Required. What it
	// says of pool size, idle time, selection and connect time-out stands where the fields below are zero; what it
	// says of write concern, read concern, read preference and retries does not: the contract needs ours.
	URL string
	// Database is the database's name. Required.
	Database string
	// MaxPool is the most connections kept per server. Default: the URL's maxPoolSize, or 32.
	MaxPool int
	// Timeout bounds one operation from its start to its answer; the server gives up reads after the same time.
	// Default 25 s.
	Timeout time.Duration
	// Selection bounds the wait for a primary; it should outlast an election (10 to 12 s by a server's defaults).
	// Default: the URL's serverSelectionTimeoutMS, or 15 s, or Timeout if that is shorter.
	Selection time.Duration
	// ReadOnly makes, migrates and indexes nothing, and refuses every write.
	ReadOnly bool
	// AppName appears in the server's log and currentOp. Default: the URL's, or "guanxi".
	AppName string
}

func (o *Options) complete() error {
	if o.URL == "" || o.Database == "" {
		return fmt.Errorf("%w: mongo needs a URL and a database", docstore.ErrInvalid)
	}
	if o.MaxPool < 0 || o.Timeout < 0 || o.Selection < 0 {
		return fmt.Errorf("%w: mongo limits must not be negative", docstore.ErrInvalid)
	}
	o.Timeout = cmp.Or(o.Timeout, 25*time.Second)
	return nil
}

// Times and sizes that stand where neither Options nor the URL say anything.
const (
	defaultPool      = 32
	defaultSelection = 15 * time.Second
	defaultConnect   = 10 * time.Second
	defaultIdle      = 5 * time.Minute // routers and firewalls forget connections that are silent for longer
	oldestWire       = 9               // MongoDB 4.4: it names the index in a duplicate, and hints in deletes
)

// Driver is a docstore.Driver over a connected client.
type Driver struct {
	client   *mongo.Client
	database *mongo.Database
	timeout  time.Duration
	pool     int
	reads    bool          // only
	lanes    chan struct{} // bounds the writes in flight
	seen     horizon

	building sync.Mutex // one Ensure at a time

	mu     sync.RWMutex // shapes
	shapes map[string]*collection

	gate   sync.RWMutex // held for reading by every operation, for writing by Close
	closed bool

	warnings []string
}

// Open connects and makes sure that a primary answers and that it is one we can work with.
// Errors: ErrInvalid for unusable options or a server too old, ErrUnavailable when nobody answers.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	settings := clientOptions(&o)
	client, err := mongo.Connect(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("mongo: connect: %w: %w", docstore.ErrInvalid, err)
	}
	pool := max(1, int(*settings.MaxPoolSize))
	d := &Driver{
		client: client, database: client.Database(o.Database), timeout: o.Timeout, pool: pool, reads: o.ReadOnly,
		lanes: make(chan struct{}, max(1, pool-pool/4)), shapes: map[string]*collection{},
	}
	if err := d.greet(ctx); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	return d, nil
}

func clientOptions(o *Options) *options.ClientOptions {
	journaled := true
	c := options.Client().ApplyURI(o.URL).
		SetRetryWrites(true).
		SetRetryReads(true).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled, WTimeout: o.Timeout * 8 / 10}).
		SetMonitor(&event.CommandMonitor{Started: noteSent, Succeeded: noteAnswered})
	if o.AppName != "" || c.AppName == nil {
		c.SetAppName(cmp.Or(o.AppName, "guanxi"))
	}
	if o.MaxPool > 0 || c.MaxPoolSize == nil || *c.MaxPoolSize == 0 {
		c.SetMaxPoolSize(uint64(cmp.Or(o.MaxPool, defaultPool)))
	}
	if o.Selection > 0 || c.ServerSelectionTimeout == nil {
		c.SetServerSelectionTimeout(cmp.Or(o.Selection, min(defaultSelection, o.Timeout)))
	}
	if c.ConnectTimeout == nil {
		c.SetConnectTimeout(min(defaultConnect, *c.ServerSelectionTimeout))
	}
	if c.MaxConnIdleTime == nil {
		c.SetMaxConnIdleTime(defaultIdle)
	}
	return c
}

// greet asks the primary what it is.
func (d *Driver) greet(ctx context.Context) error {
	if err := d.Ping(ctx); err != nil {
		return err
	}
	var hello struct {
		Wire    int32  `bson:"maxWireVersion"`
		Set     string `bson:"setName"`
		Message string `bson:"msg"`
	}
	err := d.read(ctx, "hello", func(ctx context.Context) error {
		return d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	})
	switch {
	case err != nil:
		return err
	case hello.Wire < oldestWire:
		return fmt.Errorf("mongo: %w: the server speaks wire version %d; MongoDB 4.4 (%d) or newer is needed", docstore.ErrInvalid, hello.Wire, oldestWire)
	case hello.Set == "" && hello.Message != "isdbgrid":
		d.warnings = append(d.warnings, "the server is neither a replica set nor a router: a write whose reply is lost cannot be "+
			"repeated safely, and nothing survives the loss of its disk; run a replica set, of one member if need be")
	}
	return nil
}

// Pool is the most connections kept per server.
func (d *Driver) Pool() int { return d.pool }

// Warnings says, in sentences for whoever runs the program, what of the server is not as it should be.
func (d *Driver) Warnings() []string { return d.warnings }

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
