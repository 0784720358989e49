package redisx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/silenceper/wechat/v2/cache"
)

const tick = 40 * time.Millisecond

func equal(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func TestADeadServerCostsNothingAfterTheFirstFailures(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		r := p.open()
		if err := r.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.kill()
		asked := 0
		for range 50 {
			err := r.do(t.Context(), func(ctx context.Context) error {
				asked++
				return r.conn().Ping(ctx).Err()
			})
			if !errors.Is(err, ErrAway) {
				t.Fatalf("ping of a dead server: %v", err)
			}
		}
		if asked > 10 { // three, and a probe per rest
			t.Errorf("a dead server was asked %d times", asked)
		}
		equal(t, "retries of the renewed client", 0, r.conn().Options().MaxRetries)
		p.restart()
		p.pass(tick)
		if err := r.Ping(t.Context()); err != nil {
			t.Errorf("after the restart: %v", err)
		}
	})
}

func TestABrokenURLIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://x", "redis://:secret@ho st:1", "redis://:secret@h:1/x"} {
		_, err := Open(Config{URL: address, Clock: embeddedPlace(t).clock})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestACallerWhoGoesAwayDoesNotTripTheBreaker(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		r := p.open()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			if err := r.Ping(gone); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		}
		if err := r.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestGateRefusesOnlyWhatTheEstimateSaysIsGone(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		ctx, a, b := t.Context(), p.open(), p.open()
		one, other := a.Gate(GateConfig{SoldOut: tick}), b.Gate(GateConfig{SoldOut: tick})
		deal := func(g *Gate, n int64, want bool) {
			t.Helper()
			if got := g.Deal(ctx, "c", n); got != want {
				t.Errorf("deal %d: %v, want %v", n, got, want)
			}
		}
		deal(one, 5, true) // no estimate: the store decides
		one.Refill(ctx, "c", 3)
		deal(one, 2, true)
		deal(other, 2, false) // one is left
		deal(other, 1, true)
		deal(one, 1, false)
		one.Refill(ctx, "c", 1) // somebody's order was closed
		deal(one, 1, true)
		one.Close(ctx, "c")
		deal(one, 1, false)
		deal(other, 1, false)
		one.Reopen(ctx, "c")
		deal(one, 1, true)
		p.pass(2 * tick)
		deal(other, 1, true)
	})
}

func TestGateNeverRefusesForever(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		r := p.open()
		g := r.Gate(GateConfig{Trust: 2 * tick, SoldOut: tick})
		g.Refill(t.Context(), "c", 0)
		for n := 0; !g.Deal(t.Context(), "c", 1); n++ { // asking does not prolong it
			if n > 8 {
				t.Fatal("still refusing")
			}
			p.pass(tick)
		}
		g.Refill(t.Context(), "c", 0)
		p.flush()
		p.pass(2 * tick)
		if !g.Deal(t.Context(), "c", 1) {
			t.Error("refused after a flush")
		}
		g.Refill(t.Context(), "c", 0)
		p.kill()
		p.pass(2 * tick)
		if !g.Deal(t.Context(), "c", 1) {
			t.Error("refused without Redis")
		}
	})
}

func TestGateAnswersSoldOutWithoutARoundTrip(t *testing.T) {
	t.Parallel()
	p := embeddedPlace(t)
	g := p.open().Gate(GateConfig{})
	g.Refill(t.Context(), "c", 0)
	before := p.first.mini.CommandCount()
	for range 100 {
		if g.Deal(t.Context(), "c", 1) {
			t.Fatal("admitted")
		}
	}
	equal(t, "commands", before, p.first.mini.CommandCount())
}

func TestLimiterAllowsTheRateOverAllInstancesTogether(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		limiters := []*Limiter{p.open().Limiter(), p.open().Limiter(), p.open().Limiter()}
		rate := Rate{Count: 10, Per: time.Hour}
		var allowed atomic.Int64
		var all sync.WaitGroup
		for n := range 6 { // few enough that no call runs into its time limit on a busy machine
			all.Go(func() {
				for range 10 {
					v := limiters[n%3].Allow(t.Context(), "m", rate)
					if v.Allowed {
						allowed.Add(1)
					} else if v.RetryAfter <= 0 || v.RetryAfter > 6*time.Minute {
						t.Errorf("retry after %s", v.RetryAfter)
					}
				}
			})
		}
		all.Wait()
		equal(t, "allowed", int64(10), allowed.Load())
		if !limiters[0].Allow(t.Context(), "other", rate).Allowed {
			t.Error("keys share a bucket")
		}
		if limiters[0].Allow(t.Context(), "m", Rate{}).Allowed {
			t.Error("a rate of nothing allows something")
		}
	})
}

