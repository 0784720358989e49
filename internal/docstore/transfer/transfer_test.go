package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
	"guanxi/internal/docstore/transfer"
)

type card struct {
	docstore.Doc `bson:",inline"`
	Place        string             `bson:"place"`
	Phone        docstore.Encrypted `bson:"phone"`
}

func spec() docstore.Spec {
	return docstore.Spec{Name: "cards", Indexes: []docstore.Index{{Name: "place", Fields: []string{"place"}, Unique: true}}}
}

// specs are the declarations as a program tells them.
func specs(t *testing.T) map[string]docstore.Spec {
	t.Helper()
	told := &transfer.Specs{}
	store, err := docstore.New(docstore.Config{Driver: told, Clock: clock.System{}, Keys: docstoretest.Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docstore.Open[card](t.Context(), store, spec()); err != nil {
		t.Fatal(err)
	}
	return told.All()
}

// place is a store in a folder of its own.
type place struct {
	t      *testing.T
	dir    string
	driver docstore.Driver
	store  *docstore.Store
	cards  *docstore.Collection[card]
}

func open(t *testing.T, dir string) *place {
	t.Helper()
	p := &place{t: t, dir: dir}
	var err error
	if p.driver, err = sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.driver.Close() })
	if p.store, err = docstore.New(docstore.Config{Driver: p.driver, Clock: clock.System{}, Keys: docstoretest.Keys(t)}); err != nil {
		t.Fatal(err)
	}
	if p.cards, err = docstore.Open[card](t.Context(), p.store, spec()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) put(n int, where string) {
	p.t.Helper()
	_, err := p.cards.Upsert(p.t.Context(), fmt.Sprintf("card-%05d", n), func(c *card) error {
		c.Place, c.Phone = where, docstore.Encrypted("1390013"+where)
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) snapshot() docstore.Snapshot {
	p.t.Helper()
	s, err := sqlite.OpenSnapshot(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *place) measure() []transfer.Totals {
	p.t.Helper()
	s := p.snapshot()
	defer func() { _ = s.Close() }()
	all, err := transfer.Measure(p.t.Context(), s, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

func (p *place) sync(to docstore.Driver) error {
	p.t.Helper()
	s := p.snapshot()
	defer func() { _ = s.Close() }()
	return transfer.Sync(p.t.Context(), transfer.Syncing{From: s, To: to, Specs: specs(p.t)})
}

func TestACopyIsTheSameAndFollowsWhatChanges(t *testing.T) {
	t.Parallel()
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	for n := range 2500 {
		from.put(n, fmt.Sprint(n))
	}
	if err := from.sync(to.driver); err != nil {
		t.Fatal(err)
	}
	if diff := transfer.Differences(from.measure(), to.measure()); diff != nil {
		t.Fatal(diff)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		for range 200 {
			n := random.IntN(3000)
			if random.IntN(4) == 0 {
				if err := from.cards.Delete(t.Context(), fmt.Sprintf("card-%05d", n), nil); err != nil && !errors.Is(err, docstore.ErrNotFound) {
					t.Fatal(err)
				}
				continue
			}
			from.put(n, fmt.Sprint(n, "/", random.IntN(100)))
		}
		if diff := transfer.Differences(from.measure(), to.measure()); diff == nil {
			t.Fatal("nothing changed: this proves nothing")
		}
		if err := from.sync(to.driver); err != nil {
			t.Fatal(err)
		}
		if diff := transfer.Differences(from.measure(), to.measure()); diff != nil {
			t.Fatal(diff)
		}
	}
	got, err := to.cards.Get(t.Context(), "card-00001")
	want, err2 := from.cards.Get(t.Context(), "card-00001")
	if err != nil || err2 != nil || got.Phone.Reveal() != want.Phone.Reveal() || got.Phone.Reveal() == "" {
		t.Errorf("%+v %v %v", got, err, err2)
	}
	if _, err := to.cards.FindOne(t.Context(), docstore.By("place", want.Place)); err != nil {
		t.Errorf("the index at the target: %v", err)
	}
}

// TestAUniqueValueMoves: what two documents exchange goes over, although the target has it at the wrong one for a moment.
func TestAUniqueValueMoves(t *testing.T) {
	t.Parallel()
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	for n := range 3 {
		from.put(n, fmt.Sprint(n))
	}
	if err := from.sync(to.driver); err != nil {
		t.Fatal(err)
	}
	from.put(2, "aside")
	from.put(1, "2")
	from.put(0, "1")
	if err := from.sync(to.driver); err != nil {
		t.Fatal(err)
	}
	if diff := transfer.Differences(from.measure(), to.measure()); diff != nil {
		t.Fatal(diff)
	}
}

func TestASnapshotIsOneMomentOfAStoreThatIsWritten(t *testing.T) {
	t.Parallel()
	from := open(t, t.TempDir())
	for n := range 1500 {
		from.put(n, fmt.Sprint(n))
	}
	s := from.snapshot()
	defer func() { _ = s.Close() }()
	before, err := transfer.Measure(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1500 {
		from.put(n+1000, fmt.Sprint(n, "x"))
	}
	after, err := transfer.Measure(t.Context(), s, nil)
	if diff := cmp.Diff(before, after); err != nil || diff != "" || before[0].Documents != 1500 {
		t.Errorf("%v\n%s", err, diff)
	}
}

func key(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// archived is a store with some documents, and its archive.
func archived(t *testing.T, documents int) (*place, []byte) {
	t.Helper()
	from := open(t, t.TempDir())
	for n := range documents {
		from.put(n, fmt.Sprint(n, "-", rand.Uint64()))
	}
	s := from.snapshot()
	defer func() { _ = s.Close() }()
	var out bytes.Buffer
	contents, err := transfer.Write(t.Context(), &out, key(1), s, time.UnixMilli(1_800_000_000_000), nil)
	if err != nil || contents.Documents() != int64(documents) {
		t.Fatal(contents, err)
	}
	return from, out.Bytes()
}

func TestAnArchiveRestoresWhatWasThere(t *testing.T) {
	t.Parallel()
	from, archive := archived(t, 2300)
	to := open(t, t.TempDir())
	for range 2 { // the second time everything is there
		contents, err := transfer.Restore(t.Context(), bytes.NewReader(archive), key(1), to.driver, specs(t), nil)
		if err != nil || contents.Documents() != 2300 || contents.At.UnixMilli() != 1_800_000_000_000 {
			t.Fatal(contents, err)
		}
		if diff := transfer.Differences(from.measure(), to.measure()); diff != nil {
			t.Fatal(diff)
		}
	}
	to.put(7, "mine")
	if _, err := transfer.Restore(t.Context(), bytes.NewReader(archive), key(1), to.driver, specs(t), nil); !errors.Is(err, transfer.ErrOccupied) {
		t.Errorf("over what was changed: %v", err)
	}
}

func TestADamagedArchiveIsToldFromAWholeOne(t *testing.T) {
	t.Parallel()
	_, archive := archived(t, 40)
	if bytes.Contains(archive, []byte("card-")) {
		t.Error("ids can be read in it")
	}
	check := func(raw []byte, k []byte) error {
		_, err := transfer.Read(bytes.NewReader(raw), k, nil)
		return err
	}
	if err := check(archive, key(1)); err != nil {
		t.Fatal(err)
	}
	if err := check(archive, key(2)); !errors.Is(err, transfer.ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if err := check([]byte("nothing of the kind, but long enough to be taken for a header of one"), key(1)); !errors.Is(err, transfer.ErrNoArchive) {
		t.Errorf("no archive: %v", err)
	}
	for n := 0; n < len(archive); n += 7 {
		if err := check(archive[:n], key(1)); err == nil {
			t.Fatalf("cut after %d of %d bytes, and nobody noticed", n, len(archive))
		}
		wrong := bytes.Clone(archive)
		wrong[n] ^= 4
		if err := check(wrong, key(1)); err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", n)
		}
	}
	if err := check(append(bytes.Clone(archive), 0), key(1)); !errors.Is(err, transfer.ErrDamaged) {
		t.Errorf("something behind the end: %v", err)
	}
}

// TestChunksCannotBeMovedOrLeftOut: an archive of several chunks whose pieces are all sound by themselves.
func TestChunksCannotBeMovedOrLeftOut(t *testing.T) {
	t.Parallel()
	from := open(t, t.TempDir())
	for n := range 400 { // random letters do not become smaller
		letters := make([]byte, 12_000)
		for i := range letters {
			letters[i] = byte('!' + rand.IntN(90))
		}
		from.put(n, string(letters[:200]))
		_, err := from.cards.Update(t.Context(), fmt.Sprintf("card-%05d", n), func(c *card) error { c.Phone = docstore.Encrypted(string(letters)); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	s := from.snapshot()
	defer func() { _ = s.Close() }()
	var out bytes.Buffer
	if _, err := transfer.Write(t.Context(), &out, key(1), s, time.UnixMilli(0), nil); err != nil {
		t.Fatal(err)
	}
	raw := out.Bytes()
	const header, chunk = 16 + 32, 4 + 1<<20 + 16
	if len(raw) < header+3*chunk {
		t.Fatalf("only %d bytes", len(raw))
	}
	if _, err := transfer.Read(bytes.NewReader(raw), key(1), nil); err != nil {
		t.Fatal(err)
	}
	head, first, second, rest := raw[:header], raw[header:header+chunk], raw[header+chunk:header+2*chunk], raw[header+2*chunk:]
	for name, pieces := range map[string][][]byte{
		"exchanged": {head, second, first, rest}, "left out": {head, first, rest}, "twice": {head, first, first, second, rest},
		"without the end": {head, first, second},
	} {
		if _, err := transfer.Read(bytes.NewReader(bytes.Join(pieces, nil)), key(1), nil); !errors.Is(err, transfer.ErrDamaged) && !errors.Is(err, transfer.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATargetIsMarkedWhileItIsFilled(t *testing.T) {
	t.Parallel()
	ctx := context.WithoutCancel(t.Context())
	to := open(t, t.TempDir())
	begin := func(from string) error { return transfer.Begin(ctx, to.store, to.driver, specs(t), from) }
	if err := errors.Join(transfer.Whole(ctx, to.store), begin("a"), begin("a")); err != nil {
		t.Fatal(err)
	}
	to.put(1, "x")
	for _, c := range []struct {
		name string
		do   func() error
		want error
	}{
		{"half", func() error { return transfer.Whole(ctx, to.store) }, transfer.ErrHalf},
		{"from elsewhere", func() error { return begin("b") }, transfer.ErrOccupied},
		{"goes on", func() error { return begin("a") }, nil},
		{"ends", func() error { return transfer.End(ctx, to.store) }, nil},
		{"whole", func() error { return transfer.Whole(ctx, to.store) }, nil},
		{"a second time", func() error { return begin("a") }, transfer.ErrOccupied},
	} {
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	used := open(t, t.TempDir())
	used.put(1, "x")
	if err := transfer.Begin(ctx, used.store, used.driver, specs(t), "a"); !errors.Is(err, transfer.ErrOccupied) {
		t.Errorf("a store that is used: %v", err)
	}
}
