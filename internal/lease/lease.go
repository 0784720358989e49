package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

var (
	// ErrHeld: another process holds the lease, as far as one can see.
	ErrHeld = errors.New("lease: held by another process")
	// ErrLost: a newer holder has been here; stop, and seek the lease again.
	ErrLost = errors.New("lease: lost to another process")
)

// Collection is where the leases are kept.
const Collection = "leases"

// Config is what a Keeper needs. Only Store is required.
type Config struct {
	Store *docstore.Store
	// Beat is how often what is held is renewed and what is sought is looked at. All processes should have the same.
	// Default 2.5 s.
	Beat time.Duration
	// Owner names this start of this process; it must be another the next time. Default: drawn at random.
	Owner string
	// Nanos is a monotonic counter. Default: the machine's.
	Nanos func() int64
	// Died, when set, is called after this process has taken a lease from a holder that did not give it back.
	Died func()
}

// DefaultBeat makes a dead holder's work go on within ten seconds.
const DefaultBeat = 2500 * time.Millisecond

// record is the stored form, id = the lease's name.
type record struct {
	docstore.Doc `bson:",inline"`
	Holder       string `bson:"holder"`           // Config.Owner; "" = given back
	Fence        int64  `bson:"fence"`            // the holder's token; +1 with every new holder
	Beats        int64  `bson:"beats"`            // +1 with every renewal
	Wanted       string `bson:"wanted,omitempty"` // Config.Owner of who has less to do and asks for it
	Calls        int64  `bson:"calls,omitempty"`  // +1 when others say that there is work for the holder
}

// Keeper is one process's share in the leases. Its methods are safe for concurrent use.
type Keeper struct {
	config  Config
	records *docstore.Collection[record]

	io     sync.Mutex // one talk with the store at a time
	mu     sync.Mutex
	leases map[string]*Lease
}

// Open checks the configuration. Nothing is sought before Seek.
func Open(ctx context.Context, c Config) (*Keeper, error) {
	if c.Store == nil || c.Beat < 0 {
		return nil, errors.New("lease: a store is required")
	}
	if c.Beat == 0 {
		c.Beat = DefaultBeat
	}
	if c.Owner == "" {
		c.Owner = rand.Text()
	}
	if c.Nanos == nil {
		c.Nanos = clock.Nanos()
	}
	k := &Keeper{config: c, leases: map[string]*Lease{}}
	var err error
	if k.records, err = docstore.Open[record](ctx, c.Store, docstore.Spec{Name: Collection}); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	return k, nil
}

// Lease is one lease as this process sees it.
type Lease struct {
	keeper *Keeper
	name   string
	last   *record // as this process has stored it; guarded by keeper.io

	// guarded by keeper.mu
	sought  bool
	shared  bool          // may be handed over to who has less to do
	token   int64         // 0 = not held
	renewed int64         // when the store was last told that it is held, on this process's counter
	changed chan struct{} // closed when token changes
	wanted  chan struct{} // closed when another process asks for it
	calling bool          // the holder is to be called with the next beat
	calls   int64         // as this process has seen them last
	called  chan struct{} // gets a value when the holder, this process, was called
	seen    sighting
}

// never is a moment long past.
const never = -1 << 62

// sighting is what an observer has seen of another's lease.
type sighting struct {
	fence, beats int64
	at           int64 // when it was looked at last, on the observer's counter; 0 = never
	quiet        int64 // for how long it has been watched without a move
}

// Seek gives the lease of that name and asks for it from now on: the heartbeat takes it when it can be had. The name is an id
// of the store. Call Try to have it at once if it is free.
func (k *Keeper) Seek(name string) *Lease { return k.seek(name, false) }

// Share is Seek for work that is spread over the processes: who holds more than another hands over. It must be held by Hold.
func (k *Keeper) Share(name string) *Lease { return k.seek(name, true) }

