package docstoretest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"guanxi/internal/docstore"
)

func (s suite) updating(t *testing.T) {
	store, _, _ := s.store(t)
	c, ctx := parcels(t, store), t.Context()
	t.Run("an update stores what the function did and counts the version", func(t *testing.T) {
		put(t, c, newParcel("u1", "a", 1))
		for i := range 3 {
			got, err := c.Update(ctx, "u1", func(p *parcel) error { p.Weight++; return nil })
			if err != nil || got.Weight != int64(i+2) || got.Version != int64(i+2) {
				t.Fatal(got, err)
			}
		}
		got, err := c.Get(ctx, "u1")
		if err != nil || got.Weight != 4 || got.Version != 4 {
			t.Fatal(got, err)
		}
	})
	t.Run("an update moves the document in its indexes", func(t *testing.T) {
		put(t, c, newParcel("u2", "from", 1))
		_, err := c.Update(ctx, "u2", func(p *parcel) error { p.Town, p.Owner = "to", "me"; return nil })
		if err != nil {
			t.Fatal(err)
		}
		checkQuery(t, c, docstore.By("town", "from"), nil)
		checkQuery(t, c, docstore.By("town", "to"), []string{"u2"})
		checkQuery(t, c, docstore.By("owner", "me"), []string{"u2"})
		if _, err = c.Update(ctx, "u2", func(p *parcel) error { p.Owner = ""; return nil }); err != nil {
			t.Fatal(err)
		}
		checkQuery(t, c, docstore.By("owner", "me"), nil)
	})
	t.Run("a function that fails leaves no trace and its error comes back as it is", func(t *testing.T) {
		put(t, c, newParcel("u3", "a", 1))
		refused := errors.New("sold out")
		_, err := c.Update(ctx, "u3", func(p *parcel) error {
			p.Weight = 99
			p.Emit("parcel.Lied", struct{}{})
			return refused
		})
		if got, gerr := c.Get(ctx, "u3"); err != refused || gerr != nil || got.Weight != 1 || got.Version != 1 || len(got.Outbox) != 0 { //nolint:errorlint // the very error
			t.Fatal(err, got, gerr)
		}
	})
	s.strange(t, store, c)
}

func (s suite) strange(t *testing.T, store *docstore.Store, c *docstore.Collection[parcel]) {
	ctx := t.Context()
	t.Run("a function that panics is an error and leaves no trace", func(t *testing.T) {
		_, err := c.Update(ctx, "u3", func(p *parcel) error { p.Weight = 99; panic("oh") })
		if got, gerr := c.Get(ctx, "u3"); err == nil || gerr != nil || got.Weight != 1 {
			t.Fatal(err, got, gerr)
		}
		if _, err := c.Update(ctx, "u3", func(p *parcel) error { return nil }); err != nil {
			t.Fatal("the document is stuck after a panic:", err)
		}
	})
	t.Run("a function that changes nothing costs no write", func(t *testing.T) {
		before, err := c.Get(ctx, "u3")
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Update(ctx, "u3", func(*parcel) error { return nil })
		if err != nil || got.Version != before.Version || got.Token != before.Token {
			t.Fatal(got, err)
		}
	})
	t.Run("a function must not change id or version", func(t *testing.T) {
		_, err := c.Update(ctx, "u3", func(p *parcel) error { p.ID = "other"; return nil })
		wantErr(t, err, docstore.ErrInvalid)
		_, err = c.Update(ctx, "u3", func(p *parcel) error { p.Version = 7; return nil })
		wantErr(t, err, docstore.ErrInvalid)
	})
	t.Run("an update that outgrows the limit is refused and leaves no trace", func(t *testing.T) {
		_, err := c.Update(ctx, "u3", func(p *parcel) error {
			p.Notes = append(p.Notes, strings.Repeat("n", docstore.MaxDocument))
			return nil
		})
		wantErr(t, err, docstore.ErrInvalid)
		if got, err := c.Get(ctx, "u3"); err != nil || len(got.Notes) != 0 {
			t.Fatal(err)
		}
	})
	t.Run("an upsert makes what is missing and updates what is there", func(t *testing.T) { s.upserting(t, c) })
	t.Run("upsert many", func(t *testing.T) { s.upsertingMany(t, c) })
	t.Run("an index field of a type that cannot be ordered is refused", func(t *testing.T) { s.badFields(t, store) })
}

func (s suite) upserting(t *testing.T, c *docstore.Collection[parcel]) {
	for i := range 3 {
		got, err := c.Upsert(t.Context(), "up1", func(p *parcel) error {
			if p.Fresh() != (i == 0) || p.ID != "up1" {
				t.Errorf("round %d: fresh %v, id %q", i, p.Fresh(), p.ID)
			}
			p.Town = "x"
			p.Weight++
			return nil
		})
		if err != nil || got.Weight != int64(i+1) || got.Version != int64(i+1) {
			t.Fatal(got, err)
		}
	}
	refused := errors.New("no")
	_, err := c.Upsert(t.Context(), "up2", func(*parcel) error { return refused })
	wantErr(t, err, refused)
	_, err = c.Get(t.Context(), "up2")
	wantErr(t, err, docstore.ErrNotFound)
}

