package lease_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/lease"
)

// stoppable is the store as a process sees it that can be stopped: nothing it asks is carried out meanwhile.
type stoppable struct {
	docstore.Driver
	mu sync.Mutex
	on chan struct{} // closed when it runs
}

func (s *stoppable) wait() {
	s.mu.Lock()
	on := s.on
	s.mu.Unlock()
	<-on
}

func (s *stoppable) Get(ctx context.Context, collection string, ids []string) ([]docstore.Record, error) {
	s.wait()
	return s.Driver.Get(ctx, collection, ids)
}

func (s *stoppable) Write(ctx context.Context, ops []docstore.Op) []error {
	s.wait()
	return s.Driver.Write(ctx, ops)
}

func (s *stoppable) stop() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = make(chan struct{})
	return sync.OnceFunc(func() { close(s.on) })
}

// crew is several processes that share leases.
type crew struct {
	t      *testing.T
	driver docstore.Driver
	names  []string
	mu     sync.Mutex
	at     map[string]map[string]context.Context // lease → process → the context of its work
	died   map[string]int                        // process → how often it found somebody dead
	all    sync.WaitGroup
}

// join starts a process; leave ends it in an orderly way.
func (c *crew) join(name string) (process *stoppable, leave context.CancelFunc) {
	process = &stoppable{Driver: c.driver}
	process.stop()()
	store, err := docstore.New(docstore.Config{Driver: process, Clock: clock.System{}, Keys: docstoretest.Keys(c.t)})
	must(c.t, err)
	k, err := lease.Open(c.t.Context(), lease.Config{Store: store, Owner: name, Died: func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.died[name]++
	}})
	must(c.t, err)
	ctx, leave := context.WithCancel(c.t.Context())
	for _, one := range c.names {
		l := k.Share(one)
		c.all.Go(func() {
			l.Hold(ctx, func(ctx context.Context, _ int64) {
				c.note(one, name, ctx)
				<-ctx.Done()
				c.note(one, name, nil)
			})
		})
	}
	c.all.Go(func() { k.Run(ctx, nil) })
	return process, leave
}

func (c *crew) note(lease, process string, ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx == nil {
		delete(c.at[lease], process)
		return
	}
	if c.at[lease] == nil {
		c.at[lease] = map[string]context.Context{}
	}
	c.at[lease][process] = ctx
}

// sure lists how many leases each process works under and is sure of, and fails when two are sure of one.
func (c *crew) sure() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := map[string]int{}
	for name, processes := range c.at {
		sure := []string{}
		for process, ctx := range processes {
			if lease.Sure(ctx) == nil {
				sure = append(sure, process)
				held[process]++
			}
		}
		if len(sure) > 1 {
			c.t.Fatalf("%v are all sure of %s", sure, name)
		}
	}
	return held
}