func (k *Keeper) seek(name string, shared bool) *Lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.leases[name]
	if l == nil {
		l = &Lease{keeper: k, name: name, changed: make(chan struct{}), wanted: make(chan struct{}), called: make(chan struct{}, 1)}
		k.leases[name] = l
	}
	l.sought, l.shared = true, l.shared || shared
	return l
}

// Token is what a write that only the holder may do must carry; ok is false when somebody else holds the lease. A process
// that was stopped may believe for up to one beat what is no longer true; Fenced knows better.
func (l *Lease) Token() (token int64, ok bool) {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	return l.token, l.token != 0
}

// Changed is closed when the answer of Token changes. Ask for the channel before the token.
func (l *Lease) Changed() <-chan struct{} {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	return l.changed
}

// Try takes the lease now when it is free, was abandoned as far as this process has watched, or is held already, and gives
// its token. Errors: ErrHeld, those of the store.
func (l *Lease) Try(ctx context.Context) (token int64, err error) {
	k := l.keeper
	k.io.Lock()
	defer k.io.Unlock()
	if token, held := l.Token(); held {
		return token, nil
	}
	k.mu.Lock()
	l.sought = true
	k.mu.Unlock()
	if err := k.look(ctx, []*Lease{l}); err != nil {
		return 0, err
	}
	token, held := l.Token()
	if !held {
		return 0, fmt.Errorf("lease %s: %w", l.name, ErrHeld)
	}
	return token, nil
}

// Check asks the store whether the token is still the newest. It narrows the time in which a late holder acts; where a
// write can carry the token, Fenced closes it. Errors: ErrLost, those of the store.
func (l *Lease) Check(ctx context.Context, token int64) error {
	r, err := l.keeper.records.Get(ctx, l.name)
	switch {
	case err != nil:
		return fmt.Errorf("lease %s: %w", l.name, err)
	case r.Fence != token || r.Holder != l.keeper.config.Owner:
		l.set(0, never)
		return fmt.Errorf("lease %s: %w", l.name, ErrLost)
	}
	return nil
}

// Lose tells the keeper that a write was refused for its token: the lease is sought anew.
func (l *Lease) Lose(token int64) {
	if now, _ := l.Token(); now == token {
		l.set(0, never)
	}
}

// Release gives the lease back, so that nobody has to wait for it, and seeks it no more. It is harmless when it is not held.
func (l *Lease) Release(ctx context.Context) error {
	k := l.keeper
	k.io.Lock()
	defer k.io.Unlock()
	k.mu.Lock()
	l.sought = false
	k.mu.Unlock()
	token, held := l.Token()
	if !held {
		return nil
	}
	l.set(0, never)
	_, err := k.records.Update(ctx, l.name, func(r *record) error {
		if r.Holder == k.config.Owner && r.Fence == token {
			r.Holder, r.Wanted = "", ""
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lease %s: release: %w", l.name, err)
	}
	return nil
}

// set changes what is believed; renewed is when the store was last told so.
func (l *Lease) set(token, renewed int64) {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	l.seen = sighting{}
	if l.token == token {
		return
	}
	l.token, l.renewed = token, renewed
	close(l.changed)
	l.changed, l.wanted = make(chan struct{}), make(chan struct{})
}

// list gives the leases that are held, and those that are only sought, by name.
func (k *Keeper) list() (held, sought []*Lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.leases {
		switch {
		case l.token != 0:
			held = append(held, l)
		case l.sought:
			sought = append(sought, l)
		}
	}
	byName := func(a, b *Lease) int {
		if a.name < b.name {
			return -1
		}
		return 1
	}
	slices.SortFunc(held, byName)
	slices.SortFunc(sought, byName)
	return held, sought
}

// Holder names who holds a lease at this moment, by the store; "" when nobody does. For people.
func (k *Keeper) Holder(ctx context.Context, name string) (string, error) {
	r, err := k.records.Get(ctx, name)
	switch {
	case errors.Is(err, docstore.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("lease %s: %w", name, err)
	}
	return r.Holder, nil
}
