package docstore

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/bson"
	"pgregory.net/rapid"
)

type word string

type flat struct {
	Doc   `bson:",inline"`
	Text  string    `bson:"text"`
	Named word      `bson:"named,omitempty"`
	N     int       `bson:"n"`
	Long  int64     `bson:"long,omitempty"`
	Yes   bool      `bson:"yes"`
	Raw   []byte    `bson:"raw"`
	At    time.Time `bson:"at,omitempty"`
	own   int
}

// Whatever the plan decodes is what the general codec decodes, and what it does not expect it leaves alone.
func TestThePlanDecodesWhatTheGeneralCodecDecodes(t *testing.T) {
	t.Parallel()
	p, decoded := planOf(reflect.TypeFor[flat]()), 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, 60)
		doc := bson.D{{Key: "_id", Value: text.Draw(t, "id")}, {Key: "version", Value: rapid.Int64().Draw(t, "version")}}
		for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{
			"text", "named", "n", "long", "yes", "raw", "at", "token", "schema", "outbox", "waiting", "unknown",
		}), 0, 12).Draw(t, "keys") {
			doc = append(doc, bson.E{Key: key, Value: rapid.OneOf(
				rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Int64(), func(n int64) any { return n }),
				rapid.Map(rapid.Int32(), func(n int32) any { return n }), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
				rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) any { return b }), rapid.Just(any(nil)),
				rapid.Map(rapid.Int64Range(-1e12, 1e13), func(n int64) any { return time.UnixMilli(n) }), rapid.Just(any(bson.A{})),
			).Draw(t, key)})
		}
		body, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var fast, slow flat
		if !p.decode(body, reflect.ValueOf(&fast).Elem()) {
			return
		}
		if err := bson.UnmarshalWithRegistry(newRegistry(BlindKeyRing(), false), body, &slow); err != nil {
			t.Fatalf("the general codec refuses it: %v", err)
		}
		if diff := cmp.Diff(slow, fast, cmpopts.IgnoreUnexported(Doc{}, flat{})); diff != "" {
			t.Fatal(diff)
		}
		decoded++
	})
	whole := flat{
		Doc: Doc{ID: "a", Version: 3, Token: 4, Schema: 1}, Text: "字", Named: "w", N: 5, Long: 6, Yes: true, Raw: []byte{1, 2},
		At: time.UnixMilli(1234567890123).UTC(), own: 1,
	}
	body, err := bson.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var again flat
	if !p.decode(body, reflect.ValueOf(&again).Elem()) || decoded == 0 {
		t.Fatal("the plan decodes nothing")
	}
	if diff := cmp.Diff(whole, again, cmpopts.IgnoreUnexported(Doc{}, flat{})); diff != "" {
		t.Error(diff)
	}
}

// A damaged body is decoded as the general codec decodes it, or left to it.
func TestThePlanTrustsNoLength(t *testing.T) {
	t.Parallel()
	p, decoded, refused := planOf(reflect.TypeFor[flat]()), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		body, err := bson.Marshal(flat{
			Doc: Doc{ID: "a", Version: 3}, Text: rapid.StringN(0, 5, 9).Draw(t, "text"), Named: "w", N: 5, Yes: true,
			Raw: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "raw"), At: time.UnixMilli(1234567890123).UTC(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "damages") {
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				body = body[:at+1]
			case 1:
				body = append(body, body[at])
			default:
				body[at] = rapid.OneOf(rapid.Byte(), rapid.ByteRange(0, 20)).Draw(t, "byte")
			}
		}
		var fast, slow flat
		if !p.decode(body, reflect.ValueOf(&fast).Elem()) {
			refused++
			return
		}
		if err := bson.UnmarshalWithRegistry(newRegistry(BlindKeyRing(), false), body, &slow); err != nil {
			t.Fatalf("the general codec refuses it: %v", err)
		}
		if diff := cmp.Diff(slow, fast, cmpopts.IgnoreUnexported(Doc{}, flat{})); diff != "" {
			t.Fatal(diff)
		}
		decoded++
	})
	if decoded == 0 || refused == 0 {
		t.Errorf("%d decoded, %d refused", decoded, refused)
	}
}

func TestTypesThatAreNotPlainHaveNoPlan(t *testing.T) {
	t.Parallel()
	type secret struct {
		Doc   `bson:",inline"`
		Phone Encrypted `bson:"phone"`
	}
	type deep struct {
		Doc  `bson:",inline"`
		List []string `bson:"list"`
	}
	for _, one := range []reflect.Type{reflect.TypeFor[secret](), reflect.TypeFor[deep](), reflect.TypeFor[string]()} {
		if planOf(one) != nil {
			t.Errorf("%s has a plan", one)
		}
	}
}
