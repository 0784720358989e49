package docstoretest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/docstore"
)

type moved struct {
	To string `bson:"to"`
}

// ear is a listener that remembers.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (e *ear) listen(collection, id string, messages []docstore.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range messages {
		e.heard = append(e.heard, collection+" "+id+" "+m.ID+" "+m.Name)
	}
}

func (e *ear) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

func (s suite) outboxes(t *testing.T) {
	store, _, moment := s.store(t)
	c, ctx := parcels(t, store), t.Context()
	var listener ear
	store.OnCommitted(listener.listen)
	box := store.Outboxes()[0]
	wantHeard := func(t *testing.T, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, listener.take(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	}
	t.Run("an emitted message is stored with the document and announced", func(t *testing.T) {
		doc := newParcel("e1", "a", 1)
		doc.Emit("parcel.Packed", moved{"a"})
		doc.Emit("parcel.Weighed", moved{"b"})
		put(t, c, doc)
		got, err := c.Get(ctx, "e1")
		if err != nil || len(got.Outbox) != 2 || !got.Waiting.Equal(noon().Add(5*time.Second)) || !got.Outbox[0].At.Equal(noon()) {
			t.Fatalf("%+v %v", got, err)
		}
		var body moved
		if err := store.Unmarshal(got.Outbox[1].Body, &body); err != nil || body.To != "b" {
			t.Fatal(body, err)
		}
		wantHeard(t, "parcels e1 parcels/e1/1/0 parcel.Packed", "parcels e1 parcels/e1/1/1 parcel.Weighed")
	})
	t.Run("only new messages are announced", func(t *testing.T) {
		if _, err := c.Update(ctx, "e1", func(p *parcel) error { p.Emit("parcel.Sent", moved{}); return nil }); err != nil {
			t.Fatal(err)
		}
		wantHeard(t, "parcels e1 parcels/e1/2/0 parcel.Sent")
		if _, err := c.Update(ctx, "e1", func(p *parcel) error { p.Weight++; return nil }); err != nil {
			t.Fatal(err)
		}
		err := c.UpsertMany(ctx, []string{"e1", "e2"}, func(p *parcel) error { p.Emit("parcel.Seen", moved{}); return nil })
		if err != nil {
			t.Fatal(err)
		}
		wantHeard(t, "parcels e1 parcels/e1/4/0 parcel.Seen", "parcels e2 parcels/e2/1/0 parcel.Seen")
	})
	t.Run("a refused change emits nothing", func(t *testing.T) {
		_, err := c.Update(ctx, "e1", func(p *parcel) error { p.Emit("parcel.Lie", moved{}); return errors.New("no") })
		if err == nil {
			t.Fatal("not refused")
		}
		doc := newParcel("e1", "a", 1)
		doc.Emit("parcel.Lie", moved{})
		if err := c.Insert(ctx, doc); !docstore.Exists(err) {
			t.Fatal(err)
		}
		wantHeard(t)
	})
	t.Run("a waiting outbox is due when its time has come", func(t *testing.T) {
		s.due(t, c, box, moment.Advance)
	})
}

func (s suite) due(t *testing.T, c *docstore.Collection[parcel], box docstore.Outbox, advance func(time.Duration)) {
	ctx := t.Context()
	want := func(ids ...string) {
		t.Helper()
		got, err := box.Due(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	}
	want()
	if n, err := box.Depth(ctx, 10); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	advance(5 * time.Second)
	want("e1", "e2")
	err := box.Tend(ctx, "e1", func(d *docstore.Doc) error { d.Waiting = d.Waiting.Add(time.Minute); return nil })
	if err != nil {
		t.Fatal(err)
	}
	want("e2")
	if err := box.Tend(ctx, "e2", func(d *docstore.Doc) error { d.Outbox = nil; return nil }); err != nil {
		t.Fatal(err)
	}
	want()
	if n, err := box.Depth(ctx, 10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	wantErr(t, box.Tend(ctx, "nobody", func(*docstore.Doc) error { return nil }), docstore.ErrNotFound)
	got, err := c.Get(ctx, "e2")
	if err != nil || !got.Waiting.IsZero() || len(got.Outbox) != 0 {
		t.Fatal(got, err)
	}
	if err := c.Delete(ctx, "e2", nil); err != nil {
		t.Fatal("everything was told, so it may go:", err)
	}
}
