package mongo

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"

	"guanxi/internal/docstore"
)

func parcels() *collection {
	spec := docstore.Spec{Name: "parcels", Indexes: []docstore.Index{
		{Name: "town", Fields: []string{"town", "weight"}},
		{Name: "code", Fields: []string{"code"}, Unique: true, Sparse: true},
		{Name: "waiting", Fields: []string{"waiting"}, Sparse: true},
	}}
	return newCollection(&mongo.Collection{}, &spec)
}

// seen is a walk as text, for comparison.
type seen struct {
	Hint  string
	Sort  string
	Steps []string
}

func text(t *testing.T, d bson.D) string {
	t.Helper()
	if len(d) == 0 {
		return "{}"
	}
	raw, err := bson.MarshalExtJSON(d, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func cursorFor(t *testing.T, body bson.M, fields ...string) string {
	t.Helper()
	raw, err := bson.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := cursorAfter(raw, fields)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

func TestEveryStepOfAWalkIsAnEqualityPrefixWithOneRange(t *testing.T) {
	t.Parallel()
	last := bson.M{"_id": "p7", "town": "b", "weight": int64(5), "code": "c7"}
	noon := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	for name, one := range map[string]struct {
		query docstore.Query
		want  seen
	}{
		"everything": {docstore.All(), seen{"_id_", `{"_id":1}`, []string{`{}`}}},
		"everything, going on backwards": {
			docstore.All().Newest().Continue(cursorFor(t, last, "_id")),
			seen{"_id_", `{"_id":-1}`, []string{`{"_id":{"$lt":"p7"}}`}},
		},
		"a prefix and a range": {
			docstore.By("town", "b").Between(1, 9),
			seen{"town(town,weight)", `{"weight":1,"_id":1}`, []string{`{"town":{"$eq":"b"},"weight":{"$gte":1,"$lt":9}}`}},
		},
		"a whole index, going on": {
			docstore.By("town").Continue(cursorFor(t, last, "town", "weight", "_id")),
			seen{"town(town,weight)", `{"town":1,"weight":1,"_id":1}`, []string{
				`{"town":{"$eq":"b"},"weight":{"$eq":5},"_id":{"$gt":"p7"}}`,
				`{"town":{"$eq":"b"},"weight":{"$gt":5}}`,
				`{"town":{"$gt":"b"}}`,
			}},
		},
		"a range, going on backwards inside it": {
			docstore.By("town", "b").Between(1, 9).Newest().Continue(cursorFor(t, last, "weight", "_id")),
			seen{"town(town,weight)", `{"weight":-1,"_id":-1}`, []string{
				`{"town":{"$eq":"b"},"weight":{"$gte":1,"$lt":9,"$eq":5},"_id":{"$lt":"p7"}}`,
				`{"town":{"$eq":"b"},"weight":{"$gte":1,"$lt":5}}`,
			}},
		},
		"a range, going on backwards from above it": {
			docstore.By("town", "b").Between(nil, 3).Newest().Continue(cursorFor(t, last, "weight", "_id")),
			seen{"town(town,weight)", `{"weight":-1,"_id":-1}`, []string{
				`{"town":{"$eq":"b"},"weight":{"$lt":3,"$eq":5},"_id":{"$lt":"p7"}}`,
				`{"town":{"$eq":"b"},"weight":{"$lt":3}}`,
			}},
		},
		"a unique index needs no _id": {
			docstore.By("code").Continue(cursorFor(t, last, "code")),
			seen{"code(code)_unique_sparse", `{"code":1}`, []string{`{"code":{"$exists":true,"$gt":"c7"}}`}},
		},
		"one value of a unique index": {docstore.By("code", "c7"), seen{"code(code)_unique_sparse", `{}`, []string{`{"code":{"$eq":"c7"}}`}}},
		"who is in a sparse index":    {docstore.By("waiting"), seen{"waiting(waiting)_sparse", `{"waiting":1,"_id":1}`, []string{`{"waiting":{"$exists":true}}`}}},
		"what is due": {
			docstore.By("waiting").Between(nil, noon),
			seen{"waiting(waiting)_sparse", `{"waiting":1,"_id":1}`, []string{`{"waiting":{"$lt":{"$date":"2026-03-01T04:00:00Z"}}}`}},
		},
	} {
		w, err := newWalk(parcels(), one.query)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := seen{Hint: w.hint, Sort: text(t, w.sort)}
		for _, step := range w.steps {
			got.Steps = append(got.Steps, text(t, step))
		}
		if diff := cmp.Diff(one.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnAnswerIsTakenApartIntoWhatIsKnown(t *testing.T) {
	t.Parallel()
	network := mongo.CommandError{Message: "cut", Labels: []string{"NetworkError", "RetryableWriteError"}}
	for name, one := range map[string]struct {
		attempts int
		err      error
		want     error
	}{
		"never sent":                           {0, errors.New("no connection in time"), docstore.ErrUnavailable},
		"sent, cut":                            {1, network, docstore.ErrUnclear},
		"sent twice, cut":                      {2, network, docstore.ErrUnclear},
		"not primary at once":                  {1, mongo.CommandError{Code: 10107}, docstore.ErrUnavailable},
		"cut, then not primary":                {2, mongo.CommandError{Code: 10107}, docstore.ErrUnclear},
		"interrupted by a change of primary":   {1, mongo.CommandError{Code: 11602}, docstore.ErrUnclear},
		"interrupted before anything was done": {1, mongo.CommandError{Code: 11602, Labels: []string{"NoWritesPerformed"}}, docstore.ErrUnavailable},
		"not allowed":                          {1, mongo.CommandError{Code: 13}, docstore.ErrUnavailable},
		"malformed":                            {1, mongo.CommandError{Code: 9}, docstore.ErrInvalid},
		"unconfirmed":                          {1, mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, docstore.ErrUnclear},
		"unconfirmed, and a duplicate besides": {1, mongo.BulkWriteException{
			WriteConcernError: &mongo.WriteConcernError{Code: 64},
			WriteErrors:       []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 11000}}},
		}, docstore.ErrUnclear},
	} {
		got := judge(witness{attempts: one.attempts}, one.err)
		for _, kind := range []error{docstore.ErrUnavailable, docstore.ErrUnclear, docstore.ErrInvalid} {
			if want := errors.Is(one.want, kind); errors.Is(got.whole, kind) != want {
				t.Errorf("%s: %v, want %v", name, got.whole, one.want)
			}
		}
	}
}

func FuzzACursorFromOutsideNeverPanicsAndHoldsPlainValues(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add("HAAAAARrABQAAAACMAADAAAAcDcAAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		values, err := readCursor(cursor, 1)
		if err != nil {
			if !errors.Is(err, docstore.ErrInvalid) {
				t.Errorf("%v, want ErrInvalid", err)
			}
			return
		}
		if _, err := docstore.EncodeKey(encodable(values[0])); err != nil {
			t.Logf("a plain value the encoder refuses: %v", err) // a NUL byte: harmless in a filter
		}
	})
}
