package docstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
)

// payee is somebody money goes to.
type payee struct {
	docstore.Doc `bson:",inline"`
	Wallet       docstore.Encrypted   `bson:"wallet"`
	Others       []docstore.Encrypted `bson:"others,omitempty"`
	Deep         []struct {
		Name docstore.Encrypted `bson:"name"`
	} `bson:"deep,omitempty"`
	WalletKey string    `bson:"wallet_key"`
	Due       time.Time `bson:"due"`
	Units     int64     `bson:"units"`
}

func secretKey(name string) docstore.Key {
	return docstore.Key{ID: name, Secret: bytes.Repeat([]byte(name[:1]), 32)}
}

func ringOf(t testing.TB, names ...string) *docstore.KeyRing {
	t.Helper()
	keys := make([]docstore.Key, len(names))
	for i, name := range names {
		keys[i] = secretKey(name)
	}
	ring, err := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// desk is one process over a driver, with a ring of its own.
type desk struct {
	t      testing.TB
	driver docstore.Driver
	ring   *docstore.KeyRing
	store  *docstore.Store
	payees *docstore.Collection[payee]
}

var payeeSpec = docstore.Spec{
	Name: "payees", Emits: true, Lookups: []docstore.Lookup{{Field: "wallet_key", Of: "wallet", Purpose: "wallet"}},
	Indexes: []docstore.Index{{Name: "due", Fields: []string{"due"}}, {Name: "key", Fields: []string{"wallet_key"}}},
}

func deskOn(t testing.TB, driver docstore.Driver, ring *docstore.KeyRing) *desk {
	t.Helper()
	d := &desk{t: t, driver: driver, ring: ring}
	var err error
	if d.store, err = docstore.New(docstore.Config{Driver: driver, Clock: clock.NewManual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), Keys: ring}); err != nil {
		t.Fatal(err)
	}
	if d.payees, err = docstore.Open[payee](t.Context(), d.store, payeeSpec); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) add(id, wallet string) {
	d.t.Helper()
	one := &payee{Doc: docstore.Doc{ID: id}, Wallet: docstore.Encrypted(wallet), WalletKey: d.ring.Lookup("wallet", wallet), Due: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	if err := d.payees.Insert(d.t.Context(), one); err != nil {
		d.t.Fatal(err)
	}
}

// raw gives the stored bytes; forge writes them back changed, as somebody with access to the database would.
func (d *desk) raw(id string) bson.M {
	d.t.Helper()
	records, err := d.driver.Get(d.t.Context(), "payees", []string{id})
	if err != nil || len(records) != 1 {
		d.t.Fatal(records, err)
	}
	var m bson.M
	if err := bson.Unmarshal(records[0].Body, &m); err != nil {
		d.t.Fatal(err)
	}
	return m
}

func (d *desk) forge(id string, change func(m bson.M)) {
	d.t.Helper()
	m := d.raw(id)
	version, _ := m["version"].(int64)
	change(m)
	m["version"] = version + 1
	body, err := bson.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	d.write(id, version, body)
}

func (d *desk) write(id string, version int64, body bson.Raw) {
	d.t.Helper()
	keys, err := docstore.KeysOf(payeeSpec, body)
	if err != nil {
		keys = nil
	}
	keys = append(keys, docstore.IndexKey{Absent: true})
	op := docstore.Op{Kind: docstore.Replace, Collection: "payees", ID: id, Version: version, Next: version + 1, Body: body, Keys: keys}
	if err := d.driver.Write(d.t.Context(), []docstore.Op{op})[0]; err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) wallet(id string) string {
	d.t.Helper()
	one, err := d.payees.Get(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return one.Wallet.Reveal()
}

func TestASecretOpensOnlyWhereItWasPut(t *testing.T) {
	t.Parallel()
	d := deskOn(t, docstoretest.Embedded(t), ringOf(t, "a"))
	d.add("ann", "wallet-of-ann")
	d.add("bob", "wallet-of-bob")
	_, err := d.payees.Update(t.Context(), "bob", func(p *payee) error {
		p.Others = []docstore.Encrypted{"first", "second"}
		p.Deep = append(p.Deep, struct {
			Name docstore.Encrypted `bson:"name"`
		}{"deep"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, swap := range map[string]func(m bson.M){
		"another document's": func(m bson.M) { m["wallet"] = d.raw("ann")["wallet"] },
		"another field's":    func(m bson.M) { m["wallet"] = m["others"].(bson.A)[0] },
		"another element's":  func(m bson.M) { slices.Reverse(m["others"].(bson.A)) },
		"a deeper field's":   func(m bson.M) { m["wallet"] = m["deep"].(bson.A)[0].(bson.M)["name"] },
		"in the clear":       func(m bson.M) { m["wallet"] = "wallet-of-eve" },
		"a whole other document": func(m bson.M) {
			for k, v := range d.raw("ann") {
				m[k] = v
			}
		},
		"the other's with own id": func(m bson.M) {
			for k, v := range d.raw("ann") {
				if k != "_id" {
					m[k] = v
				}
			}
		},
	} {
		before := d.raw("bob")
		d.forge("bob", swap)
		if got, err := d.payees.Get(t.Context(), "bob"); !errors.Is(err, docstore.ErrUnreadable) {
			t.Errorf("%s: %v %v", name, got, err)
		} else if strings.Contains(err.Error(), "wallet-of") {
			t.Errorf("%s: the error tells: %v", name, err)
		}
		if _, err := d.payees.Update(t.Context(), "bob", func(*payee) error { return nil }); !errors.Is(err, docstore.ErrUnreadable) {
			t.Errorf("%s: update: %v", name, err)
		}
		d.forge("bob", func(m bson.M) {
			clear(m)
			for k, v := range before {
				m[k] = v
			}
		})
		if d.wallet("bob") != "wallet-of-bob" {
			t.Errorf("%s: not put right", name)
		}
	}
}

// What an older program stored without a binding is read until everything has been encrypted anew, and refused afterwards.
func TestUnboundSecretsAreReadUntilTheyHaveBeenRekeyed(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	d := deskOn(t, driver, ringOf(t, "a"))
	for n := range 25 {
		d.add(fmt.Sprintf("p%02d", n), fmt.Sprintf("wallet-%d", n))
		d.forge(fmt.Sprintf("p%02d", n), func(m bson.M) { m["wallet"] = docstore.SealUnbound(d.ring, fmt.Sprintf("wallet-%d", n)) })
	}
	if d.wallet("p07") != "wallet-7" {
		t.Fatal(d.wallet("p07"))
	}
	done, err := d.store.Rekey(t.Context(), docstore.Rekeying{Page: 7})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]docstore.RekeyProgress{{Collection: "payees", Read: 25, Changed: 25, Done: true}}, done); diff != "" {
		t.Error(diff)
	}
	next := deskOn(t, driver, ringOf(t, "a"))
	if next.wallet("p07") != "wallet-7" {
		t.Error("lost")
	}
	next.forge("p07", func(m bson.M) { m["wallet"] = docstore.SealUnbound(d.ring, "wallet-of-eve") })
	if _, err := next.payees.Get(t.Context(), "p07"); !errors.Is(err, docstore.ErrUnreadable) {
		t.Errorf("an unbound secret after rekeying: %v", err)
	}
}

func TestRekeyGoesOnWhereItStoppedAndSaysWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	old := deskOn(t, driver, ringOf(t, "a"))
	lost := deskOn(t, driver, ringOf(t, "z"))
	for n := range 30 {
		old.add(fmt.Sprintf("p%02d", n), fmt.Sprintf("wallet-%d", n))
	}
	lost.add("q1", "nobody can read it")
	d := deskOn(t, driver, ringOf(t, "b", "a"))
	tired := errors.New("tired")
	pages := 0
	first, err := d.store.Rekey(t.Context(), docstore.Rekeying{Page: 10, Sleep: func(context.Context, time.Duration) error {
		if pages++; pages == 2 {
			return tired
		}
		return nil
	}})
	if !errors.Is(err, tired) || first[0].Changed != 20 {
		t.Fatal(first, err)
	}
	second, err := deskOn(t, driver, ringOf(t, "b", "a")).store.Rekey(t.Context(), docstore.Rekeying{Page: 10})
	if err != nil {
		t.Fatal(err)
	}
	want := []docstore.RekeyProgress{{Collection: "payees", Read: 11, Changed: 10, Failed: 1, Unreadable: []string{"q1"}}}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Error(diff)
	}
	alone := deskOn(t, driver, ringOf(t, "b"))
	for n := range 30 {
		if got := alone.wallet(fmt.Sprintf("p%02d", n)); got != fmt.Sprintf("wallet-%d", n) {
			t.Errorf("p%02d: %q", n, got)
		}
	}
	if _, err := alone.payees.Get(t.Context(), "q1"); !errors.Is(err, docstore.ErrUnreadable) {
		t.Error(err)
	}
	third, err := deskOn(t, driver, ringOf(t, "b", "a", "z")).store.Rekey(t.Context(), docstore.Rekeying{})
	if err != nil || !third[0].Done || third[0].Changed != 1 {
		t.Errorf("with the key again: %+v %v", third, err)
	}
	again, err := d.store.Rekey(t.Context(), docstore.Rekeying{})
	if err != nil || again[0].Read != 0 || !again[0].Done {
		t.Errorf("once more: %+v %v", again, err)
	}
}

// Shoppers go on while everything is encrypted anew: nothing they write is lost.
func TestRekeyOnALiveStoreLosesNothing(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	old := deskOn(t, driver, ringOf(t, "a"))
	const docs, writers, rounds = 20, 4, 60
	for n := range docs {
		old.add(fmt.Sprintf("p%02d", n), "w")
	}
	live, worker := deskOn(t, driver, ringOf(t, "b", "a")), deskOn(t, driver, ringOf(t, "b", "a"))
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for n := range rounds {
				if _, err := live.payees.Update(context.Background(), fmt.Sprintf("p%02d", n%docs), func(p *payee) error { p.Units++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		if _, err := worker.store.Rekey(t.Context(), docstore.Rekeying{Page: 5, Again: true}); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	sum := int64(0)
	alone := deskOn(t, driver, ringOf(t, "b"))
	if err := alone.payees.Each(t.Context(), docstore.All(), func(p *payee) error { sum += p.Units; return nil }); err != nil {
		t.Fatal(err)
	}
	if lost, _ := alone.store.Unreadable(); sum != writers*rounds || len(lost) > 0 {
		t.Errorf("%d of %d updates, %d unreadable", sum, writers*rounds, len(lost))
	}
}

func TestLookupsAreFoundByAnyLiveKeyAndBroughtToTheNewest(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	deskOn(t, driver, ringOf(t, "a")).add("ann", "wallet")
	ring, err := docstore.NewKeyRing(bytes.Repeat([]byte{9}, 32), secretKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = ring.WithOldLookups(bytes.Repeat([]byte{1}, 32)); err != nil {
		t.Fatal(err)
	}
	d := deskOn(t, driver, ring)
	find := func() (found []int) {
		for i, hash := range ring.Lookups("wallet", "wallet") {
			if one, err := d.payees.FindOne(t.Context(), docstore.By("key", hash)); err == nil && one.ID == "ann" {
				found = append(found, i)
			}
		}
		return found
	}
	if got := find(); !slices.Equal(got, []int{1}) {
		t.Fatal(got)
	}
	if done, err := d.store.Rekey(t.Context(), docstore.Rekeying{}); err != nil || done[0].Changed != 1 {
		t.Fatal(done, err)
	}
	if got := find(); !slices.Equal(got, []int{0}) || d.wallet("ann") != "wallet" {
		t.Fatal(got)
	}
}

// One document that cannot be read (a key that is gone, damaged bytes, another's bytes) is passed over and named.
func TestOneUnreadableDocumentStopsNeitherPageNorWalkNorSweep(t *testing.T) {
	t.Parallel()
	d := deskOn(t, docstoretest.Embedded(t), ringOf(t, "a"))
	for n := range 9 {
		d.add(fmt.Sprintf("p%d", n), "w")
	}
	d.forge("p2", func(m bson.M) { m["wallet"] = docstore.SealUnbound(ringOf(t, "gone"), "w") })
	d.forge("p4", func(m bson.M) { m["units"] = "seven" })
	d.forge("p6", func(m bson.M) { m["others"] = "no list" })
	var heard []string
	d.store.OnUnreadable(func(u docstore.Unreadable) { heard = append(heard, u.Document) })
	ctx, due := t.Context(), docstore.By("due").First(4)
	page, err := d.payees.Find(ctx, due)
	if err != nil || len(page.Items) != 3 || !slices.Equal(page.Unreadable, []string{"p2"}) || page.Next == "" {
		t.Fatalf("%+v %v", page, err)
	}
	if _, err := d.payees.Find(ctx, due.Whole()); !errors.Is(err, docstore.ErrUnreadable) {
		t.Errorf("a whole query: %v", err)
	}
	n := 0
	if err := d.payees.Each(ctx, due, func(*payee) error { n++; return nil }); err != nil || n != 6 {
		t.Error(n, err)
	}
	moved, err := d.payees.Sweep(ctx, due, docstore.Sweep{Most: 100, Page: 2, Workers: 2}, func(*payee) (bool, error) { return true, nil })
	if err != nil || moved != 6 {
		t.Error(moved, err)
	}
	many, err := d.payees.GetMany(ctx, []string{"p1", "p2", "p3"})
	if err != nil || len(many) != 2 {
		t.Error(many, err)
	}
	lost, more := d.store.Unreadable()
	var names []string
	for _, u := range lost {
		names = append(names, u.Collection+"/"+u.Document)
	}
	if diff := cmp.Diff([]string{"payees/p2", "payees/p4", "payees/p6"}, names); diff != "" || more != 0 || len(heard) != 3 {
		t.Error(diff, more, heard)
	}
}

func TestAnEventCarriesNoSecret(t *testing.T) {
	t.Parallel()
	d := deskOn(t, docstoretest.Embedded(t), ringOf(t, "a"))
	d.add("ann", "w")
	_, err := d.payees.Update(t.Context(), "ann", func(p *payee) error {
		p.Emit("payee.Told", struct {
			Wallet docstore.Encrypted `bson:"wallet"`
		}{p.Wallet})
		return nil
	})
	if err == nil {
		t.Error("a secret left in an event")
	}
}

// Without keys documents are read and written back with their secrets untouched.
func TestABlindStoreLeavesSecretsAsTheyAre(t *testing.T) {
	t.Parallel()
	driver := docstoretest.Embedded(t)
	d := deskOn(t, driver, ringOf(t, "a"))
	d.add("ann", "w")
	blind := deskOn(t, driver, docstore.BlindKeyRing())
	if _, err := blind.payees.Update(t.Context(), "ann", func(p *payee) error { p.Units = 7; return nil }); err != nil {
		t.Fatal(err)
	}
	if one, err := d.payees.Get(t.Context(), "ann"); err != nil || one.Wallet.Reveal() != "w" || one.Units != 7 {
		t.Error(one, err)
	}
	if _, err := blind.payees.Update(t.Context(), "ann", func(p *payee) error { p.Wallet = "new"; return nil }); err == nil {
		t.Error("something was stored in the clear")
	}
	if _, err := blind.store.Rekey(t.Context(), docstore.Rekeying{}); err == nil {
		t.Error("rekeyed without keys")
	}
}
