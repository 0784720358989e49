package sqlite_test

import (
	"testing"

	"guanxi/internal/docstore"
	"guanxi/internal/docstore/docstoretest"
	"guanxi/internal/docstore/sqlite"
)

func open(t testing.TB) docstore.Driver {
	t.Helper()
	driver, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func TestConformance(t *testing.T) {
	t.Parallel()
	docstoretest.Run(t, open, docstoretest.Caps{})
}
