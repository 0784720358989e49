package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// RelayConfig is what a Relay needs. Every number that is zero takes its default.
type RelayConfig struct {
	Store     *docstore.Store
	Clock     clock.Clock
	Consumers []Consumer

	Workers    int           // calls of one consumer at the same time, of an outside one half as many; default 8
	Queue      int           // messages under way before the rest is left to the sweeper; default 8192
	Line       int           // messages waiting for one outside consumer before the rest is put off; default 1024
	Attempts   int           // failed rounds of a consumer before it is given up on, unless the failure may pass; default 12
	Refusals   int           // the same of an outside consumer, where a failure that stays is seldom an accident; default 3
	GiveUp     time.Duration // how long what may pass is tried again; default 72 h
	Timeout    time.Duration // of one consumer for one message; default 30 s
	SweepEvery time.Duration // how often collections are looked at in which something waits or was written lately; default 2 s
	RestEvery  time.Duration // how often those are in which this process has ever seen something, for what others left behind; all of them every
	// five minutes and at the start. Default: SweepEvery, and then all of them
	Lease      time.Duration // how long a sweeper has a document to itself; default 1 min
	Page       int           // documents a sweeper leases at once; default 64
	Backoff    time.Duration // wait after the first failure, doubled with each further one; default 2 s
	BackoffMax time.Duration // default 15 min
	Retire     int           // finished messages that leave together; default 128
	RetireWait time.Duration // how long a finished message waits for company; default 10 ms

	// Random draws from [0,n) for the jitter. Default: math/rand.
	Random func(n int64) int64
	// Log hears of panics and parked messages. Default: silence.
	Log *slog.Logger
}

// Relay carries messages from the outboxes to the consumers. Its methods are safe for concurrent use.
type Relay struct {
	config    RelayConfig
	consumers map[string][]Consumer // by event name, in table order
	outboxes  func() map[string]docstore.Outbox
	history   *docstore.Collection[past]
	parked    *docstore.Collection[parked]

	hall    hall
	lanes   *lanes
	blind   blind
	counts  counts
	backlog atomic.Pointer[backlog]
	wake    chan struct{} // asks the sweeper to look now
	lively  lively        // the collections to look at between two full looks
	behind  atomic.Bool   // messages were left to the sweeper and the queue has been full since

	retiring chan []parcel
	life     context.Context // of consumers called on the fast path
	kill     context.CancelFunc
	quit     chan struct{} // closed by Stop: the sweeper ends
	sweeper  sync.WaitGroup
	retirers sync.WaitGroup
	state    atomic.Int32 // idle, running, stopped

	// at is called at every step boundary; an error abandons the work as a crash would. Tests only.
	at func(point string) error
}

const (
	stateNew int32 = iota
	stateRunning
	stateStopped
)

// Names of the relay's own collections.
const (
	HistoryCollection = "history"
	ParkedCollection  = "parked"
)

// NewRelay checks the table of consumers and opens the relay's collections. Nothing is delivered before Start,
// SweepOnce or Drain.
func NewRelay(ctx context.Context, c RelayConfig) (*Relay, error) {
	if c.Store == nil || c.Clock == nil {
		return nil, errors.New("event: store and clock are required")
	}
	consumers, err := byEvent(c.Consumers)
	if err != nil {
		return nil, err
	}
	setDefaults(&c)
	r := &Relay{
		config: c, consumers: consumers, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		retiring: make(chan []parcel, c.Workers), at: func(string) error { return nil }, lanes: openLanes(c),
	}
	r.hall.open(c.Queue)
	r.outboxes = func() map[string]docstore.Outbox { return outboxesOf(c.Store) }
	if r.history, err = docstore.Open[past](ctx, c.Store, historySpec()); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if r.parked, err = docstore.Open[parked](ctx, c.Store, parkedSpec()); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	r.life, r.kill = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

func byEvent(consumers []Consumer) (map[string][]Consumer, error) {
	table, names := map[string][]Consumer{}, map[string]bool{}
	for _, c := range consumers {
		switch {
		case c.Event == "" || c.Name == "" || c.Take == nil:
			return nil, fmt.Errorf("event: consumer %q of %q is incomplete", c.Name, c.Event)
		case names[c.Name]:
			return nil, fmt.Errorf("event: consumer %q stands twice in the table", c.Name)
		}
		names[c.Name] = true
		table[c.Event] = append(table[c.Event], c)
	}
	return table, nil
}

func setDefaults(c *RelayConfig) {
	number := func(n *int, preset int) {
		if *n <= 0 {
			*n = preset
		}
	}
	span := func(d *time.Duration, preset time.Duration) {
		if *d <= 0 {
			*d = preset
		}
	}
	number(&c.Workers, 8)
	number(&c.Queue, 8192)
	number(&c.Line, 1024)
	number(&c.Attempts, 12)
	number(&c.Refusals, 3)
	number(&c.Page, 64)
	number(&c.Retire, 128)
	span(&c.Timeout, 30*time.Second)
	span(&c.SweepEvery, 2*time.Second)
	span(&c.RestEvery, c.SweepEvery)
	span(&c.Lease, time.Minute)
	span(&c.Backoff, 2*time.Second)
	span(&c.BackoffMax, 15*time.Minute)
	span(&c.GiveUp, 72*time.Hour)
	span(&c.RetireWait, 10*time.Millisecond)
	if c.Random == nil {
		c.Random = rand.Int64N
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// outboxesOf lists the outboxes by collection, the relay's own (which never emit) left out.
func outboxesOf(store *docstore.Store) map[string]docstore.Outbox {
	all := map[string]docstore.Outbox{}
	for _, box := range store.Outboxes() {
		if name := box.Name(); name != HistoryCollection && name != ParkedCollection {
			all[name] = box
		}
	}
	return all
}

// Start begins delivering: the fast path, the retirers and the sweeper. The context bounds only the
// start; the end is Stop.
func (r *Relay) Start(context.Context) error {
	if !r.state.CompareAndSwap(stateNew, stateRunning) {
		return errors.New("event: the relay can be started once")
	}
	for range 2 { // one gathers while the other writes
		r.retirers.Go(r.retireLoop)
	}
	r.sweeper.Go(r.sweepLoop)
	r.config.Store.OnCommitted(r.committed)
	return nil
}

// Stop takes no new messages, lets those in delivery finish and flushes what is to be retired. Messages that
// still wait for a worker stay in their outboxes for the next start. When ctx ends first, running consumers
// are cancelled and its error is returned.
func (r *Relay) Stop(ctx context.Context) error {
	if !r.state.CompareAndSwap(stateRunning, stateStopped) {
		r.state.Store(stateStopped)
		return nil
	}
	r.config.Store.OnCommitted(nil)
	r.hall.shut()
	r.lanes.close()
	close(r.quit)
	ended := make(chan struct{})
	go func() {
		r.sweeper.Wait()
		r.lanes.all.Wait()
		close(r.retiring)
		r.retirers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		r.kill()
		return nil
	case <-ctx.Done():
		r.kill()
		return fmt.Errorf("event: stop relay: %w", ctx.Err())
	}
}

// Nudge asks the sweeper to look at once, for instance because another instance said that something is due.
func (r *Relay) Nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
