package docstore_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type letter struct {
	docstore.Doc `bson:",inline"`
	Phone        docstore.Encrypted `bson:"phone"`
	Sent         int64              `bson:"sent"`
	Box          string             `bson:"box"`
}

func letters(t *testing.T) (*clock.Manual, *docstore.Store, *docstore.Collection[letter], docstore.Outbox) {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	store := docstoretest.NewStore(t, c)
	spec := docstore.Spec{Name: "letters", Emits: true, Indexes: []docstore.Index{{Name: "box", Fields: []string{"box"}}}}
	collection, err := docstore.Open[letter](t.Context(), store, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c, store, collection, store.Outboxes()[0]
}

func send(t *testing.T, c *docstore.Collection[letter], id string) {
	t.Helper()
	_, err := c.Upsert(t.Context(), id, func(l *letter) error {
		l.Sent, l.Box, l.Phone = l.Sent+1, "b", "13800000000"
		l.Emit("letter.Sent", struct{}{})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTendManyChangesEnvelopesAndNothingElse(t *testing.T) {
	t.Parallel()
	c, _, collection, box := letters(t)
	ctx := t.Context()
	for _, id := range []string{"a", "b", "c"} {
		send(t, collection, id)
	}
	before, err := collection.GetMany(ctx, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	answers := box.TendMany(ctx, []string{"a", "missing", "b", "c"}, func(d *docstore.Doc) error {
		switch d.ID {
		case "a":
			d.Outbox = nil
		case "b":
			d.Outbox[0].Attempts, d.Waiting = 3, c.Now().Add(time.Hour)
		}
		return nil
	})
	if answers[0] != nil || !errors.Is(answers[1], docstore.ErrNotFound) || answers[2] != nil || answers[3] != nil {
		t.Fatalf("answers: %v", answers)
	}
	after, err := collection.GetMany(ctx, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := before["a"], before["b"]
	a.Version, a.Token, a.Outbox, a.Waiting = 2, after["a"].Token, nil, time.Time{}
	b.Version, b.Token, b.Outbox[0].Attempts, b.Waiting = 2, after["b"].Token, 3, c.Now().Add(time.Hour)
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(docstore.Doc{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".emitted" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff) // c, which the edit left alone, was not written at all
	}
	page, err := collection.Find(ctx, docstore.By("box", "b"))
	if err != nil || len(page.Items) != 3 {
		t.Errorf("index after: %d, %v", len(page.Items), err)
	}
	c.Advance(time.Minute)
	if due, err := box.Due(ctx, 10); err != nil || !slices.Equal(due, []string{"c"}) {
		t.Errorf("due: %v, %v", due, err)
	}
	if waiting, err := box.Waiting(ctx, c.Now().Add(2*time.Hour), 10); err != nil || !slices.Equal(waiting, []string{"c", "b"}) {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
}

func TestAnEditThatFailsLeavesItsDocumentAlone(t *testing.T) {
	t.Parallel()
	_, _, collection, box := letters(t)
	send(t, collection, "a")
	send(t, collection, "b")
	refused := errors.New("refused")
	answers := box.TendMany(t.Context(), []string{"a", "b"}, func(d *docstore.Doc) error {
		d.Outbox = nil
		if d.ID == "a" {
			return refused
		}
		return nil
	})
	if !errors.Is(answers[0], refused) || answers[1] != nil {
		t.Fatalf("answers: %v", answers)
	}
	if a, err := collection.Get(t.Context(), "a"); err != nil || a.Version != 1 || len(a.Outbox) != 1 {
		t.Errorf("a: %v, %v", a, err)
	}
}

// Nothing a caller or the relay does to one document may undo the other's work, and every message is announced.
func TestTendingAmidUpdatesLosesNothing(t *testing.T) {
	t.Parallel()
	_, store, collection, box := letters(t)
	var mu sync.Mutex
	announced := map[string]int{}
	store.OnCommitted(func(_, _ string, messages []docstore.Message) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range messages {
			announced[m.ID]++
		}
	})
	ids := []string{"a", "b"}
	var senders, tenders sync.WaitGroup
	for n := range 8 {
		senders.Go(func() {
			for range 25 {
				send(t, collection, ids[n%2])
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		tenders.Go(func() {
			for {
				for _, err := range box.TendMany(t.Context(), ids, func(d *docstore.Doc) error { d.Outbox = nil; return nil }) {
					if err != nil && !errors.Is(err, docstore.ErrNotFound) && !errors.Is(err, docstore.ErrContended) {
						t.Error(err)
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	senders.Wait()
	close(done)
	tenders.Wait()
	// The last round of either may have given up on a contended document: the sweeper would come again.
	for _, err := range box.TendMany(t.Context(), ids, func(d *docstore.Doc) error { d.Outbox = nil; return nil }) {
		if err != nil {
			t.Error(err)
		}
	}
	total := int64(0)
	for _, id := range ids {
		one, err := collection.Get(t.Context(), id)
		if err != nil || len(one.Outbox) != 0 {
			t.Fatal(one, err)
		}
		total += one.Sent
	}
	if total != 200 || len(announced) != 200 {
		t.Errorf("%d sent, %d announced, want 200", total, len(announced))
	}
	for id, n := range announced {
		if n != 1 {
			t.Errorf("%s announced %d times", id, n)
		}
	}
}

func TestAFullOutboxTakesNoMoreAndLosesNothing(t *testing.T) {
	t.Parallel()
	_, _, collection, box := letters(t)
	ctx := t.Context()
	most := func(n int) error {
		_, err := collection.Upsert(ctx, "a", func(l *letter) error {
			for range n {
				l.Sent++
				l.Emit("letter.Sent", struct{}{})
			}
			return nil
		})
		return err
	}
	if err := most(docstore.MaxOutbox); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 32 { // who emits nothing does not suffer from who does
		all.Go(func() {
			if err := most(1); !errors.Is(err, docstore.ErrContended) {
				t.Errorf("one more was answered %v", err)
			}
		})
		all.Go(func() {
			if _, err := collection.Update(ctx, "a", func(l *letter) error { l.Phone += "1"; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := collection.Get(ctx, "a")
	if err != nil || got.Sent != docstore.MaxOutbox || len(got.Outbox) != docstore.MaxOutbox || len(got.Phone) != 32 {
		t.Fatalf("%d sent, %d waiting, %d changes, %v", got.Sent, len(got.Outbox), len(got.Phone), err)
	}
	if err := box.Tend(ctx, "a", func(d *docstore.Doc) error { d.Outbox = d.Outbox[1:]; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := most(1); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}
