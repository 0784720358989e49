package docstoretest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

type person struct {
	docstore.Doc `bson:",inline"`
	Phone        docstore.Encrypted   `bson:"phone"`
	Others       []docstore.Encrypted `bson:"others,omitempty"`
	PhoneKey     string               `bson:"phone_key"`
	Rate         decimal.Decimal      `bson:"rate"`
	Born         time.Time            `bson:"born"`
	Count        int                  `bson:"count"`
}

func people(t *testing.T, store *docstore.Store) *docstore.Collection[person] {
	t.Helper()
	c, err := docstore.Open[person](t.Context(), store, docstore.Spec{Name: "people", Indexes: []docstore.Index{
		{Name: "phone", Fields: []string{"phone_key"}, Unique: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s suite) values(t *testing.T) {
	store, driver, _ := s.store(t)
	c, ctx := people(t, store), t.Context()
	doc := &person{
		Doc: docstore.Doc{ID: "p1"}, Phone: "13800138000", Others: []docstore.Encrypted{"13900139000", ""},
		PhoneKey: store.Keys().Lookup("phone", "13800138000"),
		Rate:     decimal.RequireFromString("0.1234567890123456789"), Born: noon().Add(time.Millisecond),
	}
	if err := c.Insert(ctx, doc); err != nil {
		t.Fatal(err)
	}
	t.Run("encrypted text, decimals and times come back exactly", func(t *testing.T) {
		got, err := c.Get(ctx, "p1")
		if err != nil || got.Phone != doc.Phone || got.Others[0] != doc.Others[0] || got.Others[1] != "" ||
			!got.Rate.Equal(doc.Rate) || got.Rate.String() != "0.1234567890123456789" || !got.Born.Equal(doc.Born) || got.Born.Location() != time.UTC {
			t.Fatalf("%+v %v", got, err)
		}
	})
	t.Run("the store holds ciphertext", func(t *testing.T) {
		records, err := driver.Get(ctx, "people", []string{"p1"})
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		if bytes.Contains(records[0].Body, []byte("13800138000")) || !bytes.Contains(records[0].Body, []byte("\x91\x01\x02t1")) {
			t.Fatalf("%q", records[0].Body)
		}
	})
	t.Run("nothing prints the text", func(t *testing.T) {
		if out := fmt.Sprintf("%v %+v %#v %s", doc, *doc, doc.Phone, doc.Phone); strings.Contains(out, "138001") {
			t.Fatal(out)
		}
	})
	t.Run("it is found by its lookup hash", func(t *testing.T) {
		got, err := c.FindOne(ctx, docstore.By("phone", store.Keys().Lookup("phone", "13800138000")))
		if err != nil || got.ID != "p1" {
			t.Fatal(got, err)
		}
	})
	t.Run("a function that changes nothing costs no write, encrypted or not", func(t *testing.T) {
		got, err := c.Update(ctx, "p1", func(*person) error { return nil })
		if err != nil || got.Version != 1 {
			t.Fatal(got.Version, err)
		}
		got, err = c.Update(ctx, "p1", func(p *person) error { p.Phone = "13700137000"; return nil })
		if err != nil || got.Version != 2 {
			t.Fatal(got.Version, err)
		}
	})
	t.Run("a new key encrypts, the old one still opens", func(t *testing.T) { s.rotation(t, driver) })
}

func (s suite) rotation(t *testing.T, driver docstore.Driver) {
	ctx := t.Context()
	oldKey := docstore.Key{ID: "t1", Secret: bytes.Repeat([]byte{2}, 32)}
	newKey := docstore.Key{ID: "t2", Secret: bytes.Repeat([]byte{3}, 32)}
	openWith := func(keys ...docstore.Key) *docstore.Collection[person] {
		ring, err := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), keys...)
		if err != nil {
			t.Fatal(err)
		}
		store, err := docstore.New(docstore.Config{Driver: driver, Clock: clock.NewManual(noon()), Keys: ring})
		if err != nil {
			t.Fatal(err)
		}
		return people(t, store)
	}
	c := openWith(newKey, oldKey)
	if got, err := c.Get(ctx, "p1"); err != nil || got.Phone.Reveal() != "13700137000" {
		t.Fatal(err)
	}
	if _, err := c.Update(ctx, "p1", func(p *person) error { p.Count++; return nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := openWith(newKey).Get(ctx, "p1"); err != nil || got.Phone.Reveal() != "13700137000" {
		t.Fatal("not encrypted anew:", err)
	}
	if _, err := openWith(oldKey).Get(ctx, "p1"); err == nil {
		t.Fatal("opened without its key")
	}
}

// The same collection in three ages of the program.
type boxV1 struct {
	docstore.Doc `bson:",inline"`
	Place        string `bson:"place"`
}

type boxV3 struct {
	docstore.Doc `bson:",inline"`
	Town         string `bson:"town"`
	Street       string `bson:"street"`
}

func boxSpec(schema int) docstore.Spec {
	upgrades := []func(bson.M) error{
		func(m bson.M) error { m["town"] = m["place"]; delete(m, "place"); return nil },
		func(m bson.M) error { m["street"] = fmt.Sprint(m["town"], " street"); return nil },
	}
	field := "town"
	if schema == 1 {
		field = "place"
	}
	return docstore.Spec{
		Name: "boxes", Schema: schema, Upgrades: upgrades[:schema-1],
		Indexes: []docstore.Index{{Name: "at", Fields: []string{field}}},
	}
}

func (s suite) upgrading(t *testing.T) {
	if s.caps.FixedIndexes {
		t.Skip("no new index on old data")
	}
	store, driver, moment := s.store(t)
	ctx := t.Context()
	old, err := docstore.Open[boxV1](ctx, store, boxSpec(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"a", "b"} {
		if err := old.Insert(ctx, &boxV1{Doc: docstore.Doc{ID: place}, Place: place}); err != nil {
			t.Fatal(err)
		}
	}
	later, err := docstore.New(docstore.Config{Driver: driver, Clock: moment, Keys: Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	spec := boxSpec(3)
	spec.Indexes[0].Name = "town" // another field, another index
	now, err := docstore.Open[boxV3](ctx, later, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("an old document is upgraded when it is read", func(t *testing.T) {
		got, err := now.Get(ctx, "a")
		if err != nil || got.Town != "a" || got.Street != "a street" || got.Version != 1 || got.Schema != 3 {
			t.Fatalf("%+v %v", got, err)
		}
	})
	t.Run("it is found by what it was upgraded to", func(t *testing.T) {
		got, err := now.FindOne(ctx, docstore.By("town", "b"))
		if err != nil || got.ID != "b" {
			t.Fatal(got, err)
		}
	})
	t.Run("it is stored upgraded with its next change", func(t *testing.T) {
		if _, err := now.Update(ctx, "a", func(b *boxV3) error { b.Street = "new"; return nil }); err != nil {
			t.Fatal(err)
		}
		records, err := driver.Get(ctx, "boxes", []string{"a"})
		if err != nil || records[0].Body.Lookup("schema").AsInt64() != 3 {
			t.Fatal(records, err)
		}
	})
	t.Run("a document of a later program is refused, not mangled", func(t *testing.T) {
		_, err := old.Get(ctx, "a")
		wantErr(t, err, docstore.ErrInvalid)
	})
}
