package event_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/event"
)

const victimFolder = "GUANXI_TEST_EVENT_VICTIM"

func roomIn(t *testing.T, dir string, start time.Time) *room {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(start)
	return openRoom(t, c, docstoretest.StoreOn(t, driver, c))
}

// TestVictim is the process that TestKilledProcess… kills: it emits without end and tells every acknowledged event.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimFolder)
	if dir == "" {
		t.Skip("runs only as a child of TestKilledProcessLosesAndDoublesNothing")
	}
	r := roomIn(t, dir, time.Now())
	var calls atomic.Int64
	sick := r.leaves("b")
	take := sick.Take
	sick.Take = func(ctx context.Context, e event.Event) error {
		if calls.Add(1)%7 == 0 {
			return errors.New("ill")
		}
		return take(ctx, e)
	}
	relay := r.relay(event.RelayConfig{SweepEvery: 5 * time.Millisecond, Queue: 16, Consumers: []event.Consumer{r.leaves("a"), sick}})
	if err := relay.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for caller := range 8 {
		all.Go(func() {
			for n := 0; n < 20_000; n++ { // far more than it lives for
				id := fmt.Sprintf("k%d-%d", caller, n%50)
				one, err := r.things.Upsert(t.Context(), id, func(one *thing) error {
					one.Emit("thing.Happened", happened{1})
					return nil
				})
				if err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Printf("ack things/%s/%d/0\n", id, one.Version)
				if n%20 == 0 {
					r.clock.Advance(time.Second) // so that failed ones come due
				}
			}
		})
	}
	all.Wait()
}

func TestKilledProcessLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range 3 {
		runVictim(t, dir, 400, acknowledged)
	}
	r := roomIn(t, dir, time.Now().Add(30*24*time.Hour)) // every lease and back-off is over
	relay := r.relay(event.RelayConfig{Consumers: []event.Consumer{r.leaves("a"), r.leaves("b")}})
	r.drain(relay)
	effects := map[string]int{}
	for _, line := range r.seen() {
		effects[line]++
	}
	history := map[string]int{}
	for _, e := range r.history(relay, "thing.Happened") {
		history[e]++
	}
	for e := range acknowledged {
		if a, b, h := effects["a <- "+e+": 1"], effects["b <- "+e+": 1"], history[e]; a != 1 || b != 1 || h != 1 {
			t.Errorf("%s: effects %d and %d, in the history %d times", e, a, b, h)
		}
	}
	err := r.things.Each(t.Context(), docstore.All(), func(one *thing) error {
		if len(one.Outbox) > 0 {
			t.Errorf("%s still waits with %d messages", one.ID, len(one.Outbox))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d acknowledged events, %d effects", len(acknowledged), len(effects))
}

// runVictim starts the child, reads acknowledgements, kills it in the middle and reads what it said before.
func runVictim(t *testing.T, dir string, enough int, acknowledged map[string]bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$", "-test.timeout=60s")
	child.Env = append(os.Environ(), victimFolder+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		line := lines.Text()
		if e, ok := strings.CutPrefix(line, "ack "); ok && strings.HasSuffix(e, "/0") {
			acknowledged[e] = true
			if n++; n == enough {
				if err := child.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
			}
		} else if strings.HasPrefix(line, "error") || strings.Contains(line, "FAIL") {
			t.Error(line)
		}
	}
	_ = child.Wait()
}
