package docstore_test

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"pgregory.net/rapid"

	"guanxi/internal/docstore"
)

type state string

func TestKeysCompareAsTheirValuesDo(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-c\x01\x7f杭]{0,3}`)
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2))
	rapid.Check(t, func(r *rapid.T) {
		a1, b1, a2, b2, a3, b3 := text.Draw(r, "a1"), text.Draw(r, "b1"), number.Draw(r, "a2"), number.Draw(r, "b2"), text.Draw(r, "a3"), text.Draw(r, "b3")
		a, errA := docstore.EncodeKey(a1, a2, a3)
		b, errB := docstore.EncodeKey(b1, b2, b3)
		if err := errors.Join(errA, errB); err != nil {
			r.Fatal(err)
		}
		if want := cmp.Or(strings.Compare(a1, b1), cmp.Compare(a2, b2), strings.Compare(a3, b3)); bytes.Compare(a, b) != want {
			r.Fatalf("%q %q: got %d, want %d", a, b, bytes.Compare(a, b), want)
		}
		prefix, err := docstore.EncodeKey(b1, b2)
		if err != nil || bytes.HasPrefix(a, prefix) != (a1 == b1 && a2 == b2) {
			r.Fatalf("prefix %q of %q, %v", prefix, a, err)
		}
	})
}

func TestKeysOfAStoredDocumentAreThoseOfItsValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 999_000_000, time.UTC)
	body, err := bson.Marshal(bson.D{
		{Key: "s", Value: "x"},
		{Key: "n", Value: int32(-7)},
		{Key: "m", Value: int64(8)},
		{Key: "b", Value: true},
		{Key: "t", Value: at},
		{Key: "in", Value: bson.D{{Key: "ner", Value: "y"}}},
		{Key: "null", Value: nil},
		{Key: "f", Value: 1.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	index := func(sparse bool, fields ...string) docstore.Spec {
		return docstore.Spec{Name: "x", Indexes: []docstore.Index{{Name: "i", Fields: fields, Sparse: sparse}}}
	}
	keys, err := docstore.KeysOf(index(false, "s", "n", "m", "b", "t", "in.ner"), body)
	want, errWant := docstore.EncodeKey(state("x"), -7, int64(8), true, at, "y")
	if err != nil || errWant != nil || !bytes.Equal(keys[0].Bytes, want) {
		t.Fatalf("%v %q %v %v", keys, want, err, errWant)
	}
	for name, spec := range map[string]docstore.Spec{
		"an absent field": index(false, "s", "nothing"), "null is absent": index(false, "null"),
		"half of a sparse index": index(true, "s", "nothing"), "a float": index(false, "f"), "a part": index(false, "in"),
	} {
		if _, err := docstore.KeysOf(spec, body); !errors.Is(err, docstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys, err = docstore.KeysOf(index(true, "null", "nothing"), body)
	if err != nil || !keys[0].Absent {
		t.Fatal(keys, err)
	}
}

func TestKeyRingRefusesWhatWasChangedOrIsNotItsOwn(t *testing.T) {
	t.Parallel()
	key := func(id string, fill byte) docstore.Key {
		return docstore.Key{ID: id, Secret: bytes.Repeat([]byte{fill}, 32)}
	}
	ring, err := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), key("b", 2), key("a", 3))
	if err != nil {
		t.Fatal(err)
	}
	sealed := docstore.SealFor(ring, "13800138000", "people", "p1", "phone")
	if text, err := docstore.OpenAt(ring, sealed, "people", "p1", "phone"); err != nil || text != "13800138000" || sealed[:3] != "\x01\x01b" ||
		docstore.SealFor(ring, "13800138000", "people", "p1", "phone") == sealed {
		t.Fatal(text, err)
	}
	for name, bad := range map[string]string{
		"another key's name": "\x01\x01a" + sealed[3:], "an unknown key": "\x01\x01z" + sealed[3:], "cut off": sealed[:len(sealed)-4], "no key": "plain",
		"too short": "\x01\x01bAAAA", "nothing": "", "a newer form": "\x02" + sealed[1:], "a name without an end": "\x01\xffb",
	} {
		if text, err := docstore.OpenAt(ring, bad, "people", "p1", "phone"); err == nil {
			t.Errorf("%s was opened: %q", name, text)
		}
	}
	for _, at := range [][3]string{{"payees", "p1", "phone"}, {"people", "p2", "phone"}, {"people", "p1", "others.0"}} {
		if text, err := docstore.OpenAt(ring, sealed, at[0], at[1], at[2]); err == nil {
			t.Errorf("opened at %v: %q", at, text)
		}
	}
	if first := ring.Lookup("phone", "1"); first == ring.Lookup("name", "1") || first != ring.Lookup("phone", "1") {
		t.Error("a lookup depends on purpose and text alone")
	}
	for name, bad := range map[string][]docstore.Key{"none": nil, "short": {{ID: "a", Secret: []byte{1}}}, "twice": {key("a", 1), key("a", 2)}, "no name": {{Secret: bytes.Repeat([]byte{1}, 32)}}} {
		if _, err := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), bad...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
