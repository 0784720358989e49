package keeping_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"guanxi/app"
	"guanxi/app/keeping"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/transfer"
	"guanxi/member"
)

var key = bytes.Repeat([]byte{7}, 32)

func values(dir string) app.Values {
	secret := base64.StdEncoding.EncodeToString(key)
	return app.Values{"GUANXI_DIR": dir, "GUANXI_KEYS": "one:" + secret, "GUANXI_KEY_LOOKUP": secret}
}

// fakeS3 is a bucket in memory.
func fakeS3(t *testing.T) keeping.Place {
	t.Helper()
	memory := s3mem.New()
	if err := memory.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(memory).Server())
	t.Cleanup(server.Close)
	p, err := keeping.At("s3://backups/guanxi", keeping.S3{URL: server.URL, ID: "id", Secret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func inFolder(t *testing.T) keeping.Place {
	t.Helper()
	p, err := keeping.At(filepath.Join(t.TempDir(), "backups"), keeping.S3{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t *testing.T, p keeping.Place, at time.Time, content string) string {
	t.Helper()
	name := keeping.NameAt(at)
	if err := p.Put(t.Context(), name, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPlacesKeepWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]keeping.Place{"folder": inFolder(t), "s3": fakeS3(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC)
			var names []string
			for day := range 4 {
				names = append(names, put(t, p, start.AddDate(0, 0, day), strings.Repeat(fmt.Sprint(day), 1000)))
			}
			broken := errors.New("broken")
			err := p.Put(t.Context(), keeping.NameAt(start.AddDate(0, 0, 9)), func(w io.Writer) error {
				_, _ = w.Write([]byte("half"))
				return broken
			})
			if !errors.Is(err, broken) {
				t.Errorf("a writer that breaks off: %v", err)
			}
			gone, err := keeping.Retain(t.Context(), p, 2)
			all, err2 := p.List(t.Context())
			want := []keeping.Item{{names[3], 1000, start.AddDate(0, 0, 3)}, {names[2], 1000, start.AddDate(0, 0, 2)}}
			if diff := cmp.Diff(want, all); err != nil || err2 != nil || diff != "" || len(gone) != 2 || gone[0].Name != names[1] {
				t.Errorf("%v %v %v\n%s", gone, err, err2, diff)
			}
			file, err := p.Get(t.Context(), names[3])
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(file)
			if string(raw) != strings.Repeat("3", 1000) || errors.Join(err, file.Close()) != nil {
				t.Errorf("%d bytes, %v", len(raw), err)
			}
			if _, err := p.Get(t.Context(), names[0]); !errors.Is(err, keeping.ErrNoBackup) {
				t.Errorf("a deleted one: %v", err)
			}
		})
	}
	for _, where := range []string{"", "s3://backups"} {
		if _, err := keeping.At(where, keeping.S3{}); err == nil {
			t.Errorf("%q is taken for a place", where)
		}
	}
}

// busy is a store into which people go on registering until stop is called.
type busy struct {
	t       *testing.T
	store   *docstore.Store
	members *docstore.Collection[member.Member]
	cancel  context.CancelFunc
	all     sync.WaitGroup
	mu      sync.Mutex
	known   []string // acknowledged
}

// membersIn opens the collection as the program declares it.
func membersIn(t *testing.T, store *docstore.Store) *docstore.Collection[member.Member] {
	t.Helper()
	specs, err := app.Specs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spec := specs["members"]
	spec.Indexes = slices.DeleteFunc(slices.Clone(spec.Indexes), func(i docstore.Index) bool { return i.Name == docstore.WaitingIndex }) // it is added
	c, err := docstore.Open[member.Member](t.Context(), store, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func begin(t *testing.T, dir string) *busy {
	t.Helper()
	b := &busy{t: t}
	var err error
	if b.store, err = app.OpenStore(t.Context(), values(dir)); err != nil {
		t.Fatal(err)
	}
	b.members = membersIn(t, b.store)
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	for n := range 3 {
		b.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				b.register(fmt.Sprintf("%d-%06d", n, i))
			}
		})
	}
	return b
}

func (b *busy) register(id string) {
	m := &member.Member{Doc: docstore.Doc{ID: id}}
	m.OpenID = docstore.Encrypted("openid-" + id)
	if err := b.members.Insert(b.t.Context(), m); err != nil {
		b.t.Error(err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = append(b.known, id)
}

func (b *busy) acknowledged() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.known...)
}

func (b *busy) waitFor(n int) {
	for len(b.acknowledged()) < n {
		time.Sleep(time.Millisecond)
	}
}

func (b *busy) stop() {
	b.cancel()
	b.all.Wait()
	if err := b.store.Close(); err != nil {
		b.t.Error(err)
	}
}

// holds checks that a store has every one of the members, with what only its keys open.
func holds(t *testing.T, dir string, ids []string) {
	t.Helper()
	store, err := app.OpenStore(t.Context(), values(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	members := membersIn(t, store)
	for _, id := range ids {
		m, err := members.Get(t.Context(), id)
		if err != nil || m.OpenID.Reveal() != "openid-"+id {
			t.Fatalf("%s: %v %v", id, m, err)
		}
	}
	if err := transfer.Whole(t.Context(), store); err != nil {
		t.Error(err)
	}
}

// goesOn registers somebody in a store that came back, who is found again by the index of phones' and people's ids.
func goesOn(t *testing.T, dir string) {
	t.Helper()
	store, err := app.OpenStore(t.Context(), values(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	b := &busy{t: t, store: store, members: membersIn(t, store)}
	b.register("afterwards")
	if m, err := b.members.Get(t.Context(), "afterwards"); err != nil || m.OpenID.Reveal() != "openid-afterwards" {
		t.Error(m, err)
	}
}

// TestABackupOfABusyStoreComesBack is the drill: a backup while people register, its restoration elsewhere, and work goes on there.
func TestABackupOfABusyStoreComesBack(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]keeping.Place{"folder": inFolder(t), "s3": fakeS3(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := t.TempDir(), t.TempDir()
			b := begin(t, from)
			b.waitFor(300)
			before := b.acknowledged()
			item, contents, err := keeping.Backup(t.Context(), values(from), p, key, nil)
			b.waitFor(len(b.acknowledged()) + 100) // it was not held up
			b.stop()
			if err != nil || contents.Documents() < int64(len(before)) || item.Bytes == 0 {
				t.Fatal(item, contents, err)
			}
			back, err := keeping.Restore(t.Context(), p, "", key, values(to), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(contents, back); diff != "" {
				t.Errorf("restored (-written +read):\n%s", diff)
			}
			holds(t, to, before)
			goesOn(t, to)
		})
	}
}

func TestARestoreThatCannotBeChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := inFolder(t)
	from := t.TempDir()
	b := begin(t, from)
	b.waitFor(20)
	b.stop()
	item, _, err := keeping.Backup(t.Context(), values(from), p, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := p.Get(t.Context(), item.Name)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(whole)
	if err := errors.Join(err, whole.Close()); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(raw)
	damaged[len(damaged)-30] ^= 1
	for name, c := range map[string]struct {
		content string
		key     []byte
		want    error
	}{
		"another key": {string(raw), bytes.Repeat([]byte{8}, 32), transfer.ErrKey},
		"cut off":     {string(raw[:len(raw)-100]), key, transfer.ErrDamaged},
		"damaged":     {string(damaged), key, nil},
		"no backup":   {"nothing of the kind, though it is long enough to be the header of one", key, transfer.ErrNoArchive},
	} {
		at := inFolder(t)
		put(t, at, time.Now(), c.content)
		to := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if _, err := keeping.Restore(t.Context(), at, "", c.key, values(to), nil); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the target was made: %v", name, err)
		}
	}
	if _, err := keeping.Restore(t.Context(), p, "", key, values(from), nil); !errors.Is(err, transfer.ErrOccupied) {
		t.Errorf("into a store that is used: %v", err)
	}
	if _, err := keeping.Restore(t.Context(), inFolder(t), "", key, values(filepath.Join(dir, "none")), nil); !errors.Is(err, keeping.ErrNoBackup) {
		t.Errorf("from an empty place: %v", err)
	}
}

func TestACopyIsMadeWhilePeopleWorkAndEndsWhenTheyStop(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	b := begin(t, from)
	for range 3 {
		b.waitFor(len(b.acknowledged()) + 200)
		if _, err := keeping.Copy(t.Context(), values(from), values(to), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keeping.Copy(t.Context(), values(from), values(to), true, nil); !errors.Is(err, keeping.ErrBusy) {
		t.Errorf("the last time, while people work: %v", err)
	}
	half, err := app.OpenStore(t.Context(), values(to))
	if err != nil {
		t.Fatal(err)
	}
	if err := transfer.Whole(t.Context(), half); !errors.Is(err, transfer.ErrHalf) {
		t.Errorf("half a copy is served from: %v", err)
	}
	if err := half.Close(); err != nil {
		t.Fatal(err)
	}
	b.stop()
	moved, err := keeping.Copy(t.Context(), values(from), values(to), true, nil)
	if err != nil || len(moved) == 0 {
		t.Fatal(moved, err)
	}
	holds(t, to, b.acknowledged())
	if _, err := keeping.Copy(t.Context(), values(from), values(to), true, nil); !errors.Is(err, transfer.ErrOccupied) {
		t.Errorf("over a store that is in use: %v", err)
	}
	all, err := keeping.Size(t.Context(), values(to), nil)
	if err != nil || len(all) != len(moved) {
		t.Errorf("%v %v", all, err)
	}
}
