package docstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/bson/bsoncodec"

	"guanxi/internal/clock"
)

// Store is an opened database. Collections are opened on it once, at start.
type Store struct {
	driver   Driver
	clock    clock.Clock
	keys     *KeyRing
	registry *bsoncodec.Registry
	strict   *bsoncodec.Registry // refuses secrets that are not bound to their place
	clear    *bsoncodec.Registry
	patience time.Duration
	grace    time.Duration

	mu        sync.Mutex
	outboxes  []Outbox
	rekeyers  map[string]rekeyer // by collection
	marks     *Collection[rekeying]
	lost      lost
	chained   []Chained
	changed   chan struct{}
	committed func(collection, id string, messages []Message)
	written   []func(collection string)
}

// Config is what a Store needs.
type Config struct {
	Driver Driver
	Clock  clock.Clock
	Keys   *KeyRing
	// Patience bounds one driver call made for combined callers. Default 10 s.
	Patience time.Duration
	// Grace is how long a new outbox is left to the fast path before the sweeper may take it. Default 5 s.
	Grace time.Duration
}

// New checks the configuration and returns a Store.
func New(c Config) (*Store, error) {
	if c.Driver == nil || c.Clock == nil || c.Keys == nil {
		return nil, errors.New("docstore: driver, clock and keys are required")
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	s := &Store{
		clock: c.Clock, keys: c.Keys, registry: newRegistry(c.Keys, false), strict: newRegistry(c.Keys, true), clear: clearRegistry(),
		patience: c.Patience, grace: c.Grace, rekeyers: map[string]rekeyer{}, changed: make(chan struct{}, 1),
	}
	s.driver = telling{c.Driver, s}
	return s, nil
}

// Keys gives the key ring, for lookups beside encrypted fields.
func (s *Store) Keys() *KeyRing { return s.keys }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.driver.Ping(ctx) }

// Warnings says, in sentences for whoever runs the program, what of the database is not as it should be.
func (s *Store) Warnings() []string {
	if d, ok := s.driver.(telling).Driver.(interface{ Warnings() []string }); ok {
		return d.Warnings()
	}
	return nil
}

// Close closes the driver. Stop everything that uses the store first.
func (s *Store) Close() error { return s.driver.Close() }

// OnCommitted sets the one listener that hears of stored messages right after their write. It must not block.
func (s *Store) OnCommitted(listen func(collection, id string, messages []Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed = listen
}

// Outboxes lists the opened collections that emit, for the event relay.
func (s *Store) Outboxes() []Outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.outboxes), func(box Outbox) bool {
		o, ours := box.(outbox)
		return ours && !o.spec.Emits
	})
}

// Collections names the opened collections, in the order of their opening; one that several have opened stands there for
// each.
func (s *Store) Collections() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.outboxes))
	for i, box := range s.outboxes {
		names[i] = box.Name()
	}
	return names
}

// Outbox is the relay's view of a collection.
type Outbox interface {
	Name() string
	// Due returns ids of documents whose outbox may be looked at, oldest first.
	Due(ctx context.Context, limit int) ([]string, error)
	// Depth counts documents with a waiting outbox, up to limit.
	Depth(ctx context.Context, limit int) (int, error)
	// Tend loads the document's envelope, lets edit change Outbox and Waiting, and stores them. A missing
	// document is ErrNotFound.
	Tend(ctx context.Context, id string, edit func(*Doc) error) error
	// TendMany is Tend for many documents with one read and one grouped write. It answers each by itself, in
	// the order of ids; each id may stand in it once. An edit that changes nothing costs no write.
	TendMany(ctx context.Context, ids []string, edit func(*Doc) error) []error
	// Waiting returns ids of documents with a waiting outbox that become due before until, oldest first.
	Waiting(ctx context.Context, until time.Time, limit int) ([]string, error)
}

// Marshal encodes an event body or any value with the store's codecs.
func (s *Store) Marshal(v any) (bson.Raw, error) {
	raw, err := bson.MarshalWithRegistry(s.registry, v)
	if err != nil {
		return nil, fmt.Errorf("%w: encode %T: %w", ErrInvalid, v, err)
	}
	return raw, nil
}

// Unmarshal decodes what Marshal made.
func (s *Store) Unmarshal(raw bson.Raw, into any) error {
	if err := bson.UnmarshalWithRegistry(s.registry, raw, into); err != nil {
		return fmt.Errorf("docstore: decode %T: %w", into, err)
	}
	return nil
}

func (s *Store) announce(collection, id string, messages []Message) {
	if len(messages) == 0 {
		return
	}
	s.mu.Lock()
	listen := s.committed
	s.mu.Unlock()
	if listen != nil {
		listen(collection, id, messages)
	}
}

func checkSpec(spec *Spec) error {
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,60}$`).MatchString(spec.Name) {
		return fmt.Errorf("%w: collection name %q", ErrInvalid, spec.Name)
	}
	if spec.Schema == 0 {
		spec.Schema = 1
	}
	if len(spec.Upgrades) != spec.Schema-1 {
		return fmt.Errorf("%w: collection %s: schema %d needs %d upgrades", ErrInvalid, spec.Name, spec.Schema, spec.Schema-1)
	}
	spec.Indexes = slices.Clone(spec.Indexes)
	if spec.Chained {
		spec.Indexes = append(spec.Indexes, Index{Name: UnprovenIndex, Fields: []string{"unproven"}, Sparse: true})
	}
	if spec.Emits {
		spec.Indexes = append(spec.Indexes, Index{Name: WaitingIndex, Fields: []string{"waiting"}, Sparse: true})
	}
	seen := map[string]bool{}
	for _, index := range spec.Indexes {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`).MatchString(index.Name) || len(index.Fields) == 0 || seen[index.Name] {
			return fmt.Errorf("%w: collection %s: index %q", ErrInvalid, spec.Name, index.Name)
		}
		seen[index.Name] = true
		if index.Unique && spec.ShardKey != "" && index.Fields[0] != spec.ShardKey {
			return fmt.Errorf("%w: collection %s: unique index %q does not begin with the shard key %q: a sharded cluster refuses it",
				ErrInvalid, spec.Name, index.Name, spec.ShardKey)
		}
	}
	return nil
}
