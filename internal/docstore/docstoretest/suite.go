package docstoretest

import (
	"testing"
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Caps says what the store behind a driver cannot do, so that a poor test double can still witness the rest. The
// zero value is a store that can do everything.
type Caps struct {
	Serial         bool // writes of several callers at once are not atomic
	AnonymousIndex bool // a unique violation does not name the index
	LooseUpdate    bool // a unique violation on an update is not recognised
	FixedIndexes   bool // no new index on old data
	Slow           bool // smaller numbers of documents and callers
	// Vanish takes the server away and brings it back; nil when there is none.
	Vanish func(t testing.TB, driver docstore.Driver) (away, back func())
}

// Run is the conformance suite: every sentence of the contract, on a driver. Open gives an empty store of its own for
// every call; the suite closes it.
func Run(t *testing.T, open func(t testing.TB) docstore.Driver, caps Caps) {
	s := suite{open: open, caps: caps}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"reading and writing", s.basics},
		{"finding", s.finding},
		{"updating", s.updating},
		{"unique indexes", s.unique},
		{"values", s.values},
		{"upgrading", s.upgrading},
		{"outbox", s.outboxes},
		{"combining", s.combining},
		{"bad luck", s.badLuck},
		{"indexing", s.indexing},
		{"model", s.model},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t)
		})
	}
}

type suite struct {
	open func(t testing.TB) docstore.Driver
	caps Caps
}

// store opens an empty store with a clock that moves by hand.
func (s suite) store(t *testing.T) (*docstore.Store, docstore.Driver, *clock.Manual) {
	t.Helper()
	driver := s.open(t)
	moment := clock.NewManual(noon())
	return StoreOn(t, driver, moment), driver, moment
}

func noon() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }

// size is n, or a tenth of it on a slow store.
func (s suite) size(n int) int {
	if s.caps.Slow {
		return max(1, n/10)
	}
	return n
}

// parcel is the document of the suite.
type parcel struct {
	docstore.Doc `bson:",inline"`
	Town         string    `bson:"town"`
	Weight       int64     `bson:"weight"`
	At           time.Time `bson:"at"`
	Fragile      bool      `bson:"fragile"`
	Code         string    `bson:"code,omitempty"`
	Owner        string    `bson:"owner,omitempty"`
	Notes        []string  `bson:"notes,omitempty"`
	Inner        struct {
		Shelf string `bson:"shelf"`
	} `bson:"inner"`
}

func parcels(t *testing.T, store *docstore.Store) *docstore.Collection[parcel] {
	t.Helper()
	c, err := docstore.Open[parcel](t.Context(), store, parcelSpec())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parcelSpec() docstore.Spec {
	return docstore.Spec{Name: "parcels", Emits: true, Indexes: []docstore.Index{
		{Name: "town", Fields: []string{"town", "weight"}},
		{Name: "when", Fields: []string{"at"}},
		{Name: "shelf", Fields: []string{"fragile", "inner.shelf"}},
		{Name: "code", Fields: []string{"code"}, Unique: true, Sparse: true},
		{Name: "owner", Fields: []string{"owner"}, Sparse: true},
	}}
}

func newParcel(id, town string, weight int64) *parcel {
	return &parcel{Doc: docstore.Doc{ID: id}, Town: town, Weight: weight, At: noon().Add(time.Duration(weight) * time.Second)}
}

func put(t *testing.T, c *docstore.Collection[parcel], docs ...*parcel) {
	t.Helper()
	for i, err := range c.InsertMany(t.Context(), docs) {
		if err != nil {
			t.Fatalf("insert %s: %v", docs[i].ID, err)
		}
	}
}

func idsOf(docs []*parcel) []string {
	ids := make([]string, len(docs))
	for i, doc := range docs {
		ids[i] = doc.ID
	}
	return ids
}