func TestLimiterTakesSeveralTokensOrNone(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		l, rate := p.open().Limiter(), Rate{Count: 10, Per: time.Hour}
		got := []bool{}
		for _, n := range []int{7, 7, 3, 1} {
			got = append(got, l.AllowN(t.Context(), "m", rate, n).Allowed)
		}
		equal(t, "of 7, 7, 3, 1", []bool{true, false, true, false}, got)
		equal(t, "more than the bucket holds", true, l.AllowN(t.Context(), "other", rate, 1000).Allowed)
	})
}

func TestLimiterRefillsWithTime(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		l := p.open().Limiter()
		rate := Rate{Count: 1, Per: tick, Burst: 2}
		for _, want := range []bool{true, true, false} {
			equal(t, "allowed", want, l.Allow(t.Context(), "m", rate).Allowed)
		}
		v := l.Allow(t.Context(), "m", rate)
		p.pass(v.RetryAfter + time.Millisecond)
		equal(t, "after the wait", true, l.Allow(t.Context(), "m", rate).Allowed)
	})
}

func TestLimiterNeverAllowsUnlimitedWhateverHappensToRedis(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, p *place) {
		limiters := []*Limiter{p.open().Limiter(), p.open().Limiter()}
		rate, began := Rate{Count: 1, Per: tick, Burst: 5}, p.clock.Now()
		dice, alive := rand.New(rand.NewPCG(1, 2)), true
		var allowed [2]int
		for range 600 {
			switch dice.IntN(40) {
			case 0:
				if alive {
					p.flush()
				}
			case 1:
				if alive {
					p.kill()
				} else {
					p.restart()
				}
				alive = !alive
			case 2:
				p.pass(tick / 4)
			}
			n := dice.IntN(2)
			if limiters[n].Allow(t.Context(), "m", rate).Allowed {
				allowed[n]++
			}
		}
		most := 5 + int(p.clock.Now().Sub(began)/tick) + 1
		for n, got := range allowed {
			if got > most || got == 0 {
				t.Errorf("instance %d allowed %d, at most %d", n, got, most)
			}
		}
	})
}

func TestCacheForgetsWhatWasDropped(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		one, other := p.open().Cache(CacheConfig{Space: "s"}), p.open().Cache(CacheConfig{Space: "s"})
		elsewhere := p.open().Cache(CacheConfig{Space: "other"})
		get := func(c *Cache, want string) {
			t.Helper()
			got, ok := c.Get(ctx, "k")
			if string(got) != want || ok != (want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, want)
			}
		}
		get(one, "")
		one.Put(ctx, "k", []byte("v1"), time.Minute)
		get(one, "v1")
		get(other, "v1")
		get(elsewhere, "")
		one.Put(ctx, "k", []byte("v2"), time.Minute)
		get(other, "v2")
		one.Drop(ctx, "k")
		get(one, "")
		get(other, "")
		other.Put(ctx, "k", []byte("v2"), time.Minute) // loaded before the drop, put after it
		get(other, "")
		one.Put(ctx, "k", []byte("v2"), time.Minute)
		get(one, "")
		get(other, "")
		p.flush()
		get(one, "")
		one.Put(ctx, "empty", []byte{}, time.Minute)
		if got, ok := one.Get(ctx, "empty"); !ok || len(got) != 0 {
			t.Error("an empty value is a value")
		}
		p.kill()
		get(one, "") // a miss, no error
	})
}

func TestCacheEntriesEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		c := p.open().Cache(CacheConfig{Space: "s", TTL: tick, Near: tick})
		c.Put(t.Context(), "k", []byte("v"), time.Hour)
		if _, ok := c.Get(t.Context(), "k"); !ok {
			t.Error("missed at once")
		}
		p.pass(2 * tick)
		if _, ok := c.Get(t.Context(), "k"); ok {
			t.Error("outlived its TTL")
		}
	})
}

