// Package docstore keeps typed documents, and promises the same on an embedded file and on MongoDB.
//
// A collection holds documents of one Go type that embeds Doc. It can get, insert, update by function,
// delete, find through a declared index, count and scan; nothing else. There are no joins, no multi-document
// transactions, no update operators: what spans documents is an event (see package event).
//
//   - A write that returned nil is durable. One that returned ErrUnclear may have happened: repeat it with the
//     same derived ids.
//   - Update loads, runs the function, and writes back only if nobody wrote in between; it retries a bounded
//     number of times. The function must be repeatable: it may run more than once, on fresh copies.
//   - Concurrent updates of one document in one process are combined: one load, all functions in turn, one
//     write, and each caller gets its own answer. A function that fails leaves no trace on the document.
//   - A document that cannot be read (a key that is gone, damaged bytes, a secret in another's place) is ErrUnreadable where
//     it is asked for by name. Pages, walks and sweeps leave it out, note it (Store.Unreadable) and go on.
//   - Encrypted fields are sealed for their collection, document and field: bytes moved elsewhere do not open.
//   - Messages a function emits with Doc.Emit are stored in the same write (the outbox).
//
// Declared like this:
//
//	type Campaign struct {
//		docstore.Doc `bson:",inline"`
//		Host         string    `bson:"host"`
//		OpenedAt     time.Time `bson:"opened_at"`
//	}
//	campaigns, err := docstore.Open[Campaign](store, docstore.Spec{
//		Name:    "campaigns",
//		Indexes: []docstore.Index{{Name: "host", Fields: []string{"host", "opened_at"}}},
//	})
//	page, err := campaigns.Find(ctx, docstore.By("host", hostID).Newest().First(20))
package docstore

import (
	"time"

	"go.mongodb.org/mongo-driver/bson"
)

// Doc is embedded first, inline, in every stored type.
type Doc struct {
	ID      string `bson:"_id"`     // [A-Za-z0-9:_.@|/-], at most 200
	Version int64  `bson:"version"` // 0 = never stored; 1 after the insert; +1 with every write
	Token   int64  `bson:"token"`   // drawn anew for every write: tells our write from another's after a lost reply
	Schema  int    `bson:"schema"`  // the Spec.Schema it was written with

	// Outbox holds the messages not yet taken by every consumer; Waiting is when the sweeper may next look at
	// it (absent while the outbox is empty).
	Outbox  []Message `bson:"outbox,omitempty"`
	Waiting time.Time `bson:"waiting,omitempty"`

	// In a chained collection: since when the content has not been sealed into the chain of facts, and the number of the
	// link that holds what was there before. Package notary moves both.
	Unproven time.Time `bson:"unproven,omitempty"`
	Proven   int64     `bson:"proven,omitempty"`

	emitted []emission
}

// Message is one stored event. Package event gives it its types.
type Message struct {
	ID       string    `bson:"id"`   // <collection>/<document>/<version>/<n>: derived, so one per change
	Name     string    `bson:"name"` // order.Paid
	At       time.Time `bson:"at"`
	Body     bson.Raw  `bson:"body"`
	Done     []string  `bson:"done,omitempty"`     // consumers that have taken it
	Attempts int       `bson:"attempts,omitempty"` // failed rounds so far
	Error    string    `bson:"error,omitempty"`    // the last failure, for people
	Tries    []Try     `bson:"tries,omitempty"`    // consumers that have failed, or are being called outside
}

// Try is how far one consumer has come with a message that it has not taken.
type Try struct {
	Consumer string    `bson:"consumer"`
	Attempts int       `bson:"attempts,omitempty"` // rounds that failed or were put off
	Refused  int       `bson:"refused,omitempty"`  // rounds that failed for a reason that does not pass by itself
	Since    time.Time `bson:"since,omitempty"`    // the first of them
	Next     time.Time `bson:"next,omitempty"`     // not to be called before
	Parked   bool      `bson:"parked,omitempty"`   // given up on: a person decides
	Error    string    `bson:"error,omitempty"`
}

type emission struct {
	name string
	body any
}

