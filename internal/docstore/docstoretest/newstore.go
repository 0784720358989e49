// Package docstoretest holds what tests of the store and of everything above it need: a ready store, a driver that
// misbehaves on command, and Run, the conformance suite every docstore.Driver has to pass.
package docstoretest

import (
	"bytes"
	"testing"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/docstore/sqlite"
)

// NewStore opens a store on the embedded driver in the test's own folder, with fixed keys, and closes it when the
// test ends.
func NewStore(t testing.TB, c clock.Clock) *docstore.Store {
	t.Helper()
	return StoreOn(t, Embedded(t), c)
}

// Embedded is a fresh embedded store below the typed contract, for tests that open stores on it themselves. It is closed when
// the test ends.
func Embedded(t testing.TB) docstore.Driver {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close() })
	return driver
}

// StoreOn opens a store with fixed keys on the given driver and closes it when the test ends.
func StoreOn(t testing.TB, driver docstore.Driver, c clock.Clock) *docstore.Store {
	t.Helper()
	store, err := docstore.New(docstore.Config{Driver: driver, Clock: c, Keys: Keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Keys is the key ring of tests.
func Keys(t testing.TB) *docstore.KeyRing {
	t.Helper()
	ring, err := docstore.NewKeyRing(bytes.Repeat([]byte{1}, 32), docstore.Key{ID: "t1", Secret: bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