// until lets time pass until the leases are held as wanted, at most that long.
func (c *crew) until(most time.Duration, what string, fine func(held map[string]int) bool) {
	c.t.Helper()
	var held map[string]int
	for passed := time.Duration(0); passed <= most; passed += 100 * time.Millisecond {
		if held = c.sure(); fine(held) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.t.Fatalf("%s: after %s the leases are held so: %v", what, most, held)
}

func spread(counts ...int) func(map[string]int) bool {
	return func(held map[string]int) bool {
		for i, n := range counts {
			if held[fmt.Sprintf("p%d", i)] != n {
				return false
			}
		}
		return true
	}
}

func newCrew(t *testing.T, leases int) *crew {
	t.Helper()
	c := &crew{t: t, driver: docstoretest.Embedded(t), at: map[string]map[string]context.Context{}, died: map[string]int{}}
	for n := range leases {
		c.names = append(c.names, fmt.Sprintf("loop/%02d", n))
	}
	return c
}

// TestSharedLeasesAreSpreadEvenly over those who are there: who comes is given some, what a stopped or dead one had goes on
// elsewhere within ten seconds, and at no moment two processes are sure of one lease.
func TestSharedLeasesAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, 12)
		first, leave0 := c.join("p0")
		c.until(3*time.Second, "one alone", spread(12))
		_, leave1 := c.join("p1")
		c.until(10*time.Second, "a second one", spread(6, 6))
		third, leave2 := c.join("p2")
		c.until(10*time.Second, "a third one", spread(4, 4, 4))
		for range 600 { // nobody moves without a reason
			time.Sleep(100 * time.Millisecond)
			if held := c.sure(); !spread(4, 4, 4)(held) {
				t.Fatalf("in a quiet minute: %v", held)
			}
		}

		resume := third.stop()
		c.until(10*time.Second, "the third is stopped", spread(6, 6, 0))
		time.Sleep(10 * time.Second)
		resume()
		c.until(10*time.Second, "the third goes on", spread(4, 4, 4))

		back := first.stop()
		c.until(10*time.Second, "the first is dead", spread(0, 6, 6))
		if c.died["p1"]+c.died["p2"] < 4 {
			t.Errorf("nobody was told of a death: %v", c.died)
		}
		leave2()
		c.until(3*time.Second, "the third has left", spread(0, 12, 0))
		leave1()
		leave0()
		back()
		c.all.Wait()
		must(t, c.driver.Close())
	})
}

// TestWhoWasStoppedIsNotSure before it has heard from the store again.
func TestWhoWasStoppedIsNotSure(t *testing.T) {
	t.Parallel()
	now := int64(1)
	k, err := lease.Open(t.Context(), lease.Config{Store: docstoretest.NewStore(t, clock.System{}), Nanos: func() int64 { return now }})
	must(t, err)
	l := k.Share("loop")
	_, err = l.Try(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	began, ended := make(chan context.Context), make(chan struct{})
	go func() {
		defer close(ended)
		l.Hold(ctx, func(ctx context.Context, _ int64) { began <- ctx; <-ctx.Done() })
	}()
	work := <-began
	for _, one := range []struct {
		passed time.Duration
		beat   bool
		want   error
	}{
		{0, false, nil},
		{lease.DefaultBeat, false, nil},
		{20 * time.Second, false, lease.ErrUnsure},
		{0, true, nil},
		{3 * lease.DefaultBeat / 2, false, nil},
		{1, false, lease.ErrUnsure},
	} {
		if now += int64(one.passed); one.beat {
			must(t, k.Beat(t.Context()))
		}
		if err := lease.Sure(work); !errors.Is(err, one.want) {
			t.Errorf("after %s: %v, want %v", one.passed, err, one.want)
		}
	}
	if err := lease.Sure(t.Context()); err != nil {
		t.Errorf("without a lease: %v", err)
	}
	cancel()
	<-ended
	if err := lease.Sure(work); !errors.Is(err, lease.ErrLost) {
		t.Errorf("after it was given back: %v", err)
	}
}

// TestAHolderIsCalled by who has work for it, within two beats, and only once however often it was called for.
func TestAHolderIsCalled(t *testing.T) {
	t.Parallel()
	store := docstoretest.NewStore(t, clock.System{})
	open := func(owner string) (*lease.Keeper, *lease.Lease) {
		k, err := lease.Open(t.Context(), lease.Config{Store: store, Owner: owner})
		must(t, err)
		return k, k.Share("loop")
	}
	holder, held := open("one")
	other, sought := open("two")
	beat := func() (called bool) {
		must(t, other.Beat(t.Context()))
		must(t, holder.Beat(t.Context()))
		select {
		case <-held.Called():
			return true
		default:
			return false
		}
	}
	must(t, holder.Beat(t.Context()))
	got := []bool{beat()}
	sought.Call()
	sought.Call()
	got = append(got, beat(), beat())
	held.Call() // it holds it itself
	got = append(got, beat())
	if want := []bool{false, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("called: %v, want %v", got, want)
	}
}
