package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/lease"
)

const beat = int64(lease.DefaultBeat)

// player is one process: its monotonic clock starts anywhere and runs at its own speed, its wall clock is wrong.
type player struct {
	name    string
	keeper  *lease.Keeper
	lease   *lease.Lease
	offset  int64
	percent int64
	next    int64 // when it beats, in the world's time
	paused  int64 // until then
	dead    bool
}

type world struct {
	t       *testing.T
	now     int64
	players []*player
	boards  *docstore.Collection[board]
	owners  map[int64]string // token → who got it
	newest  int64            // the highest token that has written
}

func newWorld(t *testing.T, driver docstore.Driver, random *rand.Rand, players int) *world {
	t.Helper()
	w := &world{t: t, now: 1, owners: map[int64]string{}}
	for n := range players {
		p := &player{name: fmt.Sprintf("p%d", n), offset: random.Int64N(1 << 50), percent: 90 + random.Int64N(21)}
		skewed := clock.NewManual(time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC))
		store, err := docstore.New(docstore.Config{Driver: driver, Clock: skewed, Keys: docstoretest.Keys(t)})
		must(t, err)
		p.keeper, err = lease.Open(t.Context(), lease.Config{Store: store, Owner: p.name, Nanos: func() int64 {
			return p.offset + w.now*p.percent/100
		}})
		must(t, err)
		p.lease = p.keeper.Seek("chair")
		p.next = random.Int64N(beat)
		w.players = append(w.players, p)
		if n == 0 {
			w.boards, err = docstore.Open[board](t.Context(), store, docstore.Spec{Name: "boards"})
			must(t, err)
		}
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// step lets time pass and everybody who is due beat.
func (w *world) step(d time.Duration) {
	w.t.Helper()
	w.now += int64(d)
	for _, p := range w.players {
		if p.dead || w.now < p.paused || w.now < p.next {
			continue
		}
		p.next = w.now + beat*100/p.percent
		must(w.t, p.keeper.Beat(w.t.Context()))
		w.owned(p)
	}
}

// owned notes what a player believes; a token belongs to one player for ever.
func (w *world) owned(p *player) (token int64, held bool) {
	w.t.Helper()
	if token, held = p.lease.Token(); !held {
		return 0, false
	}
	if before, known := w.owners[token]; known && before != p.name {
		w.t.Fatalf("token %d was given to %s and to %s", token, before, p.name)
	}
	w.owners[token] = p.name
	return token, true
}

// write is a guarded write by whoever believes that he may.
func (w *world) write(p *player) {
	w.t.Helper()
	token, held := w.owned(p)
	if !held {
		return
	}
	_, err := w.boards.Upsert(w.t.Context(), "b", func(b *board) error {
		if err := b.Admit(token); err != nil {
			return err
		}
		b.Text = fmt.Sprint(p.name, w.now)
		return nil
	})
	switch {
	case err == nil && token < w.newest:
		w.t.Fatalf("%s wrote with token %d after token %d", p.name, token, w.newest)
	case err == nil:
		w.newest = token
	case !errors.Is(err, lease.ErrLost):
		w.t.Fatal(err)
	case token >= w.newest:
		w.t.Fatalf("%s was refused with the newest token %d", p.name, token)
	}
}

func (w *world) holders() (names []string) {
	for _, p := range w.players {
		if _, held := p.lease.Token(); held && !p.dead && w.now >= p.paused {
			names = append(names, p.name)
		}
	}
	return names
}

// TestOneWritesAtATimeWhateverIsStopped draws pauses, deaths and writes for four processes.
func TestOneWritesAtATimeWhateverIsStopped(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t, driver, random, 4)
		must(t, clear(t.Context(), w))
		for range 600 {
			w.step(time.Duration(random.Int64N(int64(900 * time.Millisecond))))
			p := w.players[random.IntN(4)]
			switch random.IntN(30) {
			case 0:
				p.paused = w.now + random.Int64N(int64(20*time.Second))
			case 1:
				must(t, p.lease.Release(t.Context()))
				p.keeper.Seek("chair")
			default:
				w.write(p) // also a paused one: it woke up a moment before its beat
			}
		}
		for _, p := range w.players {
			p.paused = 0
		}
		for range 60 {
			w.step(500 * time.Millisecond)
		}
		if names := w.holders(); len(names) != 1 {
			t.Fatalf("seed %d: when all is quiet %v hold the lease", seed, names)
		}
	}
}

