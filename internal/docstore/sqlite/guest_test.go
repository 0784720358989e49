package sqlite_test

import (
	"errors"
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

type parcel struct {
	docstore.Doc `bson:",inline"`
	Code         string `bson:"code"`
	Label        string `bson:"label,omitempty"` // only the newer program writes it
}

// An older program on the file of a newer one keeps its unique indexes, and the newer one finds them whole again.
func TestAnOlderProgramKeepsTheUniqueIndexesOfANewerOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newer := docstore.Spec{Name: "parcels", Indexes: []docstore.Index{
		{Name: "code", Fields: []string{"code"}, Unique: true}, {Name: "label", Fields: []string{"label"}, Unique: true, Sparse: true},
	}}
	with := func(spec docstore.Spec, use func(*docstore.Collection[parcel])) {
		t.Helper()
		driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		store := docstoretest.StoreOn(t, driver, clock.NewManual(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)))
		parcels, err := docstore.Open[parcel](t.Context(), store, spec)
		if err != nil {
			t.Fatal(err)
		}
		use(parcels)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	insert := func(parcels *docstore.Collection[parcel], id, code, label string) error {
		return parcels.Insert(t.Context(), &parcel{Doc: docstore.Doc{ID: id}, Code: code, Label: label})
	}
	with(newer, func(parcels *docstore.Collection[parcel]) {
		if err := insert(parcels, "a", "1", "red"); err != nil {
			t.Error(err)
		}
	})
	with(docstore.Spec{Name: "parcels"}, func(parcels *docstore.Collection[parcel]) {
		if err := insert(parcels, "b", "1", ""); !errors.Is(err, docstore.ErrInvalid) || docstore.Exists(err) {
			t.Errorf("a duplicate through the older program: %v, want ErrInvalid", err)
		}
		if err := insert(parcels, "b", "2", ""); err != nil {
			t.Error(err)
		}
		if err := insert(parcels, "a", "3", ""); !docstore.Exists(err) {
			t.Errorf("an id that is taken: %v", err)
		}
	})
	with(newer, func(parcels *docstore.Collection[parcel]) {
		if found, err := parcels.FindOne(t.Context(), docstore.By("code", "2")); err != nil || found.ID != "b" {
			t.Errorf("what the older program wrote: %v, %v", found, err)
		}
		if err := insert(parcels, "c", "2", ""); !docstore.Exists(err) {
			t.Errorf("a duplicate of it: %v", err)
		}
	})
	with(docstore.Spec{Name: "parcels", Retired: newer.Indexes}, func(parcels *docstore.Collection[parcel]) {
		if err := insert(parcels, "d", "2", "red"); err != nil {
			t.Errorf("once they are retired: %v", err)
		}
	})
}
