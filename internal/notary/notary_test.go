package notary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

type deed struct {
	docstore.Doc `bson:",inline"`
	By           string             `bson:"by"`
	Name         docstore.Encrypted `bson:"name,omitempty"`
	Amount       int64              `bson:"amount"`
}

type world struct {
	t      *testing.T
	driver docstore.Driver
	store  *docstore.Store
	deeds  *docstore.Collection[deed]
	notary *Notary
}

// newWorld opens one process over a driver that several may share.
func newWorld(t *testing.T, driver docstore.Driver, chained bool) *world {
	t.Helper()
	w := &world{t: t, driver: driver, store: docstoretest.StoreOn(t, driver, clock.System{})}
	var err error
	w.deeds, err = docstore.Open[deed](t.Context(), w.store, docstore.Spec{Name: "deeds", Chained: chained})
	w.must(err)
	w.notary, err = New(t.Context(), w.store, clock.System{})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) insert(ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.must(w.deeds.Insert(w.t.Context(), &deed{Doc: docstore.Doc{ID: id}, By: "ann", Name: "安", Amount: 1}))
	}
}

func (w *world) verify(heads ...Head) *Report {
	w.t.Helper()
	r, err := Verify(w.t.Context(), w.store, []string{"deeds"}, heads, nil)
	w.must(err)
	return r
}

// tamper writes past the program.
func (w *world) tamper(collection, id string, change func(bson.M)) {
	w.t.Helper()
	records, err := w.driver.Get(w.t.Context(), collection, []string{id})
	w.must(err)
	if change == nil {
		w.must(w.driver.Write(w.t.Context(), []docstore.Op{{Kind: docstore.Delete, Collection: collection, ID: id, Version: records[0].Version}})[0])
		return
	}
	var body bson.D
	w.must(bson.Unmarshal(records[0].Body, &body))
	fields := bson.M{}
	for _, e := range body {
		fields[e.Key] = e.Value
	}
	change(fields)
	for i := range body {
		body[i].Value = fields[body[i].Key]
		delete(fields, body[i].Key)
	}
	next := body[:0]
	for _, e := range body {
		if e.Value != nil {
			next = append(next, e)
		}
	}
	for k, value := range fields {
		next = append(next, bson.E{Key: k, Value: value})
	}
	raw, err := bson.Marshal(next)
	w.must(err)
	spec := docstore.Spec{Name: collection, Schema: 1}
	if collection == "deeds" {
		spec.Indexes = []docstore.Index{{Name: "unproven", Fields: []string{"unproven"}, Sparse: true}}
	}
	spec.Indexes = append(spec.Indexes, docstore.Index{Name: "waiting", Fields: []string{"waiting"}, Sparse: true})
	keys, err := docstore.KeysOf(spec, raw)
	w.must(err)
	w.must(w.driver.Write(w.t.Context(), []docstore.Op{{
		Kind: docstore.Replace, Collection: collection, ID: id, Version: records[0].Version, Next: records[0].Version, Body: raw, Keys: keys,
	}})[0])
}

func TestWhatIsWrittenPastTheProgramIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tamper func(*world)
		want   string
	}{
		"nothing":  {func(*world) {}, ""},
		"changed":  {func(w *world) { w.tamper("deeds", "b", func(f bson.M) { f["amount"] = int64(10_001) }) }, "deeds/b"},
		"deleted":  {func(w *world) { w.tamper("deeds", "b", nil) }, "deeds/b"},
		"stranger": {func(w *world) { w.stranger() }, "deeds/x"},
		"set back": {func(w *world) { w.setBack() }, "deeds/c"},
		"mark removed": {func(w *world) {
			w.tamper("deeds", "b", func(f bson.M) { f["proven"] = nil })
		}, "deeds/b"},
		"another link claimed": {func(w *world) {
			w.tamper("deeds", "b", func(f bson.M) { f["proven"], f["amount"] = int64(77), int64(5) })
		}, "deeds/b"},
		"a link changed": {func(w *world) {
			w.tamper("facts", linkID(2), func(f bson.M) { f["text"] = strings.ReplaceAll(f["text"].(string), "deeds b", "deeds z") })
		}, "facts/0000000002"},
		"a link gone":   {func(w *world) { w.tamper("facts", linkID(2), nil) }, "facts/0000000002"},
		"the chain cut": {func(w *world) { w.tamper("facts", linkID(3), nil) }, "deeds/c"},
		"the chain gone": {func(w *world) {
			for n := range int64(3) {
				w.tamper("facts", linkID(n+1), nil)
			}
		}, "deeds/a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, docstoretest.Embedded(t), true)
			w.must(w.notary.Adopt(t.Context()))
			w.insert("a", "b", "c")
			w.must(w.notary.CatchUp(t.Context()))
			_, err := w.deeds.Update(t.Context(), "c", func(d *deed) error { d.Amount = 2; return nil })
			w.must(err)
			w.must(w.notary.CatchUp(t.Context()))
			c.tamper(w)
			r := w.verify()
			if c.want == "" && !r.Good() || c.want != "" && !named(r, c.want) {
				t.Fatalf("%+v", r)
			}
		})
	}
}

func named(r *Report, subject string) bool {
	for _, d := range r.Differences {
		if d.Subject == subject {
			return true
		}
	}
	return false
}

