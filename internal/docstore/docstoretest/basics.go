package docstoretest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/internal/docstore"
)

func ignoreEmitted() cmp.Option {
	return cmp.Options{cmpopts.IgnoreUnexported(docstore.Doc{}), cmpopts.EquateEmpty()}
}

// failer is what testing.TB and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func wantErr(t failer, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func (s suite) basics(t *testing.T) {
	store, driver, _ := s.store(t)
	c, ctx := parcels(t, store), t.Context()
	t.Run("what was inserted is read back, with version 1 and a token", func(t *testing.T) {
		doc := newParcel("a1", "杭州", 3)
		doc.Notes = []string{"one", "two"}
		put(t, c, doc)
		got, err := c.Get(ctx, "a1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(doc, got, ignoreEmitted()); diff != "" || got.Version != 1 || got.Token == 0 || got.Schema != 1 {
			t.Fatalf("%+v\n%s", got.Doc, diff)
		}
	})
	t.Run("a missing id and an impossible id are not found", func(t *testing.T) {
		for _, id := range []string{"nobody", "", "with blank", "ü", strings.Repeat("x", 201), "a\x00b", `$where`} {
			_, err := c.Get(ctx, id)
			wantErr(t, err, docstore.ErrNotFound)
			_, err = c.Update(ctx, id, func(*parcel) error { return nil })
			wantErr(t, err, docstore.ErrNotFound)
			wantErr(t, c.Delete(ctx, id, nil), docstore.ErrNotFound)
		}
	})
	t.Run("an impossible id is not stored", func(t *testing.T) {
		wantErr(t, c.Insert(ctx, newParcel("with blank", "x", 1)), docstore.ErrInvalid)
		_, err := c.Upsert(ctx, "with blank", func(*parcel) error { return nil })
		if err == nil {
			t.Fatal("upsert took an impossible id")
		}
	})
	t.Run("every letter of the alphabet and 200 characters are fine", func(t *testing.T) {
		id := "AZaz09:_.@|/-"
		id += strings.Repeat("y", 200-len(id))
		put(t, c, newParcel(id, "x", 1))
		if got, err := c.Get(ctx, id); err != nil || got.ID != id {
			t.Fatal(got, err)
		}
	})
	s.edges(t, store, driver, c)
}

func (s suite) edges(t *testing.T, store *docstore.Store, driver docstore.Driver, c *docstore.Collection[parcel]) {
	ctx := t.Context()
	t.Run("each of many inserts is answered by itself", func(t *testing.T) {
		docs := []*parcel{newParcel("m1", "x", 1), newParcel("a1", "x", 1), newParcel("bad id", "x", 1), newParcel("m2", "x", 1), newParcel("m1", "x", 2)}
		errs := c.InsertMany(ctx, docs)
		index, taken := docstore.ExistsIn(errs[1])
		if errs[0] != nil || !taken || index != "" || !errors.Is(errs[2], docstore.ErrInvalid) || errs[3] != nil {
			t.Fatal(errs)
		}
		if index, taken := docstore.ExistsIn(errs[4]); !taken || index != "" || docs[4].Version != 0 {
			t.Fatal("the second m1 was not refused:", errs[4])
		}
	})
	t.Run("many are read at once, missing ones are absent", func(t *testing.T) { s.getMany(t, c) })
	t.Run("a document can be big but not oversized", func(t *testing.T) {
		doc := newParcel("big", "x", 1)
		doc.Notes = []string{strings.Repeat("n", docstore.MaxDocument-1000)}
		put(t, c, doc)
		got, err := c.Get(ctx, "big")
		if err != nil || len(got.Notes[0]) != len(doc.Notes[0]) {
			t.Fatal(err)
		}
		doc = newParcel("bigger", "x", 1)
		doc.Notes = []string{strings.Repeat("n", docstore.MaxDocument)}
		wantErr(t, c.Insert(ctx, doc), docstore.ErrInvalid)
		_, err = c.Get(ctx, "bigger")
		wantErr(t, err, docstore.ErrNotFound)
	})
	t.Run("deleting", func(t *testing.T) { s.deleting(t, c) })
	t.Run("the server answers a ping", func(t *testing.T) {
		if err := store.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a driver refuses a collection nobody declared", func(t *testing.T) {
		if _, err := driver.Get(ctx, "strangers", []string{"x"}); err == nil && !s.caps.Slow {
			t.Skip("the store makes collections by itself")
		}
	})
	t.Run("a cancelled caller gets an error and changes nothing", func(t *testing.T) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err := c.Update(gone, "a1", func(p *parcel) error { p.Weight = 999; return nil })
		if got, gerr := c.Get(ctx, "a1"); err == nil || gerr != nil || got.Weight == 999 {
			t.Fatal(err, gerr, got.Weight)
		}
	})
}

func (s suite) getMany(t *testing.T, c *docstore.Collection[parcel]) {
	var docs []*parcel
	var ids []string
	for i := range s.size(1300) {
		docs = append(docs, newParcel(fmt.Sprintf("many/%04d", i), "many", int64(i)))
		ids = append(ids, docs[i].ID)
	}
	put(t, c, docs...)
	got, err := c.GetMany(t.Context(), append(ids, "many/none", "bad id", ids[0]))
	if err != nil || len(got) != len(docs) {
		t.Fatal(len(got), err)
	}
	for _, doc := range docs {
		if diff := cmp.Diff(doc, got[doc.ID], ignoreEmitted()); diff != "" {
			t.Fatal(diff)
		}
	}
	if got, err := c.GetMany(t.Context(), nil); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

func (s suite) deleting(t *testing.T, c *docstore.Collection[parcel]) {
	ctx := t.Context()
	put(t, c, newParcel("d1", "x", 7))
	refused := errors.New("not this one")
	wantErr(t, c.Delete(ctx, "d1", func(p *parcel) error {
		if p.Weight != 7 {
			t.Errorf("the check saw %d", p.Weight)
		}
		return refused
	}), refused)
	if err := c.Delete(ctx, "d1", nil); err != nil {
		t.Fatal(err)
	}
	_, err := c.Get(ctx, "d1")
	wantErr(t, err, docstore.ErrNotFound)
	wantErr(t, c.Delete(ctx, "d1", nil), docstore.ErrNotFound)
	put(t, c, newParcel("d1", "x", 8)) // the id is free again
	_, err = c.Update(ctx, "d1", func(p *parcel) error { p.Emit("parcel.Lost", struct{}{}); return nil })
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, c.Delete(ctx, "d1", nil), docstore.ErrContended) // its messages are still to be told
}