func clear(ctx context.Context, w *world) error {
	err := w.boards.Delete(ctx, "b", nil)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	return err
}

// TestADeadHoldersWorkGoesOnWithinTenSeconds, and a living one is never disturbed, though clocks run unevenly.
func TestADeadHoldersWorkGoesOnWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		w := newWorld(t, docstoretest.Embedded(t), rand.New(rand.NewPCG(seed, 1)), 3)
		for _, p := range w.players {
			p.percent = 98 + int64(seed%5)
		}
		for range 200 {
			w.step(100 * time.Millisecond)
		}
		first := w.holders()
		for range 1200 { // two minutes
			w.step(100 * time.Millisecond)
		}
		if now := w.holders(); len(first) != 1 || len(now) != 1 || first[0] != now[0] || len(w.owners) != 1 {
			t.Fatalf("held by %v, then by %v; tokens %v", first, now, w.owners)
		}
		for _, p := range w.players {
			p.dead = p.name == first[0]
		}
		died := w.now
		for len(w.holders()) == 0 {
			w.step(100 * time.Millisecond)
			if took := time.Duration(w.now - died); took > 10*time.Second {
				t.Fatalf("nobody has taken over after %s", took)
			}
		}
	}
}

// TestAStoppedObserverTakesNothing: it has not watched while it was stopped.
func TestAStoppedObserverTakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, docstoretest.Embedded(t), rand.New(rand.NewPCG(1, 1)), 2)
	a, b := w.players[0], w.players[1]
	must(t, a.keeper.Beat(t.Context()))
	must(t, b.keeper.Beat(t.Context()))
	w.now += int64(20 * time.Second) // both are stopped: a machine that slept
	must(t, b.keeper.Beat(t.Context()))
	if _, held := b.lease.Token(); held {
		t.Fatal("one look after a pause was enough to take the lease of somebody who slept as long")
	}
	must(t, a.keeper.Beat(t.Context()))
	if _, held := a.lease.Token(); !held {
		t.Fatal("the holder lost its lease")
	}
}

// TestATakingWhoseAnswerWasLostIsKept: the store has it, so the process has it.
func TestATakingWhoseAnswerWasLostIsKept(t *testing.T) {
	t.Parallel()
	flaky := docstoretest.NewFlaky(docstoretest.Embedded(t))
	store := docstoretest.StoreOn(t, flaky, clock.System{})
	k, err := lease.Open(t.Context(), lease.Config{Store: store})
	must(t, err)
	l := k.Seek("chair")
	flaky.Next = func(docstore.Op) docstoretest.Mishap { return docstoretest.ReplyLost }
	_, first := l.Try(t.Context())
	flaky.Next = nil
	token, err := l.Try(t.Context())
	must(t, err)
	if token != 1 {
		t.Fatalf("token %d after %v", token, first)
	}
	flaky.Away.Store(true)
	if err := k.Beat(t.Context()); err == nil {
		t.Fatal("a beat without a store")
	}
	if _, held := l.Token(); !held {
		t.Fatal("a store that is away is no reason to give up: writes are guarded by the token")
	}
	flaky.Away.Store(false)
	must(t, k.Beat(t.Context()))
}

// TestWorkIsDoneByTheHolder and handed on when the holder stops in an orderly way.
func TestWorkIsDoneByTheHolder(t *testing.T) {
	t.Parallel()
	store := docstoretest.NewStore(t, clock.System{})
	began := make(chan string, 4)
	start := func(name string) (stop func()) {
		k, err := lease.Open(t.Context(), lease.Config{Store: store, Owner: name, Beat: 20 * time.Millisecond})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{}, 2)
		l := k.Seek("chair")
		go func() { k.Run(ctx, nil); ended <- struct{}{} }()
		go func() {
			l.Hold(ctx, func(ctx context.Context, _ int64) { began <- name; <-ctx.Done() })
			ended <- struct{}{}
		}()
		return func() { cancel(); <-ended; <-ended }
	}
	stopOne := start("one")
	if name := <-began; name != "one" {
		t.Fatal(name)
	}
	stopTwo := start("two")
	stopOne()
	if name := <-began; name != "two" {
		t.Fatal(name)
	}
	stopTwo()
}