func (w *world) stranger() {
	raw, err := bson.Marshal(bson.D{
		{Key: "_id", Value: "x"},
		{Key: "version", Value: int64(1)},
		{Key: "token", Value: int64(1)},
		{Key: "schema", Value: int32(1)},
		{Key: "by", Value: "eve"},
		{Key: "amount", Value: int64(9)},
	})
	w.must(err)
	w.must(w.driver.Write(w.t.Context(), []docstore.Op{{
		Kind: docstore.Insert, Collection: "deeds", ID: "x", Next: 1, Body: raw, Keys: []docstore.IndexKey{{Absent: true}, {Absent: true}},
	}})[0])
}

// setBack makes c what it was before its second link.
func (w *world) setBack() {
	w.tamper("deeds", "c", func(f bson.M) { f["proven"], f["amount"] = int64(2), int64(1) })
}

func TestTheSignedHeadKeepsTheEndOfTheChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, docstoretest.Embedded(t), true)
	w.must(w.notary.Adopt(t.Context()))
	w.insert("a")
	w.must(w.notary.CatchUp(t.Context()))
	head, err := w.notary.Head(t.Context())
	w.must(err)
	if r := w.verify(head); !r.Good() || r.Documents != 1 || r.Links != 2 {
		t.Fatalf("%+v", r)
	}
	w.tamper("facts", linkID(2), nil)
	w.tamper("deeds", "a", nil)
	if r := w.verify(); !r.Good() {
		t.Fatalf("without a signature nothing shows: %+v", r)
	}
	if r := w.verify(head); !named(r, "facts/0000000002") {
		t.Fatalf("%+v", r)
	}
}

func TestWhatIsOlderThanTheChainIsTakenInOnce(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	old := newWorld(t, driver, false) // an earlier program: no marks
	old.insert("a", "b")
	w := newWorld(t, driver, true)
	if r := w.verify(); !r.Good() || r.Unchained != 2 {
		t.Fatalf("before the first start of the chain: %+v", r)
	}
	w.insert("c")
	w.must(w.notary.CatchUp(t.Context()))
	w.must(w.notary.CatchUp(t.Context()))
	if r := w.verify(); !r.Good() || r.Before != 2 || r.Documents != 3 || r.Unchained != 0 {
		t.Fatalf("%+v", r)
	}
	w.must(w.deeds.Insert(t.Context(), &deed{Doc: docstore.Doc{ID: "d"}}))
	w.must(w.notary.CatchUp(t.Context()))
	w.tamper("deeds", "a", func(f bson.M) { f["amount"] = int64(4) })
	if r := w.verify(); !named(r, "deeds/a") || len(r.Differences) != 1 {
		t.Fatalf("%+v", r)
	}
	// Forgetting the bookmark does not let a stranger in as "older".
	w.stranger()
	w.tamper("fact_books", adoptedID, nil)
	again := newWorld(t, driver, true)
	w.must(again.notary.CatchUp(t.Context()))
	if r := w.verify(); !named(r, "deeds/x") {
		t.Fatalf("%+v", r)
	}
}

func TestSeveralProcessesWriteOneChain(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	var all sync.WaitGroup
	for p := range 3 {
		w := newWorld(t, driver, true)
		all.Go(func() {
			for i := range 40 {
				id := fmt.Sprintf("%d-%d", p, i)
				err := w.deeds.Insert(t.Context(), &deed{Doc: docstore.Doc{ID: id}, By: "ann"})
				_, err2 := w.deeds.Upsert(t.Context(), "shared", func(d *deed) error { d.Amount++; return nil })
				if err = errors.Join(err, err2, w.notary.CatchUp(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w := newWorld(t, driver, true)
	w.must(w.notary.CatchUp(t.Context()))
	if r := w.verify(); !r.Good() || r.Waiting != 0 || r.Documents < 121 {
		t.Fatalf("%+v", r)
	}
}

func TestAProcessThatDiesAnywhereLeavesAChainTheNextFinishes(t *testing.T) {
	t.Parallel()
	died := errors.New("died")
	for _, at := range []string{"collected", "linked", "adopted"} {
		driver := docstoretest.Embedded(t)
		old := newWorld(t, driver, false)
		old.insert("old")
		for round := range 3 {
			w := newWorld(t, driver, true)
			w.insert(fmt.Sprintf("%s-%d", at, round))
			w.notary.step = func(now string) error {
				if now == at {
					return died
				}
				return nil
			}
			if err := w.notary.CatchUp(t.Context()); err != nil && !errors.Is(err, died) {
				t.Fatal(err)
			}
			if r := w.verify(); !r.Good() {
				t.Fatalf("%s, round %d: %+v", at, round, r)
			}
		}
		w := newWorld(t, driver, true)
		w.must(w.notary.CatchUp(t.Context()))
		if r := w.verify(); !r.Good() || r.Waiting != 0 || r.Unchained != 0 {
			t.Fatalf("%s: %+v", at, r)
		}
	}
}

func TestNothingIsDeletedFromAChainedCollection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, docstoretest.Embedded(t), true)
	w.insert("a")
	if err := w.deeds.Delete(t.Context(), "a", nil); !errors.Is(err, docstore.ErrInvalid) {
		t.Fatal(err)
	}
}

func TestRunSealsSoonAndThenRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, docstoretest.Embedded(t), true)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.notary.Run(ctx, time.Millisecond, func(err error) { t.Error(err) }) })
	w.insert("a")
	for w.verify().Documents == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	running.Wait()
}