func (s suite) upsertingMany(t *testing.T, c *docstore.Collection[parcel]) {
	ctx, n := t.Context(), s.size(700)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("upm/%04d", i)
	}
	for round := range int64(3) {
		err := c.UpsertMany(ctx, append(ids[:n:n], ids[0]), func(p *parcel) error { p.Town, p.Weight = "upm", p.Weight+1; return nil })
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.GetMany(ctx, ids)
		if err != nil || len(found) != n {
			t.Fatal(len(found), err)
		}
		for _, doc := range found {
			if doc.Weight != round+1 || doc.Version != round+1 {
				t.Fatalf("round %d: %s has weight %d, version %d", round, doc.ID, doc.Weight, doc.Version)
			}
		}
	}
}

func (s suite) badFields(t *testing.T, store *docstore.Store) {
	type odd struct {
		docstore.Doc `bson:",inline"`
		Numbers      []int  `bson:"numbers"`
		Text         string `bson:"text,omitempty"`
	}
	c, err := docstore.Open[odd](t.Context(), store, docstore.Spec{Name: "odd", Indexes: []docstore.Index{
		{Name: "text", Fields: []string{"text"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]*odd{
		"a field that is absent":       {Doc: docstore.Doc{ID: "o1"}},
		"a text that holds NUL":        {Doc: docstore.Doc{ID: "o2"}, Text: "a\x00b"},
		"a field that is no id at all": {Doc: docstore.Doc{ID: "#"}, Text: "a"},
	} {
		if err := c.Insert(t.Context(), doc); !errors.Is(err, docstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spec := range map[string]docstore.Spec{
		"no name":         {},
		"a wild name":     {Name: "Robert'); DROP TABLE"},
		"an empty index":  {Name: "x", Indexes: []docstore.Index{{Name: "e"}}},
		"an index twice":  {Name: "x", Indexes: []docstore.Index{{Name: "e", Fields: []string{"a"}}, {Name: "e", Fields: []string{"b"}}}},
		"missing upgrade": {Name: "x", Schema: 2},
	} {
		if _, err := docstore.Open[odd](t.Context(), store, spec); !errors.Is(err, docstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (s suite) unique(t *testing.T) {
	store, _, _ := s.store(t)
	c, ctx := parcels(t, store), t.Context()
	coded := func(id, code string) *parcel { p := newParcel(id, "x", 1); p.Code = code; return p }
	put(t, c, coded("a", "1"), coded("b", "2"), coded("c", ""), coded("d", "")) // two without a code are fine
	wantTaken := func(t *testing.T, err error, want string) {
		t.Helper()
		index, taken := docstore.ExistsIn(err)
		if !taken || (index != want && !s.caps.AnonymousIndex) {
			t.Fatalf("got %v, want index %q taken", err, want)
		}
	}
	t.Run("an insert with a taken value names the index and stores nothing", func(t *testing.T) {
		wantTaken(t, c.Insert(ctx, coded("e", "1")), "code")
		_, err := c.Get(ctx, "e")
		wantErr(t, err, docstore.ErrNotFound)
	})
	t.Run("a repeated insert of the same document names the id", func(t *testing.T) {
		wantTaken(t, c.Insert(ctx, coded("a", "1")), "")
	})
	t.Run("neighbours of a refused insert are stored", func(t *testing.T) {
		errs := c.InsertMany(ctx, []*parcel{coded("n1", "n1"), coded("n2", "2"), coded("n3", "n3")})
		if errs[0] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		wantTaken(t, errs[1], "code")
	})
	t.Run("a deleted document frees its value", func(t *testing.T) {
		if err := c.Delete(ctx, "n1", nil); err != nil {
			t.Fatal(err)
		}
		put(t, c, coded("n4", "n1"))
	})
	if s.caps.LooseUpdate {
		return
	}
	t.Run("an update to a taken value names the index and leaves no trace", func(t *testing.T) {
		_, err := c.Update(ctx, "b", func(p *parcel) error { p.Code = "1"; return nil })
		wantTaken(t, err, "code")
		if got, err := c.Get(ctx, "b"); err != nil || got.Code != "2" || got.Version != 1 {
			t.Fatal(got, err)
		}
	})
	t.Run("an update that frees a value lets another take it", func(t *testing.T) {
		if _, err := c.Update(ctx, "a", func(p *parcel) error { p.Code = ""; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Update(ctx, "c", func(p *parcel) error { p.Code = "1"; return nil }); err != nil {
			t.Fatal(err)
		}
	})
}