func TestADropReachesTheNearCopiesOfOtherInstances(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		near := CacheConfig{Space: "s", TTL: time.Hour, Near: time.Hour}
		a, b := p.open(), p.open()
		one, other := a.Cache(near), b.Cache(near)
		waitForBus(t, a, b)
		heard := make(chan string, 1)
		b.hear("drop", func(text string) { heard <- text }) // registered after the cache's own listener: called after it
		one.Put(ctx, "k", []byte("v"), time.Hour)
		if _, ok := other.Get(ctx, "k"); !ok {
			t.Fatal("missed")
		}
		one.Drop(ctx, "k")
		equal(t, "heard", "s k", <-heard)
		if _, ok := other.Get(ctx, "k"); ok {
			t.Error("a dropped value is still answered")
		}
	})
}

// waitForBus returns when b hears a.
func waitForBus(t *testing.T, a, b *Redis) {
	t.Helper()
	heard := make(chan string, 1000)
	b.OnNudge(func(topic string) { heard <- topic })
	for range 200 {
		a.Nudge(t.Context(), "hello")
		select {
		case <-heard:
			return
		case <-time.After(50 * time.Millisecond):
			if m, ok := a.config.Clock.(interface{ Advance(time.Duration) }); ok {
				m.Advance(time.Millisecond)
			}
		}
	}
	t.Fatal("the bus is silent")
}

func TestNudgesReachOthersAndComeBackAfterARestart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		a, b := p.open(), p.open()
		a.OnNudge(func(topic string) { t.Errorf("heard my own %s", topic) })
		waitForBus(t, a, b)
		p.kill()
		a.Nudge(t.Context(), "lost")
		p.restart()
		p.pass(tick)
		waitForBus(t, a, b)
	})
}

// Sessions are revoked at random while Redis is abused at random. The store's truth is a map here.
func TestNoRevokedSessionIsAnsweredBeyondTheBound(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx, bound := t.Context(), 3*tick
		caches := []*Cache{
			p.open().Cache(CacheConfig{Space: "session", TTL: bound}), p.open().Cache(CacheConfig{Space: "session", TTL: bound}),
		}
		dice, alive := rand.New(rand.NewPCG(3, 4)), true
		revoked := map[string]time.Time{}
		hits := 0
		for n := range 800 {
			key, c := fmt.Sprintf("k%d", n/20), caches[dice.IntN(2)]
			switch dice.IntN(30) {
			case 0:
				if alive {
					p.flush()
				}
			case 1, 2:
				if alive && dice.IntN(3) > 0 {
					break
				}
				if alive {
					p.kill()
				} else {
					p.restart()
				}
				alive = !alive
			case 3, 4:
				p.pass(tick / 4)
			case 5, 6:
				if _, done := revoked[key]; !done {
					revoked[key] = p.clock.Now()
					c.Drop(ctx, key)
				}
			}
			before := p.clock.Now()
			_, hit := c.Get(ctx, key)
			since, gone := revoked[key]
			if hit {
				hits++
				if late := before.Sub(since); gone && late > bound+5*time.Millisecond {
					t.Fatalf("%s answered %s after its end", key, late)
				}
			} else if !gone {
				c.Put(ctx, key, []byte("member"), time.Hour)
			}
		}
		if hits == 0 {
			t.Error("the cache never hit")
		}
	})
}

func TestLockIsHeldByOne(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		locks := []*Lock{p.open().Lock(), p.open().Lock(), p.open().Lock()}
		var got []*Lease
		var mu sync.Mutex
		var all sync.WaitGroup
		for n := range 30 {
			all.Go(func() {
				if lease, ok := locks[n%3].TryLock(ctx, "k", time.Hour); ok {
					mu.Lock()
					got = append(got, lease)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(got) != 1 || !got[0].Shared {
			t.Fatalf("%d holders", len(got))
		}
		got[0].Release(ctx)
		next, ok := locks[1].TryLock(ctx, "k", time.Hour)
		if !ok || next.Token <= got[0].Token {
			t.Fatalf("next lease: %v", next)
		}
		got[0].Release(ctx) // late and repeated
		if _, ok := locks[2].TryLock(ctx, "k", time.Hour); ok {
			t.Error("a late release took the lease from its next holder")
		}
	})
}

func TestALeaseEndsByItself(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		one, other := p.open().Lock(), p.open().Lock()
		old, ok := one.TryLock(ctx, "k", tick)
		if !ok {
			t.Fatal("not locked")
		}
		p.pass(2 * tick)
		next, ok := other.TryLock(ctx, "k", time.Hour)
		if !ok || next.Token <= old.Token {
			t.Fatal("the lease never ends, or its token does not grow")
		}
	})
}