// Emit adds an event to the outbox; it is stored with the change that the caller is making, or not at all.
// Body is a struct with bson tags.
func (d *Doc) Emit(name string, body any) { d.emitted = append(d.emitted, emission{name, body}) }

// Fresh reports whether the document has never been stored (inside an Upsert function).
func (d *Doc) Fresh() bool { return d.Version == 0 }

func (d *Doc) meta() *Doc { return d }

// Document is satisfied by a pointer to any struct that embeds Doc.
type Document[T any] interface {
	*T
	meta() *Doc
}

// Spec declares a collection.
type Spec struct {
	Name    string  // [a-z][a-z0-9_]*
	Schema  int     // version of the document's shape; starts at 1 when zero
	Indexes []Index // besides _id
	// Upgrades[i] turns schema i+1 into i+2, on read. The upgraded document is written back with its next
	// change.
	Upgrades []func(bson.M) error
	// ShardKey is the field a sharded cluster shards the collection by; "" = it stays whole on one shard. A unique
	// index must begin with it, as MongoDB demands, and an _id must determine it.
	ShardKey string
	// Retired are indexes of earlier versions that are over: they are dropped, while an index that is merely not
	// declared may belong to a newer program and stays, a unique one enforced. Retire an index one release after
	// the last one that declared it, so that two versions that run side by side agree.
	Retired []Index
	// Lookups declares the hashes that stand beside Encrypted fields, so that Store.Rekey can bring them to a new key.
	Lookups []Lookup
	// Chained says that money or law depends on these documents: every change is marked in the same write, so that
	// package notary can seal it into the chain of facts, and none is ever deleted.
	Chained bool
	// Emits says that its documents emit events: without it emitting is refused with ErrInvalid, and nobody looks there
	// for messages that wait.
	Emits bool
}

// Lookup is a top-level field that holds KeyRing.Lookup(Purpose, …) of the Encrypted top-level field Of.
type Lookup struct{ Field, Of, Purpose string }

// Index declares an ordered index over fields (dotted paths) that hold strings, integers, booleans or times.
// All fields of an index must be present in a document, or, when Sparse, all absent; a document that breaks
// this is refused with ErrInvalid.
type Index struct {
	Name   string
	Fields []string
	Unique bool
	Sparse bool // documents without the fields are not in the index
}

// WaitingIndex is the sparse index over Doc.Waiting of every collection that emits.
const WaitingIndex = "waiting"

// UnprovenIndex is the sparse index every chained collection has over Doc.Unproven.
const UnprovenIndex = "unproven"

// Query asks one declared index: equality on a prefix, at most one range on the next field, an order, a limit
// and a place to go on from. Build it with By or All.
type Query struct {
	Index      string // "" is the _id
	Equal      []any
	From, To   any // inclusive from, exclusive to, on the field after Equal; nil = open
	Descending bool
	Limit      int    // 0 = DefaultLimit; at most MaxLimit
	After      string // Page.Next of the page before; opaque
	Complete   bool   // fail rather than leave out what cannot be read
}

// Limits of one page.
const (
	DefaultLimit = 50
	MaxLimit     = 5000
)

// All asks for every document in _id order.
func All() Query { return Query{} }

// By asks for the documents whose leading index fields equal the given values.
func By(index string, equal ...any) Query { return Query{Index: index, Equal: equal} }

// Between narrows the next field to from <= field < to; nil leaves a side open.
func (q Query) Between(from, to any) Query { q.From, q.To = from, to; return q }

// Newest turns the order round.
func (q Query) Newest() Query { q.Descending = true; return q }

// First sets the page size.
func (q Query) First(n int) Query { q.Limit = n; return q }

// Continue goes on after an earlier page.
func (q Query) Continue(cursor string) Query { q.After = cursor; return q }

// Whole makes a query fail with ErrUnreadable instead of leaving out a document that cannot be read: for what decides by
// all that is there, such as rules in force.
func (q Query) Whole() Query { q.Complete = true; return q }

// Page is one page of a find. Next is empty on the last page.
type Page[T any] struct {
	Items      []*T
	Next       string
	Unreadable []string // ids of documents that were left out
}
