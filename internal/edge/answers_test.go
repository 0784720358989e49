package edge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type poke struct {
	Keyed
	Body struct{ Text string }
}

type poked struct{ Body struct{ N int64 } }

func ask(key, text string) *poke {
	in := &poke{Keyed: Keyed{Key: key}}
	in.Body.Text = text
	return in
}

func TestOneAnswerPerKeyInSeveralProcesses(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	store := docstoretest.NewStore(t, c)
	var handled atomic.Int64
	handle := func(context.Context, *poke) (*poked, error) {
		out := &poked{}
		out.Body.N = handled.Add(1)
		return out, nil
	}
	processes := make([]func(context.Context, *poke) (*poked, error), 4)
	for i := range processes {
		kept, err := openAnswers(t.Context(), store, c, "answers")
		if err != nil {
			t.Fatal(err)
		}
		processes[i] = recorded(kept, "poke", handle)
	}
	said := make([]int64, 64)
	var all sync.WaitGroup
	for i := range said {
		all.Go(func() {
			out, err := processes[i%4](t.Context(), ask("key-0001", "a"))
			if err != nil {
				t.Error(err)
				return
			}
			said[i] = out.Body.N
		})
	}
	all.Wait()
	for _, n := range said {
		if n != said[0] {
			t.Fatalf("not one answer: %v", said)
		}
	}
	if handled.Load() > 4 {
		t.Errorf("one process handled it more than once: %d", handled.Load())
	}
	if _, err := processes[1](t.Context(), ask("key-0001", "b")); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another request under the key: %v", err)
	}
}

// Two people who are not logged in yet may think of the same key: each gets an answer of their own, and the same one again.
func TestOpenOperationsKeepAnswersOfDifferentRequestsApart(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	kept, err := openAnswers(t.Context(), docstoretest.NewStore(t, c), c, "answers")
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	login := recorded(kept, openTo+"login", func(context.Context, *poke) (*poked, error) {
		n++
		out := &poked{}
		out.Body.N = n
		return out, nil
	})
	for i, want := range []int64{1, 2, 1, 2} {
		out, err := login(t.Context(), ask("key-0001", []string{"code of ann", "code of bob"}[i%2]))
		if err != nil || out.Body.N != want {
			t.Errorf("%d: %v %v", i, out, err)
		}
	}
}

func TestARefusalIsNotRecordedAndWaitersMayLeave(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	kept, err := openAnswers(t.Context(), docstoretest.NewStore(t, c), c, "answers")
	if err != nil {
		t.Fatal(err)
	}
	no, begun, release := errors.New("no"), make(chan struct{}), make(chan struct{})
	refusing := recorded(kept, "poke", func(context.Context, *poke) (*poked, error) {
		close(begun)
		<-release
		return nil, no
	})
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := refusing(t.Context(), ask("key-0002", "a")); !errors.Is(err, no) {
			t.Error(err)
		}
	})
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := refusing(gone, ask("key-0002", "a")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	all.Wait()
	allowed := recorded(kept, "poke", func(context.Context, *poke) (*poked, error) { return &poked{}, nil })
	if _, err := allowed(t.Context(), ask("key-0002", "another text is fine: nothing was recorded")); err != nil {
		t.Error(err)
	}
	if len(kept.running) != 0 {
		t.Errorf("%d keys are still taken", len(kept.running))
	}
}

func TestAnswersAreForgottenInTimeAndUnreadableInTheStore(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	store := docstoretest.NewStore(t, c)
	kept, err := openAnswers(t.Context(), store, c, "answers")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c"} {
		if _, err := kept.keep(t.Context(), key, "poke", "h", &poked{}); err != nil {
			t.Fatal(err)
		}
		c.Advance(time.Hour)
	}
	doc, err := kept.docs.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if doc.Body.Reveal() != `{"Body":{"N":0}}` || doc.Body.String() != "***" {
		t.Errorf("body %q", doc.Body.Reveal())
	}
	c.Advance(keepAnswers - 2*time.Hour)
	if n, err := kept.forget(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("forgot %d, %v; want 1", n, err)
	}
	if _, err := kept.docs.Get(t.Context(), "a"); !errors.Is(err, docstore.ErrNotFound) {
		t.Error(err)
	}
	c.Advance(keepAnswers)
	if n, err := kept.forget(t.Context(), 1); n != 1 || err != nil {
		t.Errorf("a bounded step forgot %d, %v", n, err)
	}
}