func TestTokensGrowThroughFlushesAndDeaths(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		locks := []*Lock{p.open().Lock(), p.open().Lock()}
		dice, alive := rand.New(rand.NewPCG(5, 6)), true
		var tokens []int64
		for range 150 {
			switch dice.IntN(12) {
			case 0:
				if alive {
					p.flush()
				}
			case 1:
				if alive {
					p.kill()
				} else {
					p.restart()
				}
				alive = !alive
			}
			p.pass(2 * time.Millisecond)
			if lease, ok := locks[dice.IntN(2)].TryLock(ctx, "k", time.Millisecond); ok {
				tokens = append(tokens, lease.Token)
				lease.Release(ctx)
			}
		}
		if len(tokens) < 50 || !slices.IsSorted(tokens) || len(slices.Compact(slices.Clone(tokens))) != len(tokens) {
			t.Errorf("%d tokens do not grow: %v", len(tokens), tokens)
		}
	})
}

func TestTokenCacheIsWhatTheSDKWants(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		one := p.open().TokenCache()
		other := p.open().TokenCache()
		var sdk cache.ContextCache = one
		if sdk.Get("k") != nil || sdk.IsExist("k") {
			t.Error("something from nothing")
		}
		for _, timeout := range []time.Duration{time.Hour, 0, -20 * time.Minute, time.Millisecond} {
			if err := sdk.Set("k", "token", timeout); err != nil {
				t.Errorf("set for %s: %v", timeout, err)
			}
			equal(t, "here", any("token"), sdk.Get("k"))
			equal(t, "elsewhere", any("token"), other.Get("k"))
			if err := sdk.Delete("k"); err != nil {
				t.Error(err)
			}
			equal(t, "deleted here", nil, sdk.Get("k"))
			equal(t, "deleted elsewhere", nil, other.Get("k"))
		}
		if err := sdk.Set("k", 7, time.Hour); err == nil {
			t.Error("a number is no token")
		}
	})
}

func TestTokensSurviveTheLossOfRedis(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		one, other := p.open().TokenCache(), p.open().TokenCache()
		if err := one.Set("k", "old", time.Hour); err != nil {
			t.Fatal(err)
		}
		p.kill()
		equal(t, "from memory", any("old"), one.Get("k"))
		equal(t, "deleted while away", error(nil), one.Delete("k"))
		equal(t, "deleted", nil, one.Get("k"))
		equal(t, "set while away", error(nil), one.Set("k", "new", time.Hour))
		equal(t, "new", any("new"), one.Get("k"))
		p.restart()
		if err := other.SetContext(t.Context(), "probe", "x", time.Hour); err != nil {
			t.Fatal(err)
		}
		p.pass(tick)
		equal(t, "ours is right", any("new"), one.Get("k")) // and tells Redis
		p.pass(tick)
		equal(t, "the other process learns it", any("new"), other.Get("k"))
	})
}

func TestTokenCacheBearsConcurrency(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		c := p.open().TokenCache()
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				for i := range 50 {
					key := fmt.Sprint(i % 5)
					_ = c.Set(key, fmt.Sprint(n), time.Hour)
					_ = c.Get(key)
					_ = c.IsExist(key)
					_ = c.Delete(key)
				}
			})
		}
		all.Wait()
	})
}

func TestManyDeadConnectionsDoNotKeepTheBreakerOpen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *place) {
		r := p.open()
		var all sync.WaitGroup
		for range 60 { // fills the pool
			all.Go(func() { _ = r.Ping(t.Context()) })
		}
		all.Wait()
		p.kill()
		p.restart()
		for range 3 {
			_ = r.Ping(t.Context()) // meets dead connections
		}
		p.pass(tick)
		if err := r.Ping(t.Context()); err != nil {
			t.Errorf("the first probe after the restart: %v", err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory[int](embeddedPlace(t).clock, 100)
	for n := range 10_000 {
		m.put(fmt.Sprint(n), n, time.Hour)
	}
	if got := len(m.young) + len(m.old); got > 100 {
		t.Errorf("%d entries", got)
	}
	if v, ok := m.get("9999"); !ok || v != 9999 {
		t.Error("the youngest is gone")
	}
}
